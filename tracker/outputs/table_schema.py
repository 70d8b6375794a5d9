"""The one schema of all tables; docs/tables.md explains every column to users."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from model.markup import Markup
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


@dataclass(frozen=True)
class TableLayout:
    """What a table holds of K landmarks.

    Attributes:
        labels: what columns call the landmarks after `x_`, `y_` and `score_`: K of them.
        scores: whether there is the score of every landmark, after the coordinates.
        named: whether the labels are names: objects then hold the landmarks by them.
        place: moves the landmarks.
    """

    labels: tuple[str, ...]
    scores: bool = False
    named: bool = False
    place: Place = as_shown

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns."""
        return (
            *_FRAME,
            *_MEASURES,
            *(Column(f"{axis}_{label}", 2) for axis in "xy" for label in self.labels),
            *(Column(f"score_{label}", 3) for label in (self.labels if self.scores else ())),
        )

    def rows(self, frame: OutputFrame) -> list[list[float]]:
        """The rows of a frame: one per face, or a single one without success if there is none.

        Args:
            frame: with faces of K landmarks.

        Returns:
            Values in the order of `columns`.
        """
        number, time = frame.index + 1, frame.timestamp
        if not frame.faces:
            rest = len(self.columns) - len(_FRAME)
            return [[number, 0, time, 0.0, 0, *[0.0] * rest]]
        return [
            [
                number,
                face.id,
                time,
                face.confidence,
                1,
                *measure_values(measures),
                *self.place(face.landmarks).T.ravel().tolist(),
                *(face.scores.tolist() if self.scores else ()),
            ]
            for face, measures in zip(frame.faces, frame.measures, strict=True)
        ]

    def frame_object(self, frame: OutputFrame) -> dict[str, object]:
        """A frame as JSON has it: the table's names, null where something cannot be told.

        Landmarks are pairs, in their order or by their names. Numbers have as many decimals as in
        the text table.
        """
        return {
            "frame": frame.index + 1,
            "timestamp": round(frame.timestamp, 6),
            "faces": [
                self._face_object(face, measures)
                for face, measures in zip(frame.faces, frame.measures, strict=True)
            ],
        }

    def _face_object(self, face: Face, measures: Measures) -> dict[str, object]:
        derived: dict[str, object] = {
            column.name: _number(value, column.decimals)
            for column, value in zip(_MEASURES, measure_values(measures), strict=True)
        }
        if measures.pose is None:
            derived |= {c.name: None for c in _MEASURES if c.name.startswith("pose_")}
        face_object: dict[str, object] = {
            "face_id": face.id,
            "confidence": round(float(face.confidence), 3),
            **derived,
            "landmarks": self._by_name(_rounded(self.place(face.landmarks), 2)),
        }
        if self.scores:
            face_object["scores"] = self._by_name(_rounded(face.scores, 3))
        return face_object

    def _by_name(self, values: list[object]) -> object:
        return dict(zip(self.labels, values, strict=True)) if self.named else values


def numbered(points: int, *, scores: bool = False, place: Place = as_shown) -> TableLayout:
    """The layout in which K landmarks are called by their numbers, as OpenFace does."""
    return TableLayout(tuple(map(str, range(points))), scores, place=place)


def layout_of(
    markup: Markup, *, scores: bool = False, names: bool = False, place: Place = as_shown
) -> TableLayout:
    """The layout for the landmarks of a markup, by their numbers or by their names."""
    if not names:
        return numbered(markup.points, scores=scores, place=place)
    return TableLayout(markup.names, scores, True, place)


def measure_values(measures: Measures) -> list[float]:
    """Values of the derived columns; a pose that could not be found is all 0.

    What the markup does not tell is NaN.
    """
    pose = measures.pose
    placed = [*pose.translation.tolist(), *euler_angles(pose.matrix)] if pose else [0.0] * 6
    return [*placed, *measures.eyes, measures.mouth, measures.blinks, measures.interocular]


def _number(value: float, decimals: int) -> float | None:
    if not isfinite(value):
        return None
    return round(value, decimals) if decimals else int(value)


def _rounded(values: NDArray[np.floating], decimals: int) -> list[object]:
    # In float64: a float32 has no short decimals, and JSON would get all its digits.
    return list(np.round(values.astype(np.float64), decimals).tolist())
