"""WFLW: 98 points, six attributes, one text line per face.

Layout, as the official archives unpack:

    ROOT/WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_{train,test}.txt
    ROOT/WFLW_images/NAME

A line holds 207 fields: 196 coordinates x0 y0 .. x97 y97 (0-based), the rectangle x_min y_min x_max
y_max, six attributes 0/1, the image's name relative to WFLW_images. The official lists of the test
subsets (folder `list_98pt_test`) are the test list filtered by these attributes, so they are not
read.

Not official: a line of a training list whose 196 coordinates are all `nan` is a face of which only
the box is known, to be learned from a teacher.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from model.errors import InputError
from train.data.label_faults import check_labels, picture_sizes
from train.data.sample import ATTRIBUTES, Sample

SPLITS = ("train", "test")
POINTS = 98
FIELDS = 2 * POINTS + 4 + len(ATTRIBUTES) + 1

_LISTS = "WFLW_annotations/list_98pt_rect_attr_train_test"
IMAGES = "WFLW_images"
# The folders of the official images are WIDER FACE events: "37--Soccer".
_EVENT = re.compile(r"\d+--")


def read_wflw(root: Path, split: str = "train") -> list[Sample]:
    """Read one split of WFLW, or of any dataset in its layout.

    Args:
        root: the folder that holds WFLW_annotations and WFLW_images.
        split: "train" or "test".

    Returns:
        One sample per line, in the order of the list.

    Raises:
        InputError: unknown split, missing list or image, a malformed line, or labels that cannot be
            those of a face (named by file and line number).
    """
    if split not in SPLITS:
        raise InputError(f"WFLW has no split {split!r}; choose one of {', '.join(SPLITS)}.")
    path = list_path(root, split)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"cannot read the WFLW list {path} ({error.strerror}); --data must name the folder "
            f"that holds WFLW_annotations and WFLW_images."
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a text file; download the WFLW lists again.") from error
    folders = _Folders()
    samples, lines = [], []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        sample = _parse_line(line, root / IMAGES, where)
        if split != "train" and not sample.has_points:
            raise InputError(
                f"{where}: the face has no landmarks, which only training can do without."
            )
        if not folders.holds(sample.image):
            raise InputError(f"{where}: the image {sample.image} does not exist.")
        samples.append(sample)
        lines.append(number)
    if not samples:
        raise InputError(f"{path} holds no face; download the WFLW lists again.")
    sizes = picture_sizes([sample.image for sample in samples])
    check_labels(samples, sizes, lambda index, _: f"{path}, line {lines[index]}")
    return samples


def list_path(root: Path, split: str) -> Path:
    """The list of a split."""
    return root / _LISTS / f"list_98pt_rect_attr_{split}.txt"


def write_list(root: Path, split: str, lines: Sequence[str]) -> None:
    """Write the list of a split, and the folders above it.

    Args:
        root: the folder of the dataset.
        split: "train" or "test".
        lines: as `format_line` makes them.

    Raises:
        OSError: it cannot be written.
    """
    path = list_path(root, split)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def format_line(sample: Sample, name: str, digits: int) -> str:
    """A face as a line of a list: the inverse of reading one.

    Args:
        sample: 98 points, a box, six attributes.
        name: of the picture, relative to WFLW_images.
        digits: behind the point of the coordinates, at most; trailing zeros are left out.
    """
    numbers = [f"{value:.{digits}f}" for value in (*sample.points.ravel(), *sample.box)]
    short = [text.rstrip("0").rstrip(".") if "." in text else text for text in numbers]
    return " ".join([*short, *map(str, sample.attributes), name])


def source_of(name: str) -> str:
    """Source of an image name of a list.

    The rule: the first two folders of the name ("300w/helen/trainset/1.jpg" -> "300w/helen",
    "ytf/1.jpg" -> "ytf"), and "wflw" for an event folder of the official images
    ("37--Soccer/1.jpg") or a name without a folder.
    """
    folders = PurePosixPath(name).parts[:-1]
    if not folders or _EVENT.match(folders[0]):
        return "wflw"
    return "/".join(folders[:2])


class _Folders:
    """Which files exist, by one scan per folder: thousands of stats are slow on a network disk."""

    def __init__(self) -> None:
        self._names: dict[Path, set[str]] = {}

    def holds(self, path: Path) -> bool:
        folder = path.parent
        if folder not in self._names:
            self._names[folder] = (
                {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
            )
        return path.name in self._names[folder]


def _parse_line(line: str, images: Path, where: str) -> Sample:
    """One line of a list as a sample; `where` names it in messages."""
    fields = line.split()
    if len(fields) != FIELDS:
        raise InputError(
            f"{where}: {len(fields)} fields instead of {FIELDS} (196 coordinates, 4 of the "
            f"rectangle, 6 attributes, the image's name)."
        )
    try:
        numbers = np.array(fields[: 2 * POINTS + 4], dtype=np.float64)
    except ValueError as error:
        raise InputError(f"{where}: {error}; the first 200 fields must be numbers.") from error
    box_only = bool(np.isnan(numbers[: 2 * POINTS]).all())
    wrong = ~np.isfinite(numbers)
    wrong[: 2 * POINTS] &= not box_only
    if wrong.any():
        bad = fields[int(np.flatnonzero(wrong)[0])]
        raise InputError(f"{where}: the coordinate {bad} is not a finite number.")
    box = numbers[2 * POINTS :]
    if box[2] <= box[0] or box[3] <= box[1]:
        raise InputError(
            f"{where}: the rectangle {' '.join(fields[2 * POINTS : 2 * POINTS + 4])} has no area; "
            f"it must be x_min y_min x_max y_max."
        )
    flags = fields[2 * POINTS + 4 : -1]
    for name, flag in zip(ATTRIBUTES, flags, strict=True):
        if flag not in {"0", "1"}:
            raise InputError(f"{where}: the attribute {name} is {flag!r}; it must be 0 or 1.")
    return Sample(
        image=images / fields[-1],
        points=numbers[: 2 * POINTS].reshape(POINTS, 2),
        box=box,
        source=source_of(fields[-1]),
        attributes=tuple(int(flag) for flag in flags),
    )
