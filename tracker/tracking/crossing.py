"""Faces that cross: which track may keep a face, where one person hides another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from model.crop import CROP_SCALE, Region
from tracker.tracking.face_track import Track
from tracker.tracking.landmark_network import Measurement
from tracker.tracking.recognition import distance

# Landmarks of two tracks closer than this, on average and in faces, are of one face: the network
# answers alike for crops of one face (a few hundredths), and two real faces cannot be this close.
SAME_LANDMARKS = 0.1
# How far landmarks can lie from where the face was expected, in faces, without doubt about whose
# they are, while another face is near. Heads beside each other move on as they went, by hundredths;
# the points of one that is being hidden slip to the face in front, by a quarter or more, within
# one to three frames.
_SLIP = 0.15
# Faces nearer than this, in faces, can be taken for each other.
_BESIDE = 1.0
# A face that was in sight has this much more right, in correlation, than one that was not.
_IN_SIGHT = 0.2
Claim = tuple[Track, Measurement]


def is_alone(face: Measurement, faces: Iterable[Measurement]) -> bool:
    """Whether none of the faces, this one left out, is so near that one can hide the other."""
    others = (other for other in faces if other is not face)
    return all(distance(face.next_region, other.next_region) >= _BESIDE for other in others)


def slipped(claims: Sequence[Claim]) -> NDArray[np.bool_]:
    """Which tracks may have slipped from their face to one beside it.

    Args:
        claims: tracks with what they see now.

    Returns:
        [len(claims)], True where the landmarks are off their expected place towards another claim.
    """
    doubtful = np.zeros(len(claims), dtype=bool)
    for i, (track, seen) in enumerate(claims):
        # A face alone, nearly always, has nowhere to slip to.
        if len(claims) == 1 or _slip(track, seen) < _SLIP:
            continue
        for k, (_, other) in enumerate(claims):
            after = distance(seen.next_region, other.next_region)
            if k != i and after < min(_BESIDE, distance(seen.region, other.next_region)):
                doubtful[i] = True
    return doubtful


def rightful(claims: Sequence[Claim]) -> NDArray[np.bool_]:
    """Who may keep a face, where several tracks see the same one.

    When one face hides another, both tracks end on the face in front. It belongs to the track that
    looks like it and that was expected there; a tie goes to the older track.

    Args:
        claims: tracks with what they see now, oldest first.

    Returns:
        [len(claims)], False for a track that sees another one's face.
    """
    if len(claims) < 2:
        return np.ones(len(claims), dtype=bool)
    fit = np.array([_fit(track, seen) for track, seen in claims])
    # To a tenth: differences below are noise, and age decides.
    order = [int(i) for i in np.argsort(-np.round(10 * fit), kind="stable")]
    ranked = [claims[i][1] for i in order]
    losers = repeated(ranked)
    keep = np.ones(len(claims), dtype=bool)
    keep[[order[i] for i in losers]] = False
    return keep


def _fit(track: Track, seen: Measurement) -> float:
    alike = float(track.look @ seen.look)
    return alike - _slip(track, seen) - _IN_SIGHT * track.lost


def _slip(track: Track, seen: Measurement) -> float:
    """Mean distance of landmarks from where they were expected, in faces."""
    before, expected = track.seen.next_region, seen.region
    moved = np.array([expected.x - before.x, expected.y - before.y])
    off = np.linalg.norm(seen.landmarks - track.seen.landmarks - moved, axis=-1)
    return float(off.mean()) * CROP_SCALE / before.size


def repeated(faces: Sequence[Measurement]) -> list[int]:
    """Indices of measurements that show the same face as an earlier one."""
    return duplicates([m.landmarks for m in faces], [m.region for m in faces])


def duplicates(landmarks: Sequence[NDArray[np.floating]], regions: Sequence[Region]) -> list[int]:
    """Tracks that follow the same face as an earlier one.

    Args:
        landmarks: of N tracks, [K, 2] each, in order of precedence.
        regions: of the same tracks.

    Returns:
        Indices of those to drop, ascending.
    """
    if len(landmarks) < 2:
        return []
    sizes = np.array([region.size for region in regions]) / CROP_SCALE
    least = SAME_LANDMARKS * np.maximum(sizes[:, None], sizes)
    # The middles of two faces are no further apart than their landmarks are on average: in a crowd
    # few pairs are left to look at.
    middles = np.array([points.mean(axis=0) for points in landmarks])
    near = np.linalg.norm(middles[:, None] - middles, axis=-1) < least
    dropped: list[int] = []
    for late in range(len(landmarks)):
        for early in np.flatnonzero(near[late, :late]).tolist():
            if early in dropped:
                continue
            apart = np.linalg.norm(landmarks[late] - landmarks[early], axis=-1).mean()
            if apart < least[late, early]:
                dropped.append(late)
                break
    return dropped
