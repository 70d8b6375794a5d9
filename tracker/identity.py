"""Who is who: which known face a face is that was found, or that two tracks claim."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.crop import CROP_SCALE, Region
from tracker.assign import duplicates, match
from tracker.measure import Measurement
from tracker.track import Track

# How far a face can be from where it was lost, in faces: at once, as tracks move between frames,
# and for every second that it was out of sight.
_REACH, _REACH_PER_SECOND = 0.8, 2.0
# A face turns and comes nearer, but not by more than this factor in a couple of seconds.
_SIZES = 1.8
# Correlation of appearances over which two faces can be one. On the 13 clips a face correlates by
# 0.65 or more with itself a second later (95 %), two persons by 0.38 (median) to 0.75 (95 %); the
# rest is for place and size to tell.
SAME_LOOK = 0.6
# Added to the correlation of a face that vanished this moment, fading over as many seconds: it
# comes back half hidden (0.60 with itself in a crossing), and nobody else is likely there so soon.
# Likewise later, where it vanished, fading over so many faces: what hid it uncovers it bit by bit
# (0.51 when a third is still covered, with the landmarks a quarter of a face off).
_EXPECTED, _EXPECTED_SECONDS, _EXPECTED_PLACE = 0.15, 1.0, 1.0
# Correlation under which what is seen is most likely not the face that was there: a face and itself
# a moment later correlate by over 0.45 (99 %), a face and the background beside it by -0.1 to 0.2.
OTHER_LOOK = 0.3


def recognise(
    lost: Sequence[Track], found: Sequence[Measurement], timestamp: float
) -> dict[int, Track]:
    """Which lost faces were found again: those that look alike, within the way they can have gone.

    Args:
        lost: tracks out of sight.
        found: faces that no track follows.
        timestamp: of the frame, seconds.

    Returns:
        Index into `found` -> the track whose face it is; every track at most once.
    """
    scores = np.array([[_resemblance(t, m, timestamp) for m in found] for t in lost])
    pairs = match(scores.reshape(len(lost), len(found)), SAME_LOOK)
    return {column: lost[row] for row, column in pairs}


def _resemblance(track: Track, face: Measurement, timestamp: float) -> float:
    """How much a face is that of a track, to be compared with `SAME_LOOK`; 0 if it cannot be."""
    away = distance(track.seen.next_region, face.next_region)
    hidden = max(timestamp - track.seen_at, 0.0)
    reach = _REACH + _REACH_PER_SECOND * hidden
    sizes = face.next_region.size / track.seen.next_region.size
    if away > reach or not 1 / _SIZES < sizes < _SIZES:
        return 0.0
    expected = _EXPECTED * max(1 - hidden / _EXPECTED_SECONDS, 1 - away / _EXPECTED_PLACE, 0.0)
    # Of two that look alike, the nearer one.
    return (float(track.look @ face.look) + expected) * (1 - 0.1 * away / reach)


def distance(one: Region, other: Region) -> float:
    """Distance of two regions' centres, in faces (of their mean size)."""
    apart = float(np.hypot(one.x - other.x, one.y - other.y))
    return apart * CROP_SCALE * 2 / (one.size + other.size)


def rightful(claims: Sequence[tuple[Track, Measurement]]) -> NDArray[np.bool_]:
    """Who may keep a face, where several tracks see the same one.

    When one face hides another, both tracks end on the face in front. It belongs to the track that
    looks like it; a tie goes to the older track.

    Args:
        claims: tracks with what they see now, oldest first.

    Returns:
        [len(claims)], False for a track that sees another one's face.
    """
    fit = np.array([float(track.look @ seen.look) for track, seen in claims])
    # To a tenth: differences below are noise, and age decides.
    order = [int(i) for i in np.argsort(-np.round(10 * fit), kind="stable")]
    ranked = [claims[i][1] for i in order]
    losers = repeated(ranked)
    keep = np.ones(len(claims), dtype=bool)
    keep[[order[i] for i in losers]] = False
    return keep


def repeated(faces: Sequence[Measurement]) -> list[int]:
    """Indices of measurements that show the same face as an earlier one."""
    return duplicates([m.landmarks for m in faces], [m.region for m in faces])
