"""The `.pts` landmark files of 300W.

    version: 1
    n_points: 68
    {
    111.364794 150.976115
    ...
    }

The files of the 300W release count pixels as MATLAB does: the centre of the top left pixel is
(1, 1). Everything in this project calls it (0, 0), and a file does not say which it means, so both
functions ask for it: `one_based=True` for the release's files, False for files already shifted.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError
from model.files import replacing


def read_pts(path: Path, *, count: int, one_based: bool) -> NDArray[np.float64]:
    """Read landmarks.

    Args:
        path: the file.
        count: how many points it must hold.
        one_based: whether the file calls the centre of the top left pixel (1, 1).

    Returns:
        [count, 2], float64, pixels; (0, 0) is the centre of the top left pixel.

    Raises:
        InputError: unreadable file, a wrong number of points, a header that disagrees with it, a
            missing brace or a line that is not two numbers, named by file and line.
    """
    return read_numbered_pts(path, count=count, one_based=one_based)[0]


def read_numbered_pts(
    path: Path, *, count: int, one_based: bool
) -> tuple[NDArray[np.float64], list[int]]:
    """The same, and the lines that the points stand in, counted from 1."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(f"cannot read the landmarks {path}: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a text file; a .pts file is expected.") from error
    start, announced = _read_header(lines, path)
    points, numbers = [], []
    for number, line in enumerate(lines[start:], start=start + 1):
        if line.strip() == "}":
            break
        if line.strip():
            points.append(_read_point(line, f"{path}, line {number}"))
            numbers.append(number)
    else:
        raise InputError(f"{path}: the closing brace '}}' is missing after the points; is it cut?")
    if announced is not None and announced != len(points):
        raise InputError(f"{path}: n_points says {announced}, but the file holds {len(points)}.")
    if len(points) != count:
        raise InputError(f"{path}: {len(points)} points instead of {count}.")
    shift = 1.0 if one_based else 0.0
    return np.array(points, dtype=np.float64).reshape(-1, 2) - shift, numbers


def write_pts(path: Path, points: NDArray[np.floating], *, one_based: bool) -> None:
    """Write landmarks; the file appears complete or not at all.

    Args:
        path: the file.
        points: [K, 2], pixels; (0, 0) is the centre of the top left pixel.
        one_based: whether the file shall call that pixel (1, 1), as the 300W release does.

    Raises:
        InputError: the file cannot be written.
    """
    shift = 1.0 if one_based else 0.0
    rows = [f"{x + shift:.6f} {y + shift:.6f}" for x, y in points]
    text = "\n".join(["version: 1", f"n_points: {len(rows)}", "{", *rows, "}", ""])
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def _read_header(lines: list[str], path: Path) -> tuple[int, int | None]:
    """Index of the first line after the opening brace, and what n_points says (None: nothing)."""
    announced = None
    for number, line in enumerate(lines, start=1):
        key, _, value = line.partition(":")
        if line.strip() == "{":
            return number, announced
        if key.strip() == "n_points":
            try:
                announced = int(value)
            except ValueError as error:
                raise InputError(
                    f"{path}, line {number}: n_points is {value.strip()!r}, not a whole number."
                ) from error
    raise InputError(f"{path}: the opening brace '{{' before the points is missing.")


def _read_point(line: str, where: str) -> tuple[float, float]:
    """Two finite numbers of a line."""
    fields = line.split()
    if len(fields) != 2:
        raise InputError(f"{where}: {line.strip()!r} is not a point; two numbers are expected.")
    try:
        x, y = float(fields[0]), float(fields[1])
    except ValueError as error:
        raise InputError(f"{where}: {line.strip()!r} is not a point: {error}.") from error
    if not np.isfinite([x, y]).all():
        raise InputError(f"{where}: {line.strip()!r} is not a finite point.")
    return x, y
