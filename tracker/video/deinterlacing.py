"""Frames that hold two moments, in every other line, made into frames of one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import av
from av.filter import Graph
from av.video.frame import VideoFrame

from tracker.video.frame_source import CLOCK

# The filter takes none with fewer columns or lines.
_SMALLEST = 4


class Deinterlacer:
    """Passes frames on, those marked as interlaced deinterlaced (FFmpeg's `bwdif`).

    One frame comes out for each that goes in, at its time: the moment of its first field. From the
    first interlaced frame on frames come one later, since the filter looks at the next one.

    Attributes:
        used: whether a frame was interlaced.
    """

    def __init__(self) -> None:
        self.used = False

    def __call__(self, frames: Iterable[VideoFrame]) -> Iterator[VideoFrame]:
        """The frames, in order and none left out."""
        graph: Graph | None = None
        kind = None
        for frame in frames:
            if graph is None and not _interlaced(frame):
                yield frame
                continue
            self.used = True
            own = frame.width, frame.height, frame.format.name
            if graph is None or own != kind:
                if graph is not None:
                    graph.push(None)
                    yield from _ready(graph)
                graph, kind = _graph(frame), own
            graph.push(frame)
            yield from _ready(graph)
        if graph is not None:
            graph.push(None)
            yield from _ready(graph)


def _interlaced(frame: VideoFrame) -> bool:
    return frame.interlaced_frame and min(frame.width, frame.height) >= _SMALLEST


def _graph(frame: VideoFrame) -> Graph:
    graph = Graph()
    graph.link_nodes(
        graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=frame.format,
            time_base=frame.time_base or CLOCK,
        ),
        graph.add("bwdif", mode="send_frame", deint="interlaced"),
        graph.add("buffersink"),
    ).configure()
    return graph


def _ready(graph: Graph) -> Iterator[VideoFrame]:
    while True:
        try:
            frame = graph.pull()
        except (av.BlockingIOError, av.EOFError):
            return
        assert isinstance(frame, VideoFrame)
        yield frame
