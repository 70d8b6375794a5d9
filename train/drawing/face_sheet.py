"""Sheets of faces: tiles side by side with a line of text under each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from model.errors import InputError
from model.files import replacing

_STRIP = 18  # pixels of a line of text
_GAP = 4
_INK = (40, 40, 40)


def sheet(
    tiles: Sequence[NDArray[np.uint8]],
    captions: Sequence[str] = (),
    *,
    columns: int = 5,
    heading: str = "",
) -> NDArray[np.uint8]:
    """Tiles in rows on white.

    Args:
        tiles: N >= 1 pictures [S, S, 3], RGB, all of one size.
        captions: N lines of ASCII text, or none.
        columns: tiles in a row.
        heading: a line above all.

    Returns:
        [H, W, 3], RGB.
    """
    side = tiles[0].shape[0]
    columns = min(columns, len(tiles))
    pitch = side + _GAP
    step = pitch + (_STRIP if captions else 0)
    top = _STRIP + _GAP if heading else _GAP
    rows = -(-len(tiles) // columns)
    canvas = np.full((top + rows * step, _GAP + columns * pitch, 3), 255, dtype=np.uint8)
    if heading:
        _write(canvas, heading, _GAP, _GAP)
    for number, tile in enumerate(tiles):
        y, x = top + number // columns * step, _GAP + number % columns * pitch
        canvas[y : y + side, x : x + side] = tile
        if captions:
            _write(canvas[:, : x + side], captions[number], x, y + side)
    return canvas


def write_png(path: Path, image: NDArray[np.uint8]) -> None:
    """Write a picture [H, W, 3] RGB; it appears complete or not at all."""
    done, code = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not done:
        raise InputError(f"cannot code {path} as PNG.")
    with replacing(path) as partial:
        partial.write_bytes(bytes(code))


def _write(canvas: NDArray[np.uint8], text: str, x: int, y: int) -> None:
    """A line of text with its upper left corner at (x, y), cut off at the canvas' right edge."""
    at = (x + 2, y + _STRIP - 5)
    # A view of part of a canvas is not contiguous, which OpenCV asks for.
    part = np.ascontiguousarray(canvas)
    cv2.putText(part, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.4, _INK, 1, cv2.LINE_AA)
    canvas[:] = part
