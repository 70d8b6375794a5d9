"""Groups of faces by their labels, and groups of landmarks: where the errors of a network lie."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.crop import CROP_SCALE, region_from_landmarks
from model.markup import AnyMarkup, Markup
from tracker.measures.head_pose import Pose, estimate_pose
from tracker.measures.intrinsics import Intrinsics
from tracker.measures.openings import eye_openings, mouth_opening
from train.data.sample import Sample

# Degrees between the groups of yaw.
YAWS = (0, 15, 30, 45)
# Mean of both eyes below which they count as closed, and above which a mouth counts as open; see
# `tracker.measures.openings`.
EYES_CLOSED = 0.16
MOUTH_OPEN = 0.2
# Focal length in face sizes: the camera of a photograph is a metre and a half away. Data sets keep
# only pieces of pictures, so their size says nothing about the camera.
_FOCAL = 8.0


def face_regions(markup: Markup) -> dict[str, NDArray[np.intp]]:
    """Landmarks of the markup's groups: of a face jaw, brows, nose, eyes, mouth and perhaps pupils.

    Returns:
        region -> indices, ascending; every landmark is in one region.
    """
    return {name: np.array(members) for name, members in markup.groups.items()}


def is_face(markup: Markup) -> bool:
    """Whether a markup's groups say where eyes and mouth are, as augmentations of faces need."""
    return {"eyes", "mouth"} <= set(markup.groups)


def region_errors(
    predicted: NDArray[np.float64], truth: NDArray[np.float64], markup: Markup
) -> dict[str, NDArray[np.float64]]:
    """Mean error of the landmarks of each region of the face.

    Args:
        predicted: [N, K, 2], pixels.
        truth: [N, K, 2], pixels.
        markup: of both.

    Returns:
        region -> [N] fractions of the markup's normalising distance; NaN where none of its
        landmarks is labelled.
    """
    errors = np.linalg.norm(predicted - truth, axis=-1) / markup.normalizer(truth)[:, None]
    return {name: _mean(errors[:, points]) for name, points in face_regions(markup).items()}


def _mean(errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """[N] of [N, K] over what is not NaN."""
    labelled = ~np.isnan(errors)
    counts = labelled.sum(axis=1)
    sums = np.sum(errors, axis=1, where=labelled)
    return np.divide(sums, counts, out=np.full(len(errors), np.nan), where=counts > 0)


def head_pose(points: NDArray[np.float64], markup: AnyMarkup) -> tuple[Pose, Intrinsics] | None:
    """Pose of a labelled head before an assumed camera.

    Args:
        points: [K, 2], pixels.
        markup: theirs, or its name.

    Returns:
        Pose and camera; None if the landmarks look like no head.
    """
    region = region_from_landmarks(points)
    focal = _FOCAL * region.size / CROP_SCALE
    camera = Intrinsics(focal, focal, region.x, region.y)
    pose = estimate_pose(points, markup, camera)
    return (pose, camera) if pose is not None else None


def yaw(points: NDArray[np.float64], markup: AnyMarkup) -> float:
    """How far a head is turned to the side, by its landmarks.

    Args:
        points: [K, 2], pixels.
        markup: theirs, or its name.

    Returns:
        Degrees, 0..90; NaN if the landmarks look like no head.
    """
    found = head_pose(points, markup)
    return abs(found[0].angles[1]) if found is not None else float("nan")


def yaw_groups(samples: Sequence[Sample]) -> dict[str, NDArray[np.bool_]]:
    """Which faces are turned how far: group -> [N]. Faces without a pose come last, if any."""
    angles = np.array([yaw(sample.points, sample.markup) for sample in samples])
    ends = (*YAWS[1:], np.inf)
    groups = {
        f"{low}+" if high == np.inf else f"{low}-{high:g}": (angles >= low) & (angles < high)
        for low, high in zip(YAWS, ends, strict=True)
    }
    unknown = np.isnan(angles)
    return {**groups, "unknown": unknown} if unknown.any() else groups


def openings(faces: Sequence[NDArray[np.float64]], markup: AnyMarkup) -> NDArray[np.float64]:
    """Mean opening of both eyes, [N], of faces [K, 2] each; see `tracker.measures.openings`."""
    return np.array([np.mean(eye_openings(face, markup)) for face in faces])


def opening_groups(samples: Sequence[Sample]) -> dict[str, NDArray[np.bool_]]:
    """Which faces have closed eyes, and which an open mouth: group -> [N]."""
    eyes = openings([sample.points for sample in samples], samples[0].markup)
    mouths = np.array([mouth_opening(s.points, s.markup) for s in samples])
    closed, open_mouth = eyes < EYES_CLOSED, mouths > MOUTH_OPEN
    return {
        "eyes open": ~closed,
        "eyes closed": closed,
        "mouth closed": ~open_mouth,
        "mouth open": open_mouth,
    }
