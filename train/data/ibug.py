"""300W: 68 iBUG points in `.pts` files beside the pictures.

Layout, as the official archives unpack:

    ROOT/afw, ROOT/helen/{trainset,testset}, ROOT/lfpw/{trainset,testset}, ROOT/ibug
    ROOT/300W/{01_Indoor,02_Outdoor}                          the private test set

The `.pts` files of the release are 1-based (see `pts.py`); 1 is subtracted unless told otherwise.
"""

from __future__ import annotations

from pathlib import Path

from model.errors import InputError
from train.data.label_faults import check_labels, picture_sizes
from train.data.pts_file import read_numbered_pts
from train.data.sample import Sample, tight_box

_COMMON = ("helen/testset", "lfpw/testset")
_CHALLENGE = ("ibug",)
# The splits of the literature; "full" is what papers call the 300W test set (689 faces).
SPLITS = {
    "train": ("afw", "helen/trainset", "lfpw/trainset"),
    "common": _COMMON,
    "challenge": _CHALLENGE,
    "full": (*_COMMON, *_CHALLENGE),
    "private": ("300W/01_Indoor", "300W/02_Outdoor"),
}
POINTS = 68

_PICTURES = {".jpg", ".jpeg", ".png"}


def read_ibug(root: Path, split: str = "full", *, one_based: bool = True) -> list[Sample]:
    """Read one split of 300W.

    Args:
        root: the folder that holds afw, helen, lfpw, ibug and 300W (the split's own suffice).
        split: "train" (afw, helen/trainset, lfpw/trainset), "common" (helen/testset,
            lfpw/testset), "challenge" (ibug), "full" (common and challenge) or "private"
            (300W/01_Indoor, 300W/02_Outdoor).
        one_based: True for the release's own files; False where the coordinates are already
            0-based.

    Returns:
        Samples sorted by folder and name. Their source is "300w/" and the dataset's first folder:
        "300w/afw", "300w/helen", "300w/lfpw", "300w/ibug", "300w/private".

    Raises:
        InputError: unknown split, missing folder, a picture without points or points without a
            picture, a malformed `.pts` file, or one that cannot be of a face.
    """
    if split not in SPLITS:
        raise InputError(f"300W has no split {split!r}; choose one of {', '.join(SPLITS)}.")
    samples: list[Sample] = []
    lines: list[list[int]] = []
    for folder in SPLITS[split]:
        source = "300w/private" if split == "private" else f"300w/{folder.split('/')[0]}"
        for picture in _pictures(root / folder):
            path = picture.with_suffix(".pts")
            points, numbers = read_numbered_pts(path, count=POINTS, one_based=one_based)
            box = tight_box(points)
            if box[2] <= box[0] or box[3] <= box[1]:
                raise InputError(f"{path}, line {numbers[0]}: the points span no area.")
            samples.append(Sample(image=picture, points=points, box=box, source=source))
            lines.append(numbers)

    def place(face: int, point: int | None) -> str:
        return f"{samples[face].image.with_suffix('.pts')}, line {lines[face][point or 0]}"

    check_labels(samples, picture_sizes([sample.image for sample in samples]), place)
    return samples


def _pictures(folder: Path) -> list[Path]:
    """Pictures of a folder, by name, after checking that pictures and `.pts` files pair up."""
    if not folder.is_dir():
        raise InputError(
            f"the 300W folder {folder} does not exist; --data must name the folder that holds afw, "
            f"helen, lfpw and ibug."
        )
    pictures: dict[str, Path] = {}
    labels: dict[str, Path] = {}
    # Names with a leading dot are what file managers and archivers leave behind.
    for path in sorted(path for path in folder.iterdir() if not path.name.startswith(".")):
        if path.suffix == ".pts":
            labels[path.stem] = path
        elif path.suffix.lower() in _PICTURES:
            if path.stem in pictures:
                raise InputError(f"{pictures[path.stem]} and {path} share one .pts; remove one.")
            pictures[path.stem] = path
    for stem, path in pictures.items():
        if stem not in labels:
            raise InputError(f"the picture {path} has no {stem}.pts beside it.")
    for stem, path in labels.items():
        if stem not in pictures:
            raise InputError(f"{path} has no picture (.jpg or .png) of its name beside it.")
    if not pictures:
        raise InputError(f"{folder} holds no picture with points.")
    return list(pictures.values())
