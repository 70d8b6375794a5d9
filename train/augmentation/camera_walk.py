"""A picture of a surface after the camera has walked around it.

Every pixel moves along one direction of the picture, near ones further. Of the pixels that come to
lie on one spot the nearest is seen; what lies on hidden pixels is put where the surface before them
ends.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from model.crop import Region, crop_matrix, from_crop, to_crop
from train.augmentation.head_surface import Surface

# The surface is evaluated on a grid of so many cells a side (three millimetres), and may miss its
# points by this share of the head's half width: other people's noses are not the generic one.
_CELLS = 48
_SLACK = 0.02
# Neighbours that come from further apart than this, pixels, lie on both sides of an edge.
_JUMP = 4.0


def walk_around(
    picture: NDArray[np.uint8],
    points: NDArray[np.float64],
    surface: Surface,
    angle: float,
    towards: float,
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The picture and the landmarks after the camera's walk around a surface.

    Args:
        picture: [S, S, 3].
        points: [K, 2], pixels of the picture.
        surface: of the head in it.
        angle: how far, radians, 0 to below pi / 2.
        towards: direction of the picture in which what is near moves, radians; 0 is to the right,
            positive turns x towards y.

    Returns:
        New picture and points.
    """
    side = picture.shape[0]
    centre = (side - 1) / 2
    # In these axes everything moves along rows, to the right where it is near.
    matrix = crop_matrix(Region(centre, centre, side, towards), side)
    local, places = to_crop(points, matrix), to_crop(surface.places, matrix)
    middle = to_crop(surface.middle, matrix)
    depth = _depths(places, surface, side)
    rows = _moved(depth, float(middle[0]), surface.reach, angle)
    after = local.copy()
    after[:, 0] = _sample(rows, local[None])[0]
    extent = [(np.min(xs) + np.max(xs)) / 2 for xs in (local[:, 0], after[:, 0])]
    rows += extent[0] - extent[1]
    after[:, 0] += extent[0] - extent[1]
    sources = _sources(rows)

    y, x = np.mgrid[:side, :side].astype(np.float64)
    seen = to_crop(np.stack([x, y], axis=-1), matrix)
    seen[..., 0] = _sample(sources, seen)
    maps = from_crop(seen, matrix).astype(np.float32)
    out = cv2.remap(
        picture, maps[..., 0], maps[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    out = _soften(np.asarray(out, dtype=np.uint8), maps)
    return out, from_crop(after, matrix)


def _soften(picture: NDArray[np.uint8], maps: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Blur the edges that the walk made: cameras see no stairs, and a network would learn them."""
    jumps = np.zeros(picture.shape[:2], dtype=np.uint8)
    for axis in (0, 1):
        far = np.abs(np.diff(maps, axis=axis)).max(axis=-1) > _JUMP
        jumps[tuple(slice(0, n) for n in far.shape)] |= far
    edges = cv2.dilate(jumps, np.ones((3, 3), np.uint8)) > 0
    return np.where(edges[..., None], cv2.GaussianBlur(picture, (3, 3), 0), picture)


def _depths(places: NDArray[np.float64], surface: Surface, side: int) -> NDArray[np.float64]:
    """Depth [side, side] of a smooth surface through points: the biharmonic spline of space."""
    cells = np.linspace(0, side - 1, _CELLS + 1)
    grid = np.stack(np.meshgrid(cells, cells), axis=-1).reshape(-1, 2)
    count = len(places)
    system = np.ones((count + 1, count + 1))
    system[:count, :count] = _distances(places, places) - _SLACK * surface.reach * np.eye(count)
    system[count, count] = 0
    solved = np.linalg.solve(system, np.append(surface.depths, 0.0))
    coarse = _distances(grid, places) @ solved[:count] + solved[count]
    # Behind the ears there is only background.
    coarse = np.minimum(coarse, surface.depths.max()).reshape(len(cells), len(cells))
    y, x = np.mgrid[:side, :side] * _CELLS / (side - 1)
    return _sample(coarse, np.stack([x, y], axis=-1))


def _distances(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """[N, M] of [N, 2] from [M, 2]."""
    x, y = (first[:, None, axis] - second[:, axis] for axis in (0, 1))
    return np.asarray(np.sqrt(x * x + y * y))


def _moved(
    depth: NDArray[np.float64], middle: float, reach: float, angle: float
) -> NDArray[np.float64]:
    """Where the pixels of each row go, [S, S]; hidden ones to the end of what hides them.

    Of two pixels that come to lie on one spot the left one is nearer, so a row's running maximum
    is what can be seen of it.
    """
    way = np.arange(depth.shape[1]) - middle
    head = np.clip(way, -reach, reach)
    moved = middle + way + head * (np.cos(angle) - 1) - np.sin(angle) * depth
    return np.asarray(np.maximum.accumulate(moved, axis=1))


def _sources(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse [S, S] of rows that never fall."""
    side = rows.shape[1]
    places = np.arange(side, dtype=np.float64)
    # np.interp wants rising places.
    rising = rows + 1e-4 * places
    return np.stack([np.interp(places, row, places) for row in rising])


def _sample(values: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values [S, S] at places [H, W, 2], linear; outside of them the border's."""
    maps = places.astype(np.float32)
    found = cv2.remap(
        values.astype(np.float32), maps[..., 0], maps[..., 1], cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    return np.asarray(found, dtype=np.float64)
