"""What receives frames: one small protocol, the frame it is given, and all of a run's together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import cached_property
from types import TracebackType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tracker.drawing.annotated_picture import Painter
from tracker.measures.face_measures import FaceMeasurer, Measures
from tracker.tracking.results import Face


class OutputFrame:
    """A tracked frame; what costs time is made when it is first asked for, and then once for all.

    Attributes:
        index: number of the frame, from 0.
        timestamp: seconds.
        image: [H, W, 3], uint8, RGB, without any drawing.
        faces: the faces.
        latency: seconds since the frame had arrived; None for files.

    Args:
        measure: gives the measures of this frame's faces.
        paint: draws it.
    """

    def __init__(
        self,
        index: int,
        timestamp: float,
        image: NDArray[np.uint8],
        faces: Sequence[Face],
        *,
        measure: Callable[[OutputFrame], Sequence[Measures]],
        paint: Painter,
        latency: float | None = None,
    ) -> None:
        self.index, self.timestamp, self.image, self.faces = index, timestamp, image, faces
        self.latency = latency
        self._measure, self._paint = measure, paint
        self._pictures: dict[tuple[frozenset[str], bool], NDArray[np.uint8]] = {}
        # The video is drawn in its own thread while the window may want the same picture.
        self._drawing = threading.Lock()

    @cached_property
    def measures(self) -> Sequence[Measures]:
        """What the landmarks of each face say, in the order of `faces`."""
        return self._measure(self)

    def drawn(self, layers: frozenset[str]) -> NDArray[np.uint8]:
        """The picture to show, [H, W, 3], or [H, 2 W, 3] where it is compared with another."""
        return self._picture(layers, self._paint.compare is not None)

    def annotated(self, layers: frozenset[str]) -> NDArray[np.uint8]:
        """The annotated picture alone, [H, W, 3], uint8, RGB."""
        return self._picture(layers, False)

    def _picture(self, layers: frozenset[str], compared: bool) -> NDArray[np.uint8]:
        key = layers, compared
        with self._drawing:
            if key not in self._pictures:
                draw = self._paint if compared else self._paint.annotated
                self._pictures[key] = draw(self.image, self.faces, layers)
            return self._pictures[key]


class Output(Protocol):
    """Receives frames. A context manager: an exception in its block leaves nothing half-made."""

    def write(self, frame: OutputFrame) -> None:
        """Take the next frame.

        Raises:
            InputError: it cannot be written or sent any more.
        """

    def close(self, early: bool = False) -> None:
        """Complete what was made; a second call does nothing.

        Args:
            early: the source went on after the last frame: sound, for example, ends there too.

        Raises:
            InputError: it cannot be completed; nothing is left then.
        """

    def __enter__(self) -> Output: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Outputs:
    """All outputs of a run. Who opened them closes them in the end, whatever happens.

    Args:
        outputs: in the order in which they get each frame; one that may wait for the user is last.
        measurer: measures faces, for those that ask.
        paint: draws frames, for those that ask.
    """

    def __init__(self, outputs: Sequence[Output], measurer: FaceMeasurer, paint: Painter) -> None:
        self._outputs, self._measurer, self._paint = outputs, measurer, paint

    def write(
        self,
        index: int,
        timestamp: float,
        image: NDArray[np.uint8],
        faces: Sequence[Face],
        latency: float | None = None,
    ) -> None:
        """Hand a tracked frame to all; see `OutputFrame`."""
        frame = OutputFrame(
            index,
            timestamp,
            image,
            faces,
            measure=self._measurer,
            paint=self._paint,
            latency=latency,
        )
        for output in self._outputs:
            output.write(frame)

    def close(self, early: bool = False) -> None:
        """Complete all of them; see `Output.close`."""
        for output in self._outputs:
            output.close(early)
