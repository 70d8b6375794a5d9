"""The one schema of all tables; docs/tables.md explains every column to users."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracker.measures.face_measures import Measures
from tracker.measures.rotation import euler_angles
from tracker.outputs.output import OutputFrame
from tracker.tracking.results import Face

# Gives points [K, 2] of a frame as a table is to have them.
Place = Callable[[NDArray[np.floating]], NDArray[np.floating]]


def as_shown(points: NDArray[np.floating]) -> NDArray[np.floating]:
    """Points in the pixels of the frame: as they are."""
    return points


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        name: OpenFace's, where OpenFace has the column.
        decimals: digits written after the point in text; 0 for whole numbers. The last one is well
            under what the tracker can tell.
    """

    name: str
    decimals: int


_FRAME = (
    Column("frame", 0),
    Column("face_id", 0),
    Column("timestamp", 6),
    Column("confidence", 3),
    Column("success", 0),
)
_MEASURES = (
    *(Column(f"pose_T{axis}", 1) for axis in "xyz"),
    *(Column(f"pose_R{axis}", 4) for axis in "xyz"),
    Column("eye_left", 4),
    Column("eye_right", 4),
    Column("mouth", 4),
    Column("blinks", 0),
    Column("interocular", 2),
)


def columns(points: int, scores: bool = False) -> tuple[Column, ...]:
    """The columns for K landmarks.

    Args:
        points: K.
        scores: whether to have score_0 .. score_{K-1} after the coordinates.
    """
    return (
        *_FRAME,
        *_MEASURES,
        *(Column(f"{axis}_{index}", 2) for axis in "xy" for index in range(points)),
        *(Column(f"score_{index}", 3) for index in range(points if scores else 0)),
    )


def rows(
    frame: OutputFrame, points: int, scores: bool = False, place: Place = as_shown
) -> list[list[float]]:
    """The rows of a frame: one per face, or a single one without success if there is none.

    Args:
        frame: with faces of K landmarks.
        points: K.
        scores: whether to have the score of every landmark.
        place: moves the landmarks.

    Returns:
        Values in the order of `columns`.
    """
    number, time = frame.index + 1, frame.timestamp
    if not frame.faces:
        rest = len(columns(points, scores)) - len(_FRAME)
        return [[number, 0, time, 0.0, 0, *[0.0] * rest]]
    return [
        [
            number,
            face.id,
            time,
            face.confidence,
            1,
            *measure_values(measures),
            *place(face.landmarks).T.ravel().tolist(),
            *(face.scores.tolist() if scores else ()),
        ]
        for face, measures in zip(frame.faces, frame.measures, strict=True)
    ]


def measure_values(measures: Measures) -> list[float]:
    """Values of the derived columns; a pose that could not be found is all 0."""
    pose = measures.pose
    placed = [*pose.translation.tolist(), *euler_angles(pose.matrix)] if pose else [0.0] * 6
    return [*placed, *measures.eyes, measures.mouth, measures.blinks, measures.interocular]


def frame_object(
    frame: OutputFrame, scores: bool = False, place: Place = as_shown
) -> dict[str, object]:
    """A frame as JSON has it: the table's names, landmarks as pairs, null where there is no pose.

    Numbers have as many decimals as in the text table. Arguments are those of `rows`.
    """
    return {
        "frame": frame.index + 1,
        "timestamp": round(frame.timestamp, 6),
        "faces": [
            _face_object(face, measures, scores, place)
            for face, measures in zip(frame.faces, frame.measures, strict=True)
        ],
    }


def _face_object(face: Face, measures: Measures, scores: bool, place: Place) -> dict[str, object]:
    values = measure_values(measures)
    derived: dict[str, object] = {
        column.name: round(value, column.decimals) if column.decimals else int(value)
        for column, value in zip(_MEASURES, values, strict=True)
    }
    if measures.pose is None:
        derived |= {c.name: None for c in _MEASURES if c.name.startswith("pose_")}
    face_object: dict[str, object] = {
        "face_id": face.id,
        "confidence": round(float(face.confidence), 3),
        **derived,
        "landmarks": _rounded(place(face.landmarks), 2),
    }
    if scores:
        face_object["scores"] = _rounded(face.scores, 3)
    return face_object


def _rounded(values: NDArray[np.floating], decimals: int) -> list[object]:
    # In float64: a float32 has no short decimals, and JSON would get all its digits.
    return list(np.round(values.astype(np.float64), decimals).tolist())
