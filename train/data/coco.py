"""COCO keypoint files, which CVAT, Label Studio and most annotation tools export.

"images" with id and file_name, "annotations" with image_id, keypoints [x, y, v, ...] and perhaps
bbox [x, y, width, height], "categories" with the names of the keypoints. Pixels are counted from
0, and a pixel's number is its centre. v is 0 where a point is not labelled, 1 where it is hidden,
2 where it is seen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError
from model.files import write_json
from model.markup import Markup
from train.data.label_file import checked, corners, find_picture, own_sample, point_columns
from train.data.sample import Sample

_NEEDED = {"images": ("id", "file_name"), "annotations": (), "categories": ("id",)}


def read_coco(file: Path, markup: Markup, *, hidden: bool = False) -> list[Sample]:
    """The annotated things of a COCO file.

    Args:
        file: the JSON.
        markup: of the points. They are taken by name where the file has the markup's names, else
            in their order.
        hidden: whether points that are labelled but not seen (v = 1) count as labelled.

    Returns:
        Things with at least one labelled point, in the file's order; other points are NaN.

    Raises:
        InputError: no such file, not JSON, not in COCO's layout, other keypoints than the
            markup's, a picture that is not there, or labels that cannot be; says which entry.
    """
    values = _read(file)
    names = {_key(image["id"]): image["file_name"] for image in values["images"]}
    orders = _Orders(values["categories"], markup)
    samples, places, hidden_only = [], [], 0
    for number, entry in enumerate(values["annotations"]):
        where = f"{file}, annotation {entry.get('id', number)}"
        # Boxes and polygons of other categories; crowds.
        if not entry.get("keypoints") or entry.get("iscrowd") or not orders.wanted(entry):
            continue
        points, seen = _points(entry, orders, where, hidden=hidden)
        if not np.isfinite(points).any():
            hidden_only += seen
            continue
        picture = _key(entry.get("image_id"))
        if picture not in names:
            raise InputError(f"{where}: there is no image {entry.get('image_id')!r} in the list.")
        path = find_picture(file, names[picture], where)
        box = _box(entry.get("bbox"), where)
        samples.append(own_sample(path, points, box, markup, source=file.stem, where=where))
        places.append(where)
    if not samples and hidden_only:
        raise InputError(
            f"{file} marks all of its keypoints as hidden (v = 1): give --hidden-points if they "
            "are to be learned."
        )
    return checked(samples, places, file)


def write_coco(
    file: Path, samples: Sequence[Sample], pictures: Path, sizes: Sequence[tuple[int, int]]
) -> None:
    """Write faces, or other things, as a COCO keypoint file.

    Args:
        file: the JSON to write; replaced.
        samples: all of one markup, at least one.
        pictures: folder that file names are written relative to.
        sizes: width and height of each one's picture.

    Raises:
        InputError: the file cannot be written, or a picture lies elsewhere.
    """
    markup = samples[0].markup
    numbers: dict[Path, int] = {}
    images, annotations = [], []
    for number, (sample, (width, height)) in enumerate(zip(samples, sizes, strict=True)):
        if sample.image not in numbers:
            numbers[sample.image] = len(numbers)
            try:
                name = sample.image.relative_to(pictures).as_posix()
            except ValueError as error:
                raise InputError(f"{sample.image} does not lie in {pictures}.") from error
            images.append(
                {"id": numbers[sample.image], "file_name": name, "width": width, "height": height}
            )
        seen = np.isfinite(sample.points).all(axis=1)
        values = np.where(np.asarray(seen)[:, None], sample.points, 0.0)
        x0, y0, x1, y1 = sample.box.tolist()
        annotations.append(
            {
                "id": number,
                "image_id": numbers[sample.image],
                "category_id": 1,
                "keypoints": np.column_stack([values, 2 * seen]).ravel().tolist(),
                "num_keypoints": int(seen.sum()),
                "bbox": [x0, y0, x1 - x0, y1 - y0],
                "iscrowd": 0,
            }
        )
    skeleton = sorted({(a + 1, b + 1) for c in markup.curves for a, b in pairwise(c)})
    category = {"id": 1, "name": markup.name, "keypoints": [*markup.names], "skeleton": skeleton}
    write_json(file, {"images": images, "annotations": annotations, "categories": [category]})


class _Orders:
    """Where the points stand in the keypoints of each category."""

    def __init__(self, categories: list[dict[str, Any]], markup: Markup) -> None:
        self._markup = markup
        self._columns = {
            _key(category["id"]): point_columns(
                [str(name) for name in category.get("keypoints") or ()], markup
            )
            for category in categories
        }

    def wanted(self, entry: Mapping[str, Any]) -> bool:
        """False for things of a category that is not meant: another one has the markup's names."""
        key = _key(entry.get("category_id"))
        return self._columns.get(key) is not None or not any(self._columns.values())

    def of(self, entry: Mapping[str, Any], count: int, where: str) -> list[int]:
        """Places of the markup's points among the `count` keypoints of an entry."""
        wanted = self._markup.points
        named = self._columns.get(_key(entry.get("category_id")))
        if max(named) >= count if named else count != wanted:
            raise InputError(
                f"{where} has {count} keypoints, the markup {self._markup} has {wanted}."
            )
        return named or list(range(wanted))


def _key(identity: object) -> str:
    """Ids are numbers as a rule; what else they are must have a hash."""
    return repr(identity)


def _read(file: Path) -> dict[str, list[dict[str, Any]]]:
    try:
        values = json.loads(file.read_bytes())
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file} is not a JSON file: {error}.") from error
    for key, needed in _NEEDED.items():
        entries = values.get(key) if isinstance(values, dict) else None
        if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
            raise InputError(f"{file} is no COCO keypoint file: it has no list '{key}'.")
        for number, entry in enumerate(entries):
            missing = [name for name in needed if name not in entry]
            if missing:
                raise InputError(f"{file}, {key}[{number}] has no '{missing[0]}'.")
    for number, category in enumerate(values["categories"]):
        if not isinstance(category.get("keypoints") or [], list):
            raise InputError(f"{file}, categories[{number}]: 'keypoints' must be a list of names.")
    return values


def _points(
    entry: Mapping[str, Any], orders: _Orders, where: str, *, hidden: bool
) -> tuple[NDArray[np.float64], bool]:
    """[K, 2], NaN where a point is not labelled; and whether any is, hidden ones included."""
    try:
        rows = np.array(entry["keypoints"], dtype=np.float64).reshape(-1, 3)
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(f"{where}: keypoints must be numbers, x, y, v of each point.") from error
    rows = rows[orders.of(entry, len(rows), where)]
    labelled = rows[:, 2] >= (1 if hidden else 2)
    if not np.isfinite(rows[labelled]).all():
        raise InputError(f"{where}: a keypoint is not a finite number.")
    return np.where(labelled[:, None], rows[:, :2], np.nan), bool((rows[:, 2] >= 1).any())


def _box(value: object, where: str) -> NDArray[np.float64] | None:
    """The entry's box; None if it has none, or one of no size."""
    if value is None:
        return None
    try:
        x, y, width, height = np.array(value, dtype=np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(f"{where}: bbox must be four numbers, x, y, width, height.") from error
    return corners(x, y, width, height)
