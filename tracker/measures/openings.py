"""What landmarks say about a face by simple geometry: eyes, mouth, size.

All ratios are free of the face's size and roll. Turning the head shortens widths but not heights:
the ratios grow by 1 / cos(yaw), 15 % at 30 degrees.
"""

from __future__ import annotations

from math import nan

import numpy as np
from numpy.typing import NDArray

from model.markup import AnyMarkup, Slit
from model.shipped_markups import get_markup
from tracker.measures.generic_face import face_model


def eye_openings(landmarks: NDArray[np.floating], markup: AnyMarkup) -> tuple[float, float]:
    """How far each eye is open: mean distance of its lids over the width of the eye.

    About 0.3 for an open eye, 0.1 for a closed one (lids have a thickness). With iBUG's two pairs
    of lid points this is the eye aspect ratio of Soukupova and Cech (2016); WFLW has three, COFW
    one.

    Args:
        landmarks: [K, 2], pixels.
        markup: theirs, or its name.

    Returns:
        The left and the right eye of the picture (the person's right and left one), each >= 0; NaN
        where the markup has no eyes.
    """
    eyes = get_markup(markup).roles.eyes
    if eyes is None:
        return nan, nan
    left, right = eyes
    return _ratio(landmarks, left), _ratio(landmarks, right)


def straight_opening(
    landmarks: NDArray[np.floating], markup: AnyMarkup, rotation: NDArray[np.float64]
) -> float:
    """How far the eyes are open, as seen from the front: what does not change as a head turns.

    Each eye's ratio is taken back by what turning the generic 3D face does to it. The eye on the
    far side is narrow and its ratio uncertain, so the eyes count by the square of how wide they are
    seen.

    Args:
        landmarks: [K, 2], pixels.
        markup: theirs, or its name.
        rotation: [3, 3], from the head's axes to the camera's
            (`tracker.measures.head_pose.Pose.matrix`).

    Returns:
        Like the mean of `eye_openings` of a head that faces the camera, >= 0; NaN where the markup
        has no eyes.
    """
    face = face_model(markup).points
    ratios, weights = np.array(eye_openings(landmarks, markup)), np.zeros(2)
    for number, eye in enumerate(get_markup(markup).roles.eyes or ()):
        across = face[eye.corners[1]] - face[eye.corners[0]]
        size = float(np.linalg.norm(across[:2]))
        # Lids move up and down, however far the generic ones are open.
        up = np.array([0.0, size, 0.0])
        wide, high = (float(np.linalg.norm((rotation @ way)[:2])) for way in (across, up))
        ratios[number] *= wide / max(high, 1e-6)
        weights[number] = (wide / size) ** 2
    return float(ratios @ weights / max(weights.sum(), 1e-9))


def mouth_opening(landmarks: NDArray[np.floating], markup: AnyMarkup) -> float:
    """How far the mouth is open: mean distance of the inner lips over the width between corners.

    About 0 for a closed mouth, 0.3 in speech, 1 for a wide open one; >= 0. COFW has one pair of
    lip points and the outer corners.

    Args:
        landmarks: [K, 2], pixels.
        markup: theirs, or its name. NaN where it has no mouth.
    """
    mouth = get_markup(markup).roles.mouth
    return nan if mouth is None else _ratio(landmarks, mouth)


def interocular(landmarks: NDArray[np.floating], markup: AnyMarkup) -> float:
    """Distance of the outer eye corners in pixels: how large the face is; NaN without eyes."""
    eyes = get_markup(markup).roles.eyes
    if eyes is None:
        return nan
    left, right = (landmarks[corner] for corner in (eyes[0].corners[0], eyes[1].corners[1]))
    return float(np.linalg.norm(right - left))


def _ratio(landmarks: NDArray[np.floating], slit: Slit) -> float:
    points = np.asarray(landmarks, dtype=np.float64)
    upper, lower = (points[[pair[i] for pair in slit.pairs]] for i in (0, 1))
    height = np.linalg.norm(upper - lower, axis=1).mean()
    width = np.linalg.norm(points[slit.corners[0]] - points[slit.corners[1]])
    # Corners in one spot: seen from the side, or no face at all; then nothing is known.
    return float(height / width) if width > 0 else 0.0
