"""What label files of people's own points have in common: finding pictures, points and boxes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError
from model.markup import Markup
from train.data.label_faults import check_labels, picture_sizes
from train.data.sample import Sample, tight_box

# Where tools put pictures, seen from the label file: beside it (dlib, Label Studio) or, with the
# label file in a folder `annotations`, in `images` or `images/default` (COCO, CVAT).
_FOLDERS = (".", "images", "..", "../images", "../images/default")
# Boxes that differ from the points' by less, in parts of their longer side, are the same.
_SAME_BOX = 0.02


def find_label_file(path: Path, suffix: str) -> Path:
    """The label file that a path names: itself, or the only one in a folder.

    Args:
        path: file or folder.
        suffix: of label files, for example ".json".

    Raises:
        InputError: no such path, or none or several of them in the folder.
    """
    if path.is_file():
        return path
    if not path.is_dir():
        raise InputError(f"{path} does not exist; --data must name a label file or its folder.")
    folders = (path, path / "annotations")
    found = sorted(file for folder in folders for file in folder.glob(f"[!.]*{suffix}"))
    if not found:
        raise InputError(f"{path} holds no {suffix} file, nor does a folder 'annotations' in it.")
    if len(found) > 1:
        names = ", ".join(str(file.relative_to(path)) for file in found[:4])
        raise InputError(f"{path} holds {len(found)} {suffix} files ({names}): name one of them.")
    return found[0]


def find_picture(label_file: Path, name: object, where: str) -> Path:
    """The picture that a label file names.

    Args:
        label_file: the file.
        name: as written there; absolute, or relative to the file or to where tools put pictures.
        where: the entry, for messages.

    Raises:
        InputError: no text, or no such picture.
    """
    if not isinstance(name, str) or not name or "\0" in name:
        raise InputError(f"{where}: {name!r} is no name of a picture.")
    relative = Path(name.replace("\\", "/"))
    for folder in _folders(label_file.parent):
        path = folder / relative
        # Names that no file can have are an error of their own.
        with suppress(OSError):
            if path.is_file():
                return path
    raise InputError(f"{where}: there is no picture {name} beside {label_file}, nor in 'images'.")


@lru_cache(maxsize=8)
def _folders(parent: Path) -> list[Path]:
    """Where pictures may lie; asked once for each label file, and not for each of its entries."""
    return [(parent / folder).resolve() for folder in _FOLDERS]


def corners(x: float, y: float, width: float, height: float) -> NDArray[np.float64] | None:
    """A box as x_min, y_min, x_max, y_max; None for one of no size, or that is not given (NaN)."""
    if not (width > 0 and height > 0 and np.isfinite([x, y, width, height]).all()):
        return None
    return np.array([x, y, x + width, y + height])


def point_columns(names: Sequence[str], markup: Markup) -> list[int] | None:
    """Where each of a markup's points stands among names; None if some are missing.

    Names that are numbers ("00", "01") stand for the points in their order.
    """
    places = {name: place for place, name in enumerate(names)}
    if set(markup.names) <= set(places):
        return [places[name] for name in markup.names]
    if all(name.isdecimal() and len(name) < 6 for name in names):
        numbers = {int(name): place for name, place in places.items()}
        if set(range(markup.points)) <= set(numbers) and len(numbers) == markup.points:
            return [numbers[number] for number in range(markup.points)]
    return None


def own_sample(
    picture: Path,
    points: NDArray[np.float64],
    box: NDArray[np.float64] | None,
    markup: Markup,
    *,
    source: str,
    where: str,
) -> Sample:
    """A labelled thing.

    Args:
        picture: its file.
        points: [K, 2], pixels; NaN where not labelled.
        box: x_min, y_min, x_max, y_max as the file has it, None if it has none.
        markup: of the points.
        source: where it comes from.
        where: the entry, for messages.

    Raises:
        InputError: without a box there must be two labelled points.
    """
    known = np.isfinite(points).all(axis=1)
    if box is None and known.sum() < min(2, markup.points):
        raise InputError(f"{where}: with less than two labelled points a box is needed.")
    tight = tight_box(points)
    loose = False
    if box is not None and known.all():
        loose = bool(np.abs(box - tight).max() > _SAME_BOX * max(*(box[2:] - box[:2]), 1.0))
    return Sample(
        picture,
        points,
        tight if box is None else box,
        source=source,
        own_markup=markup,
        upright=True,
        loose_box=loose,
    )


def checked(samples: list[Sample], places: Sequence[str], file: Path) -> list[Sample]:
    """The samples, if their labels can be.

    Args:
        samples: all of a file.
        places: the entry of each, for messages.
        file: the label file.

    Raises:
        InputError: there is none, or the first that cannot be right.
    """
    if not samples:
        raise InputError(f"{file} has nothing with labelled points of this markup.")

    def place(index: int, point: int | None) -> str:
        if point is None:
            return places[index]
        return f"{places[index]}, point '{samples[index].markup.names[point]}'"

    sizes = picture_sizes([sample.image for sample in samples])
    # Pictures may be turned while they are read.
    sides = [None if size is None else (max(size), max(size)) for size in sizes]
    check_labels(samples, sides, place)
    return samples
