"""One box for the many that a network gives a face."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Boxes that overlap more than this are one face: MediaPipe's own setting for its face detectors.
OVERLAP = 0.3


def overlaps(box: NDArray[np.floating], others: NDArray[np.floating]) -> NDArray[np.float64]:
    """Intersection over union of a box with others.

    Args:
        box: [4] x0, y0, x1, y1.
        others: [N, 4].

    Returns:
        [N], 0..1; 0 where both are empty.
    """
    shared = _shared(box, others)
    union = _area(box) + _area(others) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def nested(box: NDArray[np.floating], others: NDArray[np.floating]) -> NDArray[np.float64]:
    """Intersection of a box with others over the smaller one of both; as `overlaps`."""
    shared = _shared(box, others)
    smaller = np.minimum(_area(box), _area(others))
    return np.divide(shared, smaller, out=np.zeros_like(shared), where=smaller > 0)


def merge_weighted(
    boxes: NDArray[np.float32], points: NDArray[np.float32], scores: NDArray[np.float64]
) -> list[tuple[NDArray[np.float64], NDArray[np.float64], float]]:
    """Merge the boxes of each face, as MediaPipe's weighted non-maximum suppression does.

    The best box takes all that overlap it and are not taken yet; box and points become the means of
    theirs, weighted by score.

    Args:
        boxes: [N, 4] x0, y0, x1, y1.
        points: [N, P, 2].
        scores: [N].

    Returns:
        Box [4], points [P, 2] and the best box's score for each face, best face first.
    """
    left = np.argsort(-scores, kind="stable")
    faces = []
    while len(left):
        best = left[0]
        same = overlaps(boxes[best], boxes[left]) > OVERLAP
        same[0] = True  # a box without an area overlaps nothing, not even itself
        taken, left = left[same], left[~same]
        weights = scores[taken] / scores[taken].sum()
        box = weights @ boxes[taken]
        middle = np.tensordot(weights, points[taken].astype(np.float64), axes=1)
        faces.append((box, middle, float(scores[best])))
    return faces


def _area(boxes: NDArray[np.floating]) -> NDArray[np.float64]:
    sides = np.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    return np.asarray(sides[..., 0] * sides[..., 1], dtype=np.float64)


def _shared(box: NDArray[np.floating], others: NDArray[np.floating]) -> NDArray[np.float64]:
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    return _area(np.concatenate([low, high], axis=1))
