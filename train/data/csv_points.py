"""Plain CSV files of points: one thing a line, columns named as in the tables of the tracker.

`image`, then `x_NAME` and `y_NAME` of every point of the markup, and if there are boxes `box_x`,
`box_y`, `box_width`, `box_height`; in any order, others are left aside. Empty cells: the point is
not labelled. Pixels are counted from 0, and a pixel's number is its centre.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError
from model.markup import Markup
from train.data.label_file import checked, corners, find_picture, own_sample
from train.data.sample import Sample

_BOX = ("box_x", "box_y", "box_width", "box_height")
Row = Mapping[str | None, str | list[str] | None]


def read_csv(file: Path, markup: Markup) -> list[Sample]:
    """The things of a CSV file.

    Args:
        file: in UTF-8, with a header.
        markup: of the points.

    Returns:
        One for each line that has points, in the file's order; points with empty cells are NaN.

    Raises:
        InputError: no such file, no CSV, a missing column, a cell that is no number, a picture that
            is not there, or labels that cannot be; says which line.
    """
    samples, places = [], []
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            boxes = _check_columns(reader.fieldnames or [], markup, file)
            for row in reader:
                where = f"{file}, line {reader.line_num}"
                points = np.array(
                    [[_cell(row, f"{a}_{name}", where) for a in "xy"] for name in markup.names]
                )
                points[np.isnan(points).any(axis=1)] = np.nan
                if not np.isfinite(points).any():
                    continue
                path = find_picture(file, row["image"], where)
                box = _box(row, where) if boxes else None
                samples.append(own_sample(path, points, box, markup, source=file.stem, where=where))
                places.append(where)
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror or error}.") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{file} is not a CSV file: {error}.") from error
    return checked(samples, places, file)


def _check_columns(columns: object, markup: Markup, file: Path) -> bool:
    """Whether there are boxes."""
    found = list(columns) if isinstance(columns, list | tuple) else []
    needed = ["image", *(f"{axis}_{name}" for name in markup.names for axis in "xy")]
    missing = [name for name in needed if name not in found]
    if missing:
        more = f", nor {len(missing) - 1} others" if len(missing) > 1 else ""
        raise InputError(
            f"{file} has no column '{missing[0]}'{more}: it needs image, x_NAME and y_NAME of each "
            f"point of {markup}."
        )
    return set(_BOX) <= set(found)


def _cell(row: Row, column: str, where: str) -> float:
    """A number; NaN for an empty cell."""
    text = row[column]
    if text is None or not str(text).strip():
        return float("nan")
    try:
        value = float(str(text))
    except ValueError:
        value = float("inf")
    if not np.isfinite(value):
        raise InputError(f"{where}: {column} is {text!r}, not a number.")
    return value


def _box(row: Row, where: str) -> NDArray[np.float64] | None:
    x, y, width, height = (_cell(row, column, where) for column in _BOX)
    return corners(x, y, width, height)
