"""Who is who: which known face a face is that was found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.crop import CROP_SCALE, Region
from tracker.tracking.face_track import Track
from tracker.tracking.landmark_network import Measurement

# Regions this alike can be the same face: a face that moved by 0.7 of its own size since it was
# last seen is still found again (a detector's scatter is 4 %), and two heads side by side that
# touch (their centres 1 face and a little more apart) are not confused.
SAME_FACE = 0.35


def likeness(first: Sequence[Region], second: Sequence[Region]) -> NDArray[np.float64]:
    """How much regions are alike in place and size.

    The mean of the intersection over union of their upright squares and of one minus the distance
    of their centres over their mean side. The overlap alone is 0 for all regions that do not
    touch, and falls fast for those that do. Roll is left out: a face that turns stays that face.

    Args:
        first: A regions.
        second: B regions.

    Returns:
        [A, B]; 1 for equal regions, 0 or less for far ones.
    """
    one, two = _rows(first)[:, None], _rows(second)[None, :]
    half = (one[..., 2] + two[..., 2]) / 2
    apart = one[..., :2] - two[..., :2]
    # Overlap per axis: limited by the smaller square, zero when apart.
    smaller = np.minimum(one[..., 2], two[..., 2])
    shared = np.clip(half[..., None] - np.abs(apart), 0, smaller[..., None]).prod(axis=-1)
    union = one[..., 2] ** 2 + two[..., 2] ** 2 - shared
    closeness = 1 - np.linalg.norm(apart, axis=-1) / half
    return np.asarray((shared / union + closeness) / 2, dtype=np.float64)


def match(scores: NDArray[np.float64], minimum: float = SAME_FACE) -> list[tuple[int, int]]:
    """One-to-one assignment with the largest sum of scores over a minimum.

    Args:
        scores: [A, B], how well row a and column b go together.
        minimum: pairs under it are never made; those over it count with what they exceed it by.

    Returns:
        Pairs (a, b), each a and each b at most once, sorted.
    """
    gain = np.clip(np.asarray(scores, dtype=np.float64) - minimum, 0, None)
    if not gain.size:
        return []
    if gain.shape[0] > gain.shape[1]:
        pairs = [(a, b) for b, a in enumerate(_hungarian(-gain.T))]
    else:
        pairs = list(enumerate(_hungarian(-gain)))
    return sorted((a, b) for a, b in pairs if gain[a, b] > 0)


def _hungarian(cost: NDArray[np.float64]) -> list[int]:
    """Column of every row in the assignment of least cost; [R, C] with R <= C, O(R² C).

    Shortest augmenting paths with potentials (Jonker and Volgenant, Computing 1987). Not scipy's
    `linear_sum_assignment`, which the tests hold it to: scipy would be 143 MB of the installation
    and a second of every start, for matrices of a few faces (4 x 4: 0.25 ms here).
    """
    if len(cost) == 1:  # one face, nearly always
        return [int(cost[0].argmin())]
    rows, columns = cost.shape
    row_potential, column_potential = np.zeros(rows), np.zeros(columns)
    owner = np.full(columns, -1)  # row that holds a column
    for row in range(rows):
        # Dijkstra over columns, from `row` to the nearest free one.
        distance = np.full(columns, np.inf)
        previous = np.full(columns, -1)
        done = np.zeros(columns, dtype=bool)
        here, column, path = row, -1, 0.0
        while here >= 0:
            reduced = path + cost[here] - row_potential[here] - column_potential
            better = ~done & (reduced < distance)
            distance[better], previous[better] = reduced[better], column
            column = int(np.where(done, np.inf, distance).argmin())
            path = float(distance[column])
            done[column] = True
            here = int(owner[column])
        # Potentials of all rows and columns on the way keep the reduced costs positive.
        passed = done & (owner >= 0)
        row_potential[row] += path
        row_potential[owner[passed]] += path - distance[passed]
        column_potential[done] += distance[done] - path
        while column >= 0:
            before = int(previous[column])
            owner[column] = owner[before] if before >= 0 else row
            column = before
    answer = [0] * rows
    for column, holder in enumerate(owner):
        if holder >= 0:
            answer[holder] = column
    return answer


def _rows(regions: Sequence[Region]) -> NDArray[np.float64]:
    """Regions as [N, 3] rows x, y, side."""
    rows = [(region.x, region.y, region.size) for region in regions]
    return np.array(rows, dtype=np.float64).reshape(-1, 3)


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
# A face that fits two lost ones, to within this, gets a new id: nobody gets another person's.
_CLEAR = 0.05
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
        Index into `found` -> the track whose face it is; every track at most once, and none where
        two come into question.
    """
    table = [[_resemblance(t, m, timestamp) for m in found] for t in lost]
    scores = np.array(table, dtype=np.float64).reshape(len(lost), len(found))
    pairs = match(scores, SAME_LOOK)
    return {column: lost[row] for row, column in pairs if not _doubtful(scores, row, column)}


def _doubtful(scores: NDArray[np.float64], row: int, column: int) -> bool:
    """Whether a face fits another track as well, or a track another face."""
    others = [*np.delete(scores[:, column], row), *np.delete(scores[row], column)]
    return max(others, default=0.0) > scores[row, column] - _CLEAR


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
