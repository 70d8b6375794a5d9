"""Where the results of one run go: annotated video, table, preview, web page and the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tracker.drawing.annotated_picture import Painter
from tracker.measures.measured_frame import Deriver
from tracker.outputs.preview_window import Preview
from tracker.outputs.side_outputs import FrameSink
from tracker.outputs.tables import Table
from tracker.outputs.web_page import LivePage
from tracker.system.background_threads import WriteBehind
from tracker.tracking.results import Face
from tracker.video.picture_file import PictureWriter
from tracker.video.video_writer import VideoWriter


class Sinks:
    """Hands every frame to what was asked for. A context manager; does not own its sinks.

    Drawing and encoding have a thread of their own; windows belong to the main thread.

    Args:
        paint: draws the frames.
        layers: what to draw.
        writer: annotated video, or None.
        table: table of landmarks, or None.
        preview: window, or None.
        page: web page, or None.
        others: crops, senders.
        derive: measures the faces for the table, the page and the others.
    """

    def __init__(
        self,
        paint: Painter,
        layers: frozenset[str],
        *,
        writer: VideoWriter | PictureWriter | None,
        table: Table | None,
        preview: Preview | None,
        page: LivePage | None,
        others: Sequence[FrameSink],
        derive: Deriver,
    ) -> None:
        self._paint, self._layers = paint, layers
        self._writer, self._table, self._preview = writer, table, preview
        self._page = page
        self._measured = [*([table] if table is not None else []), *others]
        self._derive = derive
        self._video = WriteBehind(self._write_video) if writer is not None else None

    def write(
        self,
        number: int,
        timestamp: float,
        image: NDArray[np.uint8],
        faces: tuple[Face, ...],
        latency: float | None = None,
    ) -> bool:
        """Take a frame; False if the user wants no more. `latency` is for the preview to show."""
        measured = None
        if self._measured or self._page is not None:
            measured = self._derive(number, timestamp, image, faces)
            for sink in self._measured:
                sink.write(measured)
        drawing = _Drawing(image, faces, self._paint)
        if self._page is not None and measured is not None:
            # Its points are those of the picture alone.
            picture = drawing.annotated(self._layers) if self._page.watched else None
            self._page.write(measured, picture)
        # First: a pause of the preview must not hold it up.
        if self._video is not None and self._preview is not None:
            drawn = drawing(self._layers)
            self._video.put((timestamp, lambda: drawn))
        elif self._video is not None:
            self._video.put((timestamp, lambda: self._paint(image, faces, self._layers)))
        return self._preview is None or self._preview.show(number, drawing, latency)

    def cut_audio(self) -> None:
        """The source was not read to its end."""
        if self._writer is not None:
            self._writer.cut_audio()

    def close(self) -> None:
        """Complete the files."""
        if self._video is not None:
            self._video.close()
        for sink in (self._writer, self._table):
            if sink is not None:
                sink.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._video is not None:
            self._video.__exit__(kind, error, trace)

    def _write_video(self, frame: tuple[float, Callable[[], NDArray[np.uint8]]]) -> None:
        timestamp, draw = frame
        if self._writer is not None:
            self._writer.write(draw(), timestamp)


class _Drawing:
    """A frame drawn with any layers, each choice once."""

    def __init__(self, image: NDArray[np.uint8], faces: tuple[Face, ...], paint: Painter) -> None:
        self._image, self._faces, self._paint = image, faces, paint
        self._made: dict[tuple[frozenset[str], bool], NDArray[np.uint8]] = {}

    def __call__(self, layers: frozenset[str]) -> NDArray[np.uint8]:
        """With the comparison, if there is one."""
        return self._get(layers, self._paint.compare is not None)

    def annotated(self, layers: frozenset[str]) -> NDArray[np.uint8]:
        """Without it."""
        return self._get(layers, False)

    def _get(self, layers: frozenset[str], compared: bool) -> NDArray[np.uint8]:
        key = layers, compared
        if key not in self._made:
            draw = self._paint if compared else self._paint.annotated
            self._made[key] = draw(self._image, self._faces, layers)
        return self._made[key]
