"""Eyes warped shut: data sets hold few closed eyes, and a tracker is watched for blinks.

Skin between brow and upper lid is stretched down over the eye and covers it; the eyeball stays.
Landmarks move with the lids.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from model.markup import AnyMarkup, Slit
from model.shipped_markups import get_markup

# The upper lid's part of the way: it falls, the lower one hardly rises.
_UPPER = 0.9
# How far skin gives way above the upper and below the lower lid, in widths of the eye: up to the
# brow, and a fold below.
_ABOVE, _BELOW = 0.6, 0.35
# Lids have a thickness: distance of the lines of closed ones over the eye's width, as labelled.
_CLOSED = 0.06
# Smaller eyes, in pixels of the crop, are seen from the side or too coarse to warp.
_MIN_WIDTH = 5.0
# Of blinks, those of one eye, and those that close it wholly: what lies between takes two frames.
_WINKS, _WHOLE = 0.2, 0.5
# A covered pupil is labelled beside the upper lid, this far down the slit.
_COVERED = 0.35


def random_blink(
    crop: NDArray[np.uint8],
    points: NDArray[np.float64],
    markup: AnyMarkup,
    rng: np.random.Generator,
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Close both eyes, or one, by a random share.

    Args:
        crop: [S, S, 3].
        points: [K, 2], pixels of the crop.
        markup: of the points.
        rng: source of chance.

    Returns:
        Crop and points; the ones given where the eyes are closed already or too small.
    """
    share = 1.0 if rng.random() < _WHOLE else float(rng.uniform(0.2, 1.0))
    only = int(rng.integers(2)) if rng.random() < _WINKS else None
    for number, eye in enumerate(get_markup(markup).roles.eyes or ()):
        if only in (None, number):
            crop, points = close_eye(crop, points, eye, share)
    return crop, points


def close_eye(
    crop: NDArray[np.uint8], points: NDArray[np.float64], eye: Slit, share: float
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Close one eye.

    Args:
        crop: [S, S, 3].
        points: [K, 2], pixels of the crop.
        eye: its landmarks.
        share: of its opening, 0 (as it is) to 1 (closed).

    Returns:
        New crop and points; the ones given where it is closed already or too small.
    """
    lids = _lids(points, eye, share)
    if lids is None:
        return crop, points
    return _warp(crop, lids), lids.out(_move(lids.into(points), lids))


@dataclass(frozen=True, eq=False)
class _Lids:
    """An eye in its own axes: u from the left corner (of the picture) to the right, v down.

    Attributes:
        start: [2] the left corner, pixels of the crop.
        axes: [2, 2] rows are the unit vectors of u and v.
        width: between the corners, pixels.
        upper: [2, n] u and v of the upper lid from corner to corner.
        lower: the same of the lower lid.
        way: share of the gap between the lids that they close.
    """

    start: NDArray[np.float64]
    axes: NDArray[np.float64]
    width: float
    upper: NDArray[np.float64]
    lower: NDArray[np.float64]
    way: float

    def into(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Pixels of the crop [..., 2] to the eye's axes."""
        return np.asarray((points - self.start) @ self.axes.T)

    def out(self, local: NDArray[np.float64]) -> NDArray[np.float64]:
        """Inverse of `into`."""
        return np.asarray(local @ self.axes + self.start)

    def heights(self, u: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Heights v at places u: end of the warp, upper lid, lower lid, other end.

        Returns:
            [4, ...] before and after; beside the eye the lids are one line, which does not move.
        """
        upper, lower = np.interp(u, *self.upper), np.interp(u, *self.lower)
        gap = np.maximum(lower - upper, 0)
        ends = upper - _ABOVE * self.width, upper + gap + _BELOW * self.width
        after = upper + _UPPER * self.way * gap, upper + gap - (1 - _UPPER) * self.way * gap
        return np.stack([ends[0], upper, upper + gap, ends[1]]), np.stack(
            [ends[0], *after, ends[1]]
        )


def _lids(points: NDArray[np.float64], eye: Slit, share: float) -> _Lids | None:
    """The eye's lids; None where it is closed already, too small or too crooked to warp."""
    start, end = points[list(eye.corners)]
    width = float(np.linalg.norm(end - start))
    if width < _MIN_WIDTH:
        return None
    x, y = (end - start) / width
    axes = np.array([[x, y], [-y, x]])
    ends = np.array([[0.0, 0.0], [width, 0.0]])
    lids = []
    for side in (0, 1):
        inner = (points[[pair[side] for pair in eye.pairs]] - start) @ axes.T
        lids.append(np.vstack([ends[:1], inner, ends[1:]]).T)
        # np.interp wants rising places.
        if (np.diff(lids[-1][0]) <= 0).any():
            return None
    opening = float(np.mean(lids[1][1, 1:-1] - lids[0][1, 1:-1]))
    way = share * (1 - _CLOSED * width / opening) if opening > 0 else 0.0
    return _Lids(start, axes, width, lids[0], lids[1], way) if way > 0 else None


def _move(local: NDArray[np.float64], lids: _Lids) -> NDArray[np.float64]:
    """Landmarks [K, 2] after the warp; a pupil stays until a lid reaches it."""
    before, after = lids.heights(local[:, 0])
    v, moved = local[:, 1], local.copy()
    top, upper, lower, bottom = before
    # Lids are labelled along their lines; a hair above or below is theirs as well.
    skin = (v > top) & (v <= upper + 1e-6), (v >= lower - 1e-6) & (v < bottom)
    ball = (v > upper + 1e-6) & (v < lower - 1e-6)
    gap, left = np.maximum(lower - upper, 1e-9), after[2] - after[1]
    place = np.minimum((v - upper) / gap, _COVERED)
    moved[:, 1] = np.select(
        [ball, skin[0], skin[1]],
        [
            np.clip(v, after[1] + place * left, after[2]),
            _rescale(v, (top, upper), (top, after[1])),
            _rescale(v, (lower, bottom), (after[2], bottom)),
        ],
        v,
    )
    return moved


def _warp(crop: NDArray[np.uint8], lids: _Lids) -> NDArray[np.uint8]:
    """The crop [S, S, 3] after the warp."""
    reach = lids.width * np.array([[u, v] for u in (0.0, 1.0) for v in (-1.2, 1.2)])
    corners = lids.out(reach)
    low = np.clip(np.floor(corners.min(axis=0)), 0, crop.shape[0]).astype(int)
    high = np.clip(np.ceil(corners.max(axis=0)) + 1, 0, crop.shape[0]).astype(int)
    if (high <= low).any():
        return crop
    y, x = np.mgrid[low[1] : high[1], low[0] : high[0]].astype(np.float64)
    local = lids.into(np.stack([x, y], axis=-1))
    before, after = lids.heights(local[..., 0])
    v = local[..., 1]
    top, upper, lower, bottom = after
    # Where closed lids meet there is a dark line of lashes, not a rim of eyeball.
    seen = v if lids.width * _CLOSED < 0.5 * (lower - upper).max() else before[1]
    local[..., 1] = np.select(
        [(v > top) & (v <= upper), (v > upper) & (v < lower), (v >= lower) & (v < bottom)],
        [
            _rescale(v, (top, upper), (top, before[1])),
            seen,
            _rescale(v, (lower, bottom), (before[2], bottom)),
        ],
        v,
    )
    source = lids.out(local).astype(np.float32)
    out = crop.copy()
    out[low[1] : high[1], low[0] : high[0]] = cv2.remap(
        crop, source[..., 0], source[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return out


def _rescale(
    v: NDArray[np.float64],
    first: tuple[NDArray[np.float64], NDArray[np.float64]],
    second: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Map heights from one stretch to another, all of the same shape."""
    share = (v - first[0]) / (first[1] - first[0])
    return np.asarray(second[0] + share * (second[1] - second[0]))
