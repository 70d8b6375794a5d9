"""Boxes that somebody gives by hand."""

from __future__ import annotations

from math import isfinite

from model.errors import InputError

# x, y of its top left pixel, width, height; pixels.
GivenBox = tuple[float, float, float, float]


def parse_box(text: str) -> GivenBox:
    """Read "X,Y,WIDTH,HEIGHT", pixels.

    Raises:
        InputError: it is none.
    """
    try:
        x, y, width, height = (float(part) for part in text.split(","))
    except ValueError:
        x = y = width = height = float("nan")
    if not (all(map(isfinite, (x, y, width, height))) and width >= 1 and height >= 1):
        raise InputError(f"--box {text}: it must be X,Y,WIDTH,HEIGHT in pixels.")
    return x, y, width, height
