"""Labels that cannot be those of a face: found when a list is read, before hours of training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError
from model.markup import Markup
from tracker.video.picture_header import picture_header
from train.data.sample import Sample

# Pixels that the landmarks span at least: nobody has marked a smaller face.
_SMALLEST = 2.0
# Of the landmarks. Those of a closed mouth or eye coincide (12 % in our data), some of real faces
# lie behind the border of a picture that is cut close.
_DIFFERENT, _INSIDE = 0.5, 0.5
# Distance of the eyes at least, in the span: of profiles it is small, of none it is nothing.
_APART = 1e-3
# How far beyond the border any of them may lie, in the picture's larger side: covers chins that are
# cut off.
_BEYOND = 1.0
# How much larger than the picture a box may be.
_LARGEST_BOX = 10.0
# Headers are small and mostly waited for.
_READERS = 8

Size = tuple[int, int]
# Names the place of a label: sample, and the number of the landmark or None for the whole face.
Place = Callable[[int, int | None], str]


def check_labels(samples: Sequence[Sample], sizes: Sequence[Size | None], place: Place) -> None:
    """Refuse faces that cannot be: landmarks that coincide or lie off the picture.

    Args:
        samples: the faces of a data set.
        sizes: width and height of each one's picture, None where it is not known.
        place: called with the index of a face and of a landmark (or None) for messages.

    Raises:
        InputError: the first such face.
    """
    for index, (sample, size) in enumerate(zip(samples, sizes, strict=True)):
        fault = label_fault(sample.points, size, sample.markup) if sample.has_points else None
        if fault is not None:
            text, point = fault
            raise InputError(f"{place(index, point)}: {text}; correct the labels or remove it.")
        wrong = _box_fault(sample.box, size) if size is not None else None
        if wrong is not None:
            raise InputError(f"{place(index, None)}: {wrong}; correct the labels or remove it.")


def label_fault(
    points: NDArray[np.float64], size: Size | None, markup: Markup
) -> tuple[str, int] | None:
    """What is wrong with landmarks, and from which one on; None if nothing is.

    Args:
        points: [K, 2], pixels, NaN where a landmark is not labelled; (0, 0) is the centre of the
            picture's top left pixel.
        size: width and height of the picture, None if it is not known.
        markup: of the landmarks.
    """
    known = np.flatnonzero(np.isfinite(points).all(axis=1))
    labelled = points[known]
    span = float(np.ptp(labelled, axis=0).max())
    if span < _SMALLEST and len(labelled) > 1:
        return f"all landmarks lie within {span:.2g} pixels, which cannot be", 0
    # A set: np.unique takes a millisecond for the rows of a face.
    same = len(labelled) - len(set(map(tuple, labelled.tolist())))
    if same > (1 - _DIFFERENT) * len(labelled):
        return f"{same} of the {len(labelled)} landmarks coincide with others, which cannot be", 0
    misplaced = _off_the_picture(labelled, size)
    if misplaced is not None:
        text, first = misplaced
        return text, int(known[first])
    name = markup.default_normalizer
    # NaN where the points that it needs are not labelled: found out by who divides by it.
    if float(markup.normalizer(points)) < _APART * span:
        return f"the points of '{name}' coincide, so that no error can be told in parts of it", 0
    return None


def _off_the_picture(points: NDArray[np.float64], size: Size | None) -> tuple[str, int] | None:
    ends = np.array(size if size is not None else (np.inf, np.inf)) - 0.5
    inside = ((points >= -0.5) & (points <= ends)).all(axis=1)
    where = f"the picture of {size[0]}x{size[1]}" if size is not None else "any picture"
    if inside.mean() < _INSIDE:
        outside = len(points) - int(inside.sum())
        text = f"{outside} of the {len(points)} landmarks lie off {where}"
        return text, int(np.argmin(inside))
    if size is not None and not inside.all():
        far = np.maximum(-points, points - ends).max(axis=1) > _BEYOND * max(size)
        if far.any():
            return f"a landmark lies far off {where}", int(np.argmax(far))
    return None


def _box_fault(box: NDArray[np.float64], size: Size) -> str | None:
    width, height = size
    if box[0] > width or box[1] > height or box[2] < 0 or box[3] < 0:
        return f"the rectangle lies off the picture of {width}x{height}"
    if max(box[2] - box[0], box[3] - box[1]) > _LARGEST_BOX * max(size):
        return f"the rectangle is far larger than the picture of {width}x{height}"
    return None


def picture_sizes(paths: Sequence[Path]) -> list[Size | None]:
    """Width and height by the files' headers; None for what is no picture, as reading it tells."""
    different = list(dict.fromkeys(paths))
    with ThreadPoolExecutor(_READERS) as readers:
        known = dict(zip(different, readers.map(_size, different), strict=True))
    return [known[path] for path in paths]


def _size(path: Path) -> Size | None:
    header = picture_header(path)
    if header is None:
        return None
    if header.kind == "tiff":
        # It may be turned while it is read.
        side = max(header.width, header.height)
        return side, side
    return header.width, header.height
