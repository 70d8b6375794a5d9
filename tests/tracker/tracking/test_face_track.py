from dataclasses import replace

import numpy as np
import pytest

from model.crop import Region, region_from_landmarks
from model.shipped_markups import WFLW
from tests.support.steadiers import steadier
from tracker.tracking.face_parts import parts
from tracker.tracking.face_track import Track
from tracker.tracking.landmark_network import Measurement, plausible
from tracker.tracking.smoothing import SMOOTHING, FaceFilter

POINTS = np.random.default_rng(0).uniform(100, 300, (98, 2))
LOOK = np.array([0.8, -0.2, -0.6], dtype=np.float32) / np.float32(np.sqrt(1.04))
LOWER = np.array([0.0, 3.0])
IMAGE = np.zeros((480, 640, 3), dtype=np.uint8)


def seen(shift: float = 0.0, sure: float = 0.9) -> Measurement:
    points = POINTS + shift
    return Measurement(
        landmarks=points,
        scores=np.full(98, sure, dtype=np.float32),
        confidence=sure,
        region=Region(200 + shift, 200, 250),
        next_region=region_from_landmarks(points, 0.1),
        look=LOOK,
    )


def smoother(name: str = "stable") -> FaceFilter:
    options = SMOOTHING[name]
    assert options
    return FaceFilter(options, parts(WFLW))


def test_a_track_smooths_what_it_sees_and_keeps_the_raw_points() -> None:
    track, reference = Track(3, steadier("stable"), seen(), 0.0), smoother()
    reference(POINTS, 0.0)
    for i in range(1, 5):
        track.see(seen(4.0 * i), i / 30)
        expected = reference(POINTS + 4.0 * i, i / 30)
        face = track.face()
        assert face.id == 3
        np.testing.assert_allclose(face.landmarks, expected, rtol=1e-6)
        np.testing.assert_allclose(face.raw, POINTS + 4.0 * i, rtol=1e-6)
        assert face.confidence == 0.9


def test_the_region_goes_on_with_the_face_for_a_while() -> None:
    track = Track(0, steadier("off"), seen(), 0.0)
    here = track.expect(1 / 30)
    expected = region_from_landmarks(POINTS, 0.1)  # nothing is known of its motion
    np.testing.assert_allclose([*vars(here).values()], [*vars(expected).values()])
    track.see(seen(20.0), 0.05)  # 400 px/s in x and y
    last = track.expect(0.05)
    assert abs(last.x - region_from_landmarks(POINTS + 20.0, 0.1).x) < 0.01 * last.size
    ahead = [track.expect(0.05 + time) for time in (0.05, 0.1, 0.5, 5.0)]
    assert all(r.size == last.size and r.angle == last.angle for r in ahead)
    ways = [np.hypot(r.x - last.x, r.y - last.y) for r in ahead]
    speed, room = np.hypot(400, 400), 0.04 * last.size
    damped = [speed * 0.15 * (1 - np.exp(-t / 0.15)) - room for t in (0.05, 0.1, 0.5, 5.0)]
    np.testing.assert_allclose(ways, damped, rtol=1e-9)
    assert ways[0] > 0.4 * 20 * np.sqrt(2)  # of one more such frame
    # Small motions are within the room that a crop has.
    track.see(seen(21.0), 0.1)
    assert track.expect(0.15) == track.expect(0.1)


@pytest.mark.parametrize("name", ["off", "balanced", "stable"])
def test_where_to_look_is_moved_as_balanced_smoothing_moves_the_landmarks(name: str) -> None:
    track, reference = Track(0, steadier(name), seen(), 0.0), smoother("balanced")
    reference(POINTS, 0.0)
    noise = np.random.default_rng(1).normal(0, 1.5, (20, 98, 2))
    regions: list[Region] = []
    for i, off in enumerate(noise, start=1):
        points = POINTS + off
        # As of a network whose own landmarks lie a little lower, and that sees more around them.
        own = region_from_landmarks(points + LOWER, WFLW.roll(points), scale=1.4)
        track.see(replace(seen(), landmarks=points, next_region=own), i / 30)
        smooth = reference(points, i / 30)
        expected = region_from_landmarks(smooth + LOWER, WFLW.roll(smooth), scale=1.4)
        regions.append(track.expect(i / 30))
        np.testing.assert_allclose(
            [*vars(regions[-1]).values()], [*vars(expected).values()], atol=1e-9
        )
    measured = [region_from_landmarks(POINTS + off, WFLW.roll(POINTS + off)) for off in noise]
    # Which is why: half as much noise and less.
    for side in ("x", "y", "size", "angle"):
        steady, noisy = (np.std([getattr(r, side) for r in rs]) for rs in (regions, measured))
        assert steady < 0.5 * noisy


def test_an_absence_ends_the_memory_of_filter_and_motion() -> None:
    track = Track(0, steadier("stable"), seen(), 0.0)
    track.see(seen(20.0), 0.05)
    assert not track.lost
    track.miss()
    assert track.lost
    assert track.seen_at == 0.05
    track.see(seen(90.0), 1.05)
    assert not track.lost
    np.testing.assert_array_equal(track.face().landmarks, track.face().raw)
    region, expected = track.expect(1.1), region_from_landmarks(POINTS + 90.0, 0.1)
    np.testing.assert_allclose([*vars(region).values()], [*vars(expected).values()])


def test_the_look_follows_slowly_and_never_to_another_face() -> None:
    track = Track(0, steadier("off"), seen(), 0.0)
    other = np.array([0.7, 0.0, -0.7], dtype=np.float32) / np.float32(np.sqrt(0.98))
    for i in range(1, 91):
        track.see(replace(seen(), look=other), i / 30)
    # 3 s of a mean over 2 s.
    assert LOOK @ other < track.look @ other < 0.9999
    np.testing.assert_allclose(np.linalg.norm(track.look), 1, rtol=1e-5)
    before = track.look
    track.see(replace(seen(), look=-other), 3.1)
    np.testing.assert_array_equal(track.look, before)


def test_the_look_goes_along_with_a_face_that_changes_bit_by_bit_while_nobody_is_near() -> None:
    other = np.array([0.2, 0.8, -0.6], dtype=np.float32)
    alone, beside = Track(0, steadier("off"), seen(), 0.0), Track(1, steadier("off"), seen(), 0.0)
    for i in range(1, 241):
        way = min(i / 60, 1.0)
        look = (1 - way) * LOOK + way * other
        face = replace(seen(), look=(look / np.linalg.norm(look)).astype(np.float32))
        alone.see(face, i / 30)
        beside.see(face, i / 30, alone=False)
    other /= np.linalg.norm(other)
    assert LOOK @ other < 0.7  # so far that it would not be taken over at once
    assert alone.look @ other > 0.95
    assert beside.look @ other < 0.9


def test_without_smoothing_points_are_the_raw_ones() -> None:
    track = Track(0, steadier("off"), seen(), 0.0)
    track.see(seen(5.0), 1 / 30)
    np.testing.assert_array_equal(track.face().landmarks, track.face().raw)


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        (Region(320, 240, 100), True),
        (Region(0, 0, 100), True),
        (Region(639.4, 479.4, 100), True),
        (Region(640, 240, 100), False),
        (Region(320, -1, 100), False),
        (Region(320, 240, 11), False),
        (Region(320, 240, 1900), True),
        (Region(320, 240, 2000), False),
        (Region(float("nan"), 240, 100), False),
        (Region(320, 240, float("inf")), False),
    ],
)
def test_plausible_regions(region: Region, expected: bool) -> None:
    assert plausible(region, IMAGE) is expected
