"""Measured frames for the tests of tables, senders and pages."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from model.shipped_markups import get_markup
from tracker.drawing.annotated_picture import Painter
from tracker.measures.face_measures import FaceMeasurer
from tracker.measures.generic_face import face_model
from tracker.measures.intrinsics import Intrinsics
from tracker.outputs.output import OutputFrame

WIDTH, HEIGHT = 640, 480


def rotation(pitch: float, yaw: float, roll: float) -> NDArray[np.float64]:
    """[3, 3] R = Rx(pitch) Ry(yaw) Rz(roll), degrees, as in `tracker.measures.head_pose`."""
    turn = np.eye(3)
    for axis, angle in zip(np.eye(3), np.deg2rad([pitch, yaw, roll]), strict=True):
        turn = turn @ cv2.Rodrigues(axis * angle)[0]
    return turn


def face(
    number: int = 0,
    angles: tuple[float, float, float] = (0.0, 0.0, 0.0),
    place: tuple[float, float, float] = (0.0, 0.0, 700.0),
    markup: str = "wflw98",
) -> SimpleNamespace:
    """The generic face, turned about x, y and z in turn by degrees, at a place in mm."""
    points = face_model(markup).points.copy()
    camera = Intrinsics.from_fov(WIDTH, HEIGHT)
    vector = cv2.Rodrigues(rotation(*angles))[0]
    seen = cv2.projectPoints(points, vector, np.array(place, dtype=float), camera.matrix, None)[0]
    seen = seen[:, 0]
    landmarks = seen.astype(np.float32)
    return SimpleNamespace(
        id=number,
        landmarks=landmarks,
        raw=landmarks,
        scores=np.linspace(0.2, 0.9, len(points)).astype(np.float32),
        confidence=0.8,
    )


def picture(level: int = 90) -> NDArray[np.uint8]:
    image = np.full((HEIGHT, WIDTH, 3), level, dtype=np.uint8)
    image[:, :8] = (255, 0, 0)  # a red left edge
    return image


def measured(
    *faces: SimpleNamespace, index: int = 0, timestamp: float = 0.0, markup: str = "wflw98"
) -> OutputFrame:
    return output_frame(FaceMeasurer(markup), index, timestamp, picture(), faces, markup=markup)


def output_frame(
    measure: FaceMeasurer,
    index: int,
    timestamp: float,
    image: NDArray[np.uint8],
    faces: Sequence[Any],
    *,
    markup: str = "wflw98",
) -> OutputFrame:
    """A frame as outputs get it, measured at once."""
    frame = OutputFrame(
        index, timestamp, image, faces, measure=measure, paint=Painter(get_markup(markup))
    )
    assert len(frame.measures) == len(faces)
    return frame
