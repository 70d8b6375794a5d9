from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import InputError
from model.shipped_markups import MARKUPS, WFLW, WFLW_TO_IBUG
from tracker.measures.generic_face import WEIGHTS, face_model
from tracker.measures.head_pose import Pose, estimate_pose, pose_axes, project
from tracker.measures.intrinsics import Intrinsics, parse_intrinsics
from tracker.measures.rotation import euler_angles, rotation_matrix

CAMERA = Intrinsics.from_fov(640, 480)


def make_pose(pitch: float, yaw: float, roll: float, place: tuple[float, ...]) -> Pose:
    """Angles in degrees; the rotation is composed by OpenCV's Rodrigues, axis by axis."""
    axes = np.deg2rad([[pitch, 0, 0], [0, yaw, 0], [0, 0, roll]])
    about_x, about_y, about_z = (cv2.Rodrigues(axis)[0] for axis in axes)
    vector = cv2.Rodrigues(about_x @ about_y @ about_z)[0].ravel()
    return Pose(vector, np.array(place, dtype=float), 0.0)


def picture(pose: Pose, markup: str = "wflw98", camera: Intrinsics = CAMERA) -> np.ndarray:
    """The generic face seen by OpenCV's own projection."""
    points = face_model(markup).points.copy()
    seen = cv2.projectPoints(points, pose.rotation, pose.translation, camera.matrix, None)[0]
    return seen[:, 0]


def angle_between(first: Pose, second: Pose) -> float:
    cosine = (np.trace(first.matrix @ second.matrix.T) - 1) / 2
    return float(np.rad2deg(np.arccos(np.clip(cosine, -1, 1))))


@settings(max_examples=60, deadline=None)
@given(
    st.floats(-50, 50),
    st.floats(-75, 75),
    st.floats(-179, 179),
    st.tuples(st.floats(-200, 200), st.floats(-150, 150), st.floats(300, 4000)),
    st.sampled_from(sorted(MARKUPS)),
)
def test_known_poses_come_back(
    pitch: float, yaw: float, roll: float, place: tuple[float, ...], markup: str
) -> None:
    known = make_pose(pitch, yaw, roll, place)
    landmarks = picture(known, markup)
    np.testing.assert_allclose(
        project(face_model(markup).points, known, CAMERA), landmarks, atol=1e-6
    )
    found = estimate_pose(landmarks, markup, CAMERA)
    assert found is not None
    assert angle_between(found, known) < 0.01
    np.testing.assert_allclose(found.angles, (pitch, yaw, roll), atol=0.02)
    np.testing.assert_allclose(found.translation, place, atol=0.001 * place[2])
    assert found.error < 1e-4


def test_signs() -> None:
    nose, right_eye, left_eye, chin = 54, 60, 72, 16  # the person's right is the picture's left
    place = (0.0, 0.0, 600.0)
    front = picture(make_pose(0, 0, 0, place))
    assert front[right_eye, 0] < front[nose, 0] < front[left_eye, 0]
    assert front[right_eye, 1] < front[nose, 1] < front[chin, 1]
    down = picture(make_pose(20, 0, 0, place))
    assert down[nose, 1] > front[nose, 1] + 5  # the tip of the nose sinks
    right = picture(make_pose(0, 20, 0, place))
    assert right[nose, 0] < front[nose, 0] - 5
    clockwise = picture(make_pose(0, 0, 20, place))
    assert np.rad2deg(WFLW.roll(clockwise)) == pytest.approx(20, abs=0.1)


def test_a_mirrored_face_turns_the_other_way() -> None:
    landmarks = picture(make_pose(12, 25, -8, (40.0, -20.0, 700.0)))
    mirrored = landmarks[WFLW.flip] * [-1, 1] + [639, 0]
    found = estimate_pose(mirrored, "wflw98", CAMERA)
    assert found is not None
    np.testing.assert_allclose(found.angles, (12, -25, 8), atol=0.02)
    np.testing.assert_allclose(found.translation, (-40, -20, 700), atol=0.1)


@pytest.mark.parametrize("degrees", [-150, -40, 15, 90])
def test_turning_the_picture_rolls_the_head(degrees: float) -> None:
    landmarks = picture(make_pose(0, 0, 0, (0.0, 0.0, 650.0)))
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = np.array([CAMERA.cx, CAMERA.cy])
    found = estimate_pose((landmarks - centre) @ turn.T + centre, "wflw98", CAMERA)
    assert found is not None
    np.testing.assert_allclose(found.angles, (0, 0, degrees), atol=0.02)


def test_noise_and_expressions_move_the_pose_little() -> None:
    known = make_pose(-10, 30, 5, (0.0, 0.0, 600.0))
    landmarks = picture(known)
    eyes = np.linalg.norm(landmarks[72] - landmarks[60])
    rng = np.random.default_rng(3)
    errors = []
    for _ in range(40):
        found = estimate_pose(
            landmarks + rng.normal(0, 0.01 * eyes, landmarks.shape), "wflw98", CAMERA
        )
        assert found is not None
        errors.append(angle_between(found, known))
    assert np.median(errors) < 1.5
    surprised = landmarks.copy()
    surprised[33:51, 1] -= 0.12 * eyes  # brows up
    surprised[76:96, 1] += 0.1 * eyes  # mouth open and lower
    found = estimate_pose(surprised, "wflw98", CAMERA)
    assert found is not None
    assert angle_between(found, known) < 3
    wrong = landmarks.copy()
    wrong[64] += 0.5 * eyes  # one landmark lost
    found = estimate_pose(wrong, "wflw98", CAMERA)
    assert found is not None
    assert angle_between(found, known) < 4


def test_axes_point_where_they_say() -> None:
    turned = make_pose(0, 30, 0, (0.0, 0.0, 600.0))  # to the left of the picture
    tip, left, down, out = pose_axes(turned, CAMERA)
    np.testing.assert_allclose(tip, picture(turned)[54], atol=1e-6)
    assert left[0] > tip[0] + 20
    assert down[1] > tip[1] + 20
    assert out[0] < tip[0] - 20


def test_no_pose_without_a_face() -> None:
    assert estimate_pose(np.full((98, 2), 17.0), "wflw98", CAMERA) is None
    broken = picture(make_pose(0, 0, 0, (0.0, 0.0, 600.0)))
    broken[54] = np.nan
    assert estimate_pose(broken, "wflw98", CAMERA) is None


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.floats(1e-9, 1e6),
    st.sampled_from(["cloud", "line", "level"]),
)
def test_nonsense_has_no_pose(seed: int, spread: float, kind: str) -> None:
    rng = np.random.default_rng(seed)
    points = spread * rng.normal(size=(98, 2)) + [320, 240]
    if kind == "line":
        points = np.outer(rng.normal(size=98), rng.normal(size=2)) * spread
    elif kind == "level":
        points[:, 1] = 200
    assert estimate_pose(points.astype(np.float32), "wflw98", CAMERA) is None


@pytest.mark.parametrize("distance", [250, 20_000, 200_000])
def test_very_near_and_very_far_faces(distance: float) -> None:
    known = make_pose(10, -30, 5, (0.1 * distance, 0.0, distance))
    found = estimate_pose(picture(known), "wflw98", CAMERA)
    assert found is not None
    assert angle_between(found, known) < 0.05


def test_angles_at_the_pole() -> None:
    matrix = rotation_matrix(0.3, np.pi / 2, 0.0)
    assert euler_angles(matrix) == pytest.approx((0.3, np.pi / 2, 0.0))
    np.testing.assert_allclose(rotation_matrix(*euler_angles(matrix)), matrix, atol=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-3, 3), min_size=3, max_size=3))
def test_quaternion_is_half_the_angle(vector: list[float]) -> None:
    angle = np.linalg.norm(vector)
    pose = Pose(np.array(vector), np.zeros(3), 0.0)
    axis = np.array(vector) / angle if angle else np.zeros(3)
    expected = np.append(axis * np.sin(angle / 2), np.cos(angle / 2))
    expected *= -1 if expected[3] < -1e-9 else 1
    if abs(expected[3]) > 1e-6:
        np.testing.assert_allclose(pose.quaternion, expected, atol=1e-6)


def test_intrinsics() -> None:
    camera = Intrinsics.from_fov(640, 480, 90)
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == pytest.approx((320, 320, 319.5, 239.5))
    assert Intrinsics.from_fov(480, 640, 90).fx == pytest.approx(320)  # the longer side counts
    assert parse_intrinsics("500, 510,320,240") == Intrinsics(500, 510, 320, 240)
    for text in ("500", "a,b,c,d", "0,500,320,240", "500,500,nan,240", "1,2,3,4,5"):
        with pytest.raises(InputError, match="FX,FY,CX,CY"):
            parse_intrinsics(text)
    for fov in (0, 180, float("nan")):
        with pytest.raises(InputError, match="between 1 and 170"):
            Intrinsics.from_fov(640, 480, fov)


def test_distance_follows_the_focal_length() -> None:
    landmarks = picture(make_pose(0, 0, 0, (0.0, 0.0, 600.0)))
    longer = Intrinsics(2 * CAMERA.fx, 2 * CAMERA.fy, CAMERA.cx, CAMERA.cy)
    found = estimate_pose(landmarks, "wflw98", longer)
    assert found is not None
    assert found.translation[2] == pytest.approx(1200, rel=0.05)


def test_the_generic_face() -> None:
    face = face_model("wflw98").points
    assert face.shape == (98, 3)
    np.testing.assert_allclose(face[WFLW.flip] * [-1, 1, 1], face, atol=0.11)  # symmetric
    np.testing.assert_allclose((face[60] + face[72]) / 2, 0, atol=0.06)
    assert face[72, 0] - face[60, 0] == pytest.approx(89.5, abs=0.2)
    assert face[:, 2].argmin() == 54  # the tip of the nose is nearest
    np.testing.assert_array_equal(WEIGHTS[WFLW.flip], WEIGHTS)
    shared = np.array(WFLW_TO_IBUG)
    ibug = face_model("ibug68").points
    np.testing.assert_array_equal(ibug[shared[:, 1]], face[shared[:, 0]])
    # The lid points that iBUG has of its own lie on the lid, in order.
    for lid in ((36, 37, 38, 39), (42, 43, 44, 45)):
        assert (np.diff(ibug[list(lid), 0]) > 0).all()
    # COFW mirrors into itself, which a wrong correspondence would not.
    cofw = face_model("cofw29").points
    np.testing.assert_allclose(cofw[MARKUPS["cofw29"].flip] * [-1, 1, 1], cofw, atol=0.11)


def test_labelled_faces(data_root: Path) -> None:
    """Real labels: the model fits, and mirrored faces give mirrored poses."""
    from train.data.wflw import read_wflw

    samples = read_wflw(data_root / "faces", "test")[:100]
    errors, yaws = [], []
    for sample in samples:
        low, high = sample.points.min(0), sample.points.max(0)
        side = int(3 * (high - low).max())
        centred = sample.points - (low + high) / 2 + (side - 1) / 2
        camera = Intrinsics.from_fov(side, side)
        pose = estimate_pose(centred, "wflw98", camera)
        mirror = estimate_pose(centred[WFLW.flip] * [-1, 1] + [side - 1, 0], "wflw98", camera)
        assert pose is not None and mirror is not None
        np.testing.assert_allclose(np.array(mirror.angles) * [1, -1, -1], pose.angles, atol=0.1)
        errors.append(pose.error)
        yaws.append(pose.angles[1])
    assert np.median(errors) < 0.06
    assert np.abs(np.median(yaws)) < 5
