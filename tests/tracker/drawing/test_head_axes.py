"""The drawn axes turn as docs/tables.md says that the angles do."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from model.shipped_markups import MARKUPS, WFLW
from tracker.drawing.draw_faces import draw_faces
from tracker.drawing.head_axes import draw_axes
from tracker.drawing.style import DrawStyle
from tracker.measures.generic_face import face_model
from tracker.measures.head_pose import Pose, project
from tracker.measures.intrinsics import Intrinsics

CAMERA = Intrinsics.from_fov(640, 480)
RED, GREEN, BLUE = range(3)


def head(pitch: float = 0.0, yaw: float = 0.0, roll: float = 0.0, markup: str = "wflw98") -> Pose:
    turn = np.eye(3)
    for axis, degrees in enumerate((pitch, yaw, roll)):
        vector = np.zeros(3)
        vector[axis] = np.deg2rad(degrees)
        turn = turn @ cv2.Rodrigues(vector)[0]
    return Pose(cv2.Rodrigues(turn)[0].ravel(), np.array([0.0, -40.0, 500.0]), 0.0)


def drawn(pose: Pose, markup: str = "wflw98") -> NDArray[np.int_]:
    image = np.zeros((480, 640, 3), np.uint8)
    landmarks = project(face_model(markup).points, pose, CAMERA)
    draw_axes(image, landmarks, MARKUPS[markup], DrawStyle(), CAMERA)
    return image.astype(int)


def end(image: NDArray[np.int_], colour: int, tip: NDArray[np.float64]) -> NDArray[np.float64]:
    """From the nose to the far end of the axis of a colour: x right, y down, pixels."""
    others = [c for c in range(3) if c != colour]
    rows, columns = np.nonzero(image[..., colour] > image[..., others].max(axis=2) + 60)
    away = np.stack([columns, rows], axis=-1) - tip
    return away[np.linalg.norm(away, axis=1).argmax()]


def nose(pose: Pose) -> NDArray[np.float64]:
    return project(face_model("ibug68").points[30], pose, CAMERA)


def ends(pose: Pose) -> list[NDArray[np.float64]]:
    image, tip = drawn(pose), nose(pose)
    return [end(image, colour, tip) for colour in (RED, GREEN, BLUE)]


def test_a_face_to_the_camera_has_x_to_the_right_and_y_down() -> None:
    red, green, _ = ends(head())
    assert red[0] > 30 and abs(red[1]) < 0.15 * red[0]
    assert green[1] > 30 and abs(green[0]) < 0.15 * green[1]


def test_the_blue_axis_points_where_the_face_looks() -> None:
    straight = ends(head())[BLUE]
    down, up = ends(head(pitch=25))[BLUE], ends(head(pitch=-25))[BLUE]
    assert down[1] > straight[1] + 15 > up[1] + 30
    # Yaw > 0: to the person's right, the left of the picture.
    left, right = ends(head(yaw=25))[BLUE], ends(head(yaw=-25))[BLUE]
    assert left[0] < straight[0] - 15 < right[0] - 30


def test_roll_turns_clockwise_on_the_screen() -> None:
    red, green, _ = ends(head(roll=30))
    assert red[1] > 0.4 * red[0] > 0
    assert -green[0] > 0.4 * green[1] > 0


@pytest.mark.parametrize("markup", MARKUPS)
def test_every_markup_has_axes(markup: str) -> None:
    assert drawn(head(), markup).any()


def test_the_camera_given_is_the_one_used() -> None:
    image = np.zeros((480, 640, 3), np.uint8)
    pose = head(yaw=30)
    face = type("F", (), {"id": 0, "landmarks": project(face_model("wflw98").points, pose, CAMERA)})
    layers = frozenset({"pose"})
    near = draw_faces(image, [face()], WFLW, layers, camera=Intrinsics.from_fov(640, 480, 100.0))
    usual = draw_faces(image, [face()], WFLW, layers)
    np.testing.assert_array_equal(usual, drawn(pose).astype(np.uint8))
    assert (near != usual).any()


def test_landmarks_that_are_no_face_get_none() -> None:
    image = np.zeros((480, 640, 3), np.uint8)
    draw_axes(image, np.full((98, 2), 100.0), WFLW, DrawStyle(), CAMERA)
    assert not image.any()
