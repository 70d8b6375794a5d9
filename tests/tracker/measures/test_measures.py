import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.crop import region_from_landmarks
from model.errors import InputError
from model.shipped_markups import MARKUPS, WFLW
from tests.support.measured_faces import rotation
from tracker.measures.blinks import Blink, BlinkDetector, BlinkOptions
from tracker.measures.face_measures import FaceMeasurer
from tracker.measures.generic_face import face_model, ibug_from_wflw
from tracker.measures.openings import (
    eye_openings,
    interocular,
    mouth_opening,
    straight_opening,
)
from tracker.tracking.results import Face, TrackedFrame

FRONT = face_model("wflw98").points[:, :2]


def with_eyes(height: float, width: float = 30.0) -> np.ndarray:
    """A face whose eyes are boxes: three lid pairs `height` apart, corners `width` apart."""
    face = FRONT.copy()
    for corner, centre in ((60, -30.0), (68, 30.0)):
        face[corner], face[corner + 4] = (centre - width / 2, 0), (centre + width / 2, 0)
        for i in (1, 2, 3):
            x = centre + (i - 2) * width / 4
            face[corner + i], face[corner + 8 - i] = (x, -height / 2), (x, height / 2)
    return face


def test_eyes_are_heights_over_width() -> None:
    assert eye_openings(with_eyes(9), "wflw98") == pytest.approx((0.3, 0.3))
    face = with_eyes(9)
    face[[69, 70, 71], 1] = face[[75, 74, 73], 1]  # the right eye of the picture shut
    assert eye_openings(face, "wflw98") == pytest.approx((0.3, 0.0))
    face[61, 1], face[67, 1] = -9, 9  # one of three pairs of the other at 18
    assert eye_openings(face, "wflw98")[0] == pytest.approx((0.6 + 0.3 + 0.3) / 3)


def with_lids(share: float) -> np.ndarray:
    """[98, 3] the generic face, its eyes open to a share of what they are."""
    face = face_model("wflw98").points.copy()
    for pair in (pair for eye in WFLW.roles.eyes or () for pair in eye.pairs):
        middle = face[list(pair)].mean(axis=0)
        face[list(pair)] = middle + share * (face[list(pair)] - middle)
    return face


@settings(max_examples=50, deadline=None)
@given(st.floats(-20, 20), st.floats(-60, 60), st.floats(-180, 180), st.floats(0.2, 1))
def test_the_straight_opening_does_not_change_as_the_head_turns(
    pitch: float, yaw: float, roll: float, closed: float
) -> None:
    face = with_lids(closed)
    matrix = rotation(pitch, yaw, roll)
    seen = (face @ matrix.T)[:, :2]
    front = straight_opening(face[:, :2], "wflw98", np.eye(3))
    assert front == pytest.approx(np.mean(eye_openings(face[:, :2], "wflw98")))
    # Lids are not quite parallel to the face.
    assert straight_opening(seen, "wflw98", matrix) == pytest.approx(front, rel=0.12)


def test_the_eye_that_is_seen_well_counts() -> None:
    matrix = rotation(0, 50, 0)
    seen = (face_model("wflw98").points @ matrix.T)[:, :2]
    whole = straight_opening(seen, "wflw98", matrix)
    # yaw > 0 is to the left of the picture: the left eye is on the far side.
    lost = []
    for eye in (slice(60, 68), slice(68, 76)):
        shut = seen.copy()
        shut[eye, 1] = shut[eye.start, 1]
        lost.append(1 - straight_opening(shut, "wflw98", matrix) / whole)
    assert lost[0] < 0.4 and lost[1] > 0.6


def glances(blink: bool) -> list[np.ndarray]:
    """At 30 frames a second: eight seconds to the side, now and then half a second ahead."""
    faces = []
    for frame in range(240):
        phase = frame % 90
        ahead = np.clip(min(phase - 60, 74 - phase) / 4, 0, 1)
        points = with_lids(0.4 if blink and 130 <= frame < 136 else 1.0)
        turned = points @ rotation(0, 60 * (1 - float(ahead)), 0).T + [0, 0, 700]
        faces.append(turned[:, :2] / turned[:, 2:] * 554 + [320, 240])
    return faces


@pytest.mark.parametrize("blink", [False, True])
def test_looking_ahead_again_is_no_blink(blink: bool) -> None:
    measure = FaceMeasurer("wflw98")
    image = np.zeros((480, 640, 3), dtype=np.uint8)
    plain = BlinkDetector()
    faces = glances(blink)
    for frame, points in enumerate(faces):
        face = Face(
            id=0, landmarks=points.astype(np.float32), raw=points.astype(np.float32),
            scores=np.ones(98, np.float32), confidence=1.0, region=region_from_landmarks(points),
        )  # fmt: skip
        (measures,) = measure(TrackedFrame(frame, frame / 30, image, (face,)))
        plain(frame / 30, float(np.mean(eye_openings(points, "wflw98"))))
    assert measures.blinks == int(blink)
    # The plain ratio falls by half whenever the head turns back.
    assert plain.count > int(blink)


def test_mouth() -> None:
    face = FRONT.copy()
    face[88], face[92] = (-20, 60), (20, 60)
    for upper, lower, x in ((89, 95, -10), (90, 94, 0), (91, 93, 10)):
        face[upper], face[lower] = (x, 55), (x, 65)
    assert mouth_opening(face, "wflw98") == pytest.approx(10 / 40)
    face[93:96] = face[[91, 90, 89]]
    assert mouth_opening(face, "wflw98") == 0


@settings(max_examples=30, deadline=None)
@given(st.floats(-np.pi, np.pi), st.floats(0.05, 20), st.floats(-500, 500))
def test_ratios_ignore_size_place_and_roll(angle: float, scale: float, shift: float) -> None:
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = FRONT @ turn.T + shift
    assert eye_openings(moved, "wflw98") == pytest.approx(eye_openings(FRONT, "wflw98"), rel=1e-6)
    assert mouth_opening(moved, "wflw98") == pytest.approx(mouth_opening(FRONT, "wflw98"), rel=1e-6)
    assert interocular(moved, "wflw98") == pytest.approx(
        scale * interocular(FRONT, "wflw98"), rel=1e-6
    )


@pytest.mark.parametrize("name", sorted(MARKUPS))
def test_every_markup(name: str) -> None:
    face = face_model(name).points[:, :2].copy()
    left, right = eye_openings(face, name)
    assert left == pytest.approx(right, rel=1e-2)
    assert 0.2 < left < 0.45
    assert interocular(face, name) == pytest.approx(89.5, abs=0.2)
    mirrored = face[MARKUPS[name].flip] * [-1, 1]
    assert eye_openings(mirrored, name) == pytest.approx((right, left))
    # Shutting the lids of one eye, and nothing else, shuts that eye.
    wide = eye_openings(face * [1, 2], name)
    assert wide[0] > 1.8 * left
    # iBUG's lips are WFLW's.
    wflw = mouth_opening(FRONT, "wflw98")
    assert mouth_opening(ibug_from_wflw() @ FRONT, "ibug68") == pytest.approx(wflw)


def test_points_in_one_spot_have_no_ratio() -> None:
    assert eye_openings(np.zeros((98, 2)), "wflw98") == (0.0, 0.0)


def signal(
    times: np.ndarray, blinks: list[tuple[float, float]], opening: float = 0.3
) -> np.ndarray:
    """Openings at `times`: a raised cosine down to a third for each (start, length)."""
    values = np.full(len(times), opening)
    for start, length in blinks:
        phase = (times - start) / length
        inside = (phase > 0) & (phase < 1)
        values[inside] *= 1 - 0.67 * np.sin(np.pi * phase[inside]) ** 2
    return values


def run(detector: BlinkDetector, times: np.ndarray, values: np.ndarray) -> list[Blink]:
    found = (detector(float(t), float(v)) for t, v in zip(times, values, strict=True))
    return [blink for blink in found if blink]


TRUE = [(2.0, 0.25), (4.0, 0.35), (4.6, 0.2), (8.0, 0.3)]


@pytest.mark.parametrize("rate", [15, 24, 30, 60, 120])
@pytest.mark.parametrize("opening", [0.2, 0.3, 0.42])
def test_blinks_at_any_rate_and_for_any_eyes(rate: int, opening: float) -> None:
    times = np.arange(0, 10, 1 / rate) + 100
    rng = np.random.default_rng(rate)
    values = signal(times - 100, TRUE, opening) + rng.normal(0, 0.02 * opening, len(times))
    detector = BlinkDetector()
    blinks = run(detector, times, values)
    assert detector.count == len(blinks) == len(TRUE)
    for blink, (start, length) in zip(blinks, TRUE, strict=True):
        middle = (blink.start + blink.end) / 2 - 100
        assert middle == pytest.approx(start + length / 2, abs=0.5 / rate + 0.02)
        assert 0.3 * length < blink.end - blink.start < length


def test_variable_frame_rate() -> None:
    rng = np.random.default_rng(5)
    times = np.cumsum(rng.uniform(0.01, 0.07, 400))
    true = [(3.0, 0.3), (6.0, 0.3), (9.0, 0.3)]
    blinks = run(BlinkDetector(), times, signal(times, true))
    assert [round(blink.start) for blink in blinks] == [3, 6, 9]


def test_closed_eyes_are_no_blink() -> None:
    times = np.arange(0, 12, 1 / 30)
    values = np.where((times > 3) & (times < 7), 0.08, 0.3)
    assert run(BlinkDetector(), times, values) == []
    # And a blink after it is still one: the closure did not become the person's usual opening.
    values *= signal(times, [(9.0, 0.3)], 1.0)
    assert len(run(BlinkDetector(), times, values)) == 1


def test_one_bad_frame_is_no_blink_at_sixty_a_second() -> None:
    times = np.arange(0, 4, 1 / 60)
    values = np.full(len(times), 0.3)
    values[120] = 0.1
    assert run(BlinkDetector(), times, values) == []


def test_noise_between_the_thresholds_is_one_blink() -> None:
    times = np.arange(0, 4, 1 / 60)
    values = signal(times, [])
    values[120:135] = 0.3 * np.tile([0.8, 0.87, 0.8], 5)  # crosses 0.84 ten times
    assert len(run(BlinkDetector(), times, values)) == 1


def test_a_face_that_leaves_with_closed_eyes() -> None:
    times = np.concatenate([np.arange(0, 2.1, 1 / 30), np.arange(2.45, 4, 1 / 30)])
    values = np.where((times > 2) & (times < 2.5), 0.1, 0.3)
    detector = BlinkDetector()
    assert run(detector, times, values) == []
    assert not detector.closed


def test_starting_with_closed_eyes() -> None:
    times = np.arange(0, 6, 1 / 30)
    values = np.where(times < 0.5, 0.1, 0.3) * signal(times, [(4.0, 0.3)], 1.0)
    blinks = run(BlinkDetector(), times, values)
    assert len(blinks) == 1
    assert 4.0 < blinks[0].start < blinks[0].end < 4.3


def test_another_video_starts_anew() -> None:
    detector = BlinkDetector()
    times = np.arange(0, 5, 1 / 30)
    run(detector, times, signal(times, [(2.0, 0.3)], 0.4))
    assert detector.open_eyes == pytest.approx(0.4, abs=0.01)
    blinks = run(detector, times, signal(times, [(2.0, 0.3)], 0.2))
    assert len(blinks) == 1
    assert detector.open_eyes == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize(
    "wrong",
    [
        {"close_below": 0.95},
        {"open_above": 1.0},
        {"min_seconds": 1.0},
        {"percentile": 0.0},
        {"window": 0.0},
    ],
)
def test_options(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="blinks need"):
        BlinkOptions(**wrong)
