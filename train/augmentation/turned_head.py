"""Heads turned further: data sets hold few profiles, and drivers look over their shoulders.

The camera walks around the head. Depth comes from the generic 3D face in the pose that the labels
show; every pixel then moves along one direction of the picture, near ones further. What slides
behind something nearer disappears, and a landmark there is put where the surface in front of it
ends, as people label it. What no picture shows, the back of the near cheek, is stretched skin.

After Zhu et al., "Face Alignment Across Large Poses: A 3D Solution", CVPR 2016, who turn a fitted
mesh; a surface through the landmarks needs none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.crop import warp_image
from model.markup import AnyMarkup
from model.shipped_markups import get_markup
from train.augmentation.camera_walk import walk_around
from train.augmentation.face_contour import respaced
from train.augmentation.head_surface import head_surface
from train.data.label_groups import head_pose

# Degrees. Less than the first changes little; more than the last stretches a few pixels of cheek
# over half of the view.
_TURN = (10.0, 45.0)
# Heads turn further to the side than a camera looks at them from above or below.
_NOD = (5.0, 20.0)
_NODS = 0.2
# No further than this in all, degrees: beyond it the eye that is left is seen from the side.
MOST = 75.0
# Heads turned further than this, degrees, are turned on, not back: their far side is not there.
_TURNED = 8.0
# What the walk brings into a crop from beside it, in sides of the crop.
_MARGIN = 0.25


@dataclass(frozen=True)
class Turn:
    """How a head is turned further.

    Attributes:
        degrees: signed like the pose's yaw, or its pitch.
        nod: the pitch.
    """

    degrees: float
    nod: bool = False


def random_turn(
    points: NDArray[np.float64], markup: AnyMarkup, rng: np.random.Generator
) -> Turn | None:
    """A turn by chance, mostly to the side, and on if the head is turned already.

    Args:
        points: [K, 2], pixels.
        markup: of the points.
        rng: source of chance.

    Returns:
        The turn; None if the points look like no head, or one that is turned far already.
    """
    nod, share, side = rng.random() < _NODS, rng.random(), 1 if rng.random() < 0.5 else -1
    found = head_pose(points, markup)
    if found is None:  # no head, or the markup does not say what is where
        return None
    pitch, yaw, _ = found[0].angles
    now = pitch if nod else yaw
    low, high = _NOD if nod else _TURN
    if abs(now) > _TURNED:
        side = 1 if now > 0 else -1
    degrees = low + share * (min(high, MOST - side * now) - low)
    return Turn(side * degrees, nod) if degrees >= low else None


def turned_crop(
    image: NDArray[np.uint8],
    matrix: NDArray[np.float64],
    size: int,
    points: NDArray[np.float64],
    *,
    markup: AnyMarkup,
    turn: Turn,
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """A crop of a head that is turned further than in its picture.

    Args:
        image: [H, W, 3] the picture.
        matrix: [2, 3], from its pixels to the crop's.
        size: side of the crop, pixels.
        points: [K, 2], pixels of the crop.
        markup: of the points.
        turn: how.

    Returns:
        [size, size, 3] and its points; see `turn_head`.
    """
    margin = round(_MARGIN * size)
    wide = matrix.copy()
    wide[:, 2] += margin
    picture = warp_image(image, wide, size + 2 * margin)
    turned, after = turn_head(picture, points + margin, markup, turn)
    inner = slice(margin, margin + size)
    return np.ascontiguousarray(turned[inner, inner]), after - margin


def turn_head(
    picture: NDArray[np.uint8], points: NDArray[np.float64], markup: AnyMarkup, turn: Turn
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Turn a head.

    Args:
        picture: [S, S, 3] with the head and something around it.
        points: [K, 2], pixels of the picture.
        markup: of the points.
        turn: how.

    Returns:
        Picture and points; the middle of the points' extent along the turn stays where it was. The
        ones given where the points look like no head.
    """
    found = head_pose(points, markup)
    if found is None:
        return picture, points
    side = 1 if turn.degrees > 0 else -1
    surface = head_surface(points, markup, *found, near=0 if turn.nod else side)
    # A head that looks down moves its nose down; one with yaw > 0, to the left of the picture.
    way = side * np.pi / 2 if turn.nod else (np.pi if side > 0 else 0.0)
    angle = float(np.deg2rad(abs(turn.degrees)))
    turned, after = walk_around(picture, points, surface, angle, surface.roll + way)
    return turned, respaced(after, points, get_markup(markup))
