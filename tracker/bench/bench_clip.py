"""The clip that `propnet-track bench` makes for itself: portraits in motion, of any size."""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError
from tracker.assets.portrait import portrait_image
from tracker.bench.moving_portrait import SIZE, portrait_frame, portrait_motion
from tracker.sources.source_options import parse_size
from tracker.video.frame_source import VideoInfo
from tracker.video.video_writer import VideoWriter

# The portrait's four seconds, which loop without a jump.
_RATE = Fraction(30)
_FRAMES = 120
_SMALLEST, _LARGEST = 64, 8192  # pixels per side
_CELL = 32  # pixels per side of a cell at least; a face fills less than half of it


def clip_size(text: str) -> tuple[int, int]:
    """Width and height of a clip from "640x480".

    Raises:
        InputError: not two whole numbers in range.
    """
    size = parse_size(text)
    if size is None or not all(_SMALLEST <= side <= _LARGEST for side in size):
        raise InputError(
            f"'{text}' is not a size of a clip: its sides are {_SMALLEST} to {_LARGEST} pixels."
        )
    return size


def write_clip(path: Path, size: tuple[int, int], faces: int = 1) -> None:
    """Write the clip: the portrait, moved by a known motion, in every cell of a grid.

    Args:
        path: a new .mp4 file.
        size: width and height, pixels.
        faces: number of portraits, >= 1. Each is elsewhere in its motion.

    Raises:
        InputError: so many faces do not fit.
    """
    width, height = size
    info = VideoInfo("portrait", None, width, height, _RATE, _FRAMES)
    image, motion, cells = portrait_image(), portrait_motion(_FRAMES), grid(size, faces)
    if min(min(x1 - x0, y1 - y0) for x0, y0, x1, y1 in cells) < _CELL:
        raise InputError(f"{width}x{height} has no room for {faces} faces: use a larger --size.")
    with VideoWriter(path, info) as writer:
        for index in range(_FRAMES):
            frame = np.zeros((height, width, 3), dtype=np.uint8)
            for number, (x0, y0, x1, y1) in enumerate(cells):
                phase = (index + number * _FRAMES // faces) % _FRAMES
                frame[y0:y1, x0:x1] = _placed(image, motion[phase], (x1 - x0, y1 - y0))
            writer.write(frame, index / float(_RATE))


def grid(size: tuple[int, int], count: int) -> list[tuple[int, int, int, int]]:
    """Cells that cover a picture, so that what is put into them becomes as large as it can.

    Args:
        size: width and height, pixels.
        count: of the cells, >= 1.

    Returns:
        `count` cells x0, y0, x1, y1, in rows; the last row may have wider ones.
    """
    width, height = size

    def scale(rows: int) -> float:
        """Of the portrait's clip in the narrowest cell."""
        return min(width / ceil(count / rows) / SIZE[0], height / rows / SIZE[1])

    rows = max(range(1, count + 1), key=scale)
    cells = []
    for row in range(rows):
        # Spread evenly: rows differ by one cell at most.
        first, last = row * count // rows, (row + 1) * count // rows
        top, bottom = row * height // rows, (row + 1) * height // rows
        columns = last - first
        cells += [
            (i * width // columns, top, (i + 1) * width // columns, bottom) for i in range(columns)
        ]
    return cells


def _placed(
    image: NDArray[np.uint8], matrix: NDArray[np.float64], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """A frame of the portrait's clip, scaled into a cell of another size."""
    (width, height), (full_width, full_height) = size, SIZE
    scale = min(width / full_width, height / full_height)
    x, y = (width - full_width * scale) / 2, (height - full_height * scale) / 2
    fit = np.array([[scale, 0, x], [0, scale, y]])
    return portrait_frame(image, fit @ np.vstack([matrix, [0, 0, 1]]), size)
