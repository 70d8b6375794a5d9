"""Where else to look for faces: the picture turned, and its parts one by one."""

from __future__ import annotations

from dataclasses import replace
from math import ceil, pi

import numpy as np
from numpy.typing import NDArray

from model.crop import Region
from tracker.detection.view import whole_view

# The networks find faces that are rolled by less than 45 degrees: four turns see all of them.
# Upside down first: a camera mounted the wrong way round is the commonest reason.
_TURNS = (pi, pi / 2, -pi / 2)
# Sides of tiles, pixels: this, twice it and so on, as long as they are smaller than this share of
# the picture's long side. Faces of 12 pixels are found in the smallest; fewer pixels show no
# landmarks.
_SMALLEST_TILE = 256
_LARGEST_SHARE = 0.75
# Nor so small that the picture has more of them: 4K has 180, a second of searching on one core.
_MOST_TILES = 256
# Of a tile's side: what neighbours share, so that a face at the border is whole in one of them.
# Larger faces are whole in the tiles twice as large, which see them from an 18th of their side on.
_SHARED = 1 / 6


def turned_views(image: NDArray[np.uint8]) -> list[Region]:
    """The whole picture, turned so that faces stand upright that are upside down or lie.

    Args:
        image: [H, W, 3].
    """
    return [replace(whole_view(image), angle=angle) for angle in _TURNS]


def tile_sides(width: int, height: int) -> list[int]:
    """Sides of the tiles for a picture, pixels, largest first."""
    sides: list[int] = []
    side = _SMALLEST_TILE
    while len(_middles(width, side)) * len(_middles(height, side)) > _MOST_TILES:
        side *= 2
    while side < _LARGEST_SHARE * max(width, height):
        sides.insert(0, side)
        side *= 2
    return sides


def tiles(width: int, height: int, side: int) -> list[Region]:
    """Squares that overlap and together cover a picture, row by row.

    Args:
        width: of the picture, pixels.
        height: the same.
        side: of a tile, pixels.
    """
    return [Region(x, y, side) for y in _middles(height, side) for x in _middles(width, side)]


def _middles(length: int, side: int) -> list[float]:
    """Where the tiles lie along one side of the picture; in the middle if one is enough."""
    if length <= side:
        return [(length - 1) / 2]
    count = ceil((length - side * _SHARED) / (side * (1 - _SHARED)))
    return [float(x) for x in np.linspace(side / 2, length - side / 2, count) - 0.5]
