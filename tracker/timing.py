"""Timing the whole chain, from a video file to an annotated one."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
from rich.console import Console
from rich.progress import track as progress

from tracker.draw import DEFAULT_LAYERS, draw_faces
from tracker.options import TrackerOptions
from tracker.pipeline import ReadAhead, WriteBehind
from tracker.results import Face
from tracker.stopwatch import Stopwatch
from tracker.tracker import Tracker
from tracker.video import FALLBACK_RATE, VideoReader
from tracker.videoinfo import SourceFrame, VideoInfo
from tracker.writer import VideoWriter

# In the order in which a frame passes them.
STAGES = ("read", "cut", "detect", "crop", "engine", "decode", "smooth", "draw", "write")
# The first frames pay for caches, memory and the detector's start; they are not counted.
WARM_UP = 10


@dataclass(frozen=True)
class BenchResult:
    """What was measured.

    Attributes:
        source: what was read.
        width: pixels.
        height: pixels.
        frames: frames counted.
        faces_per_frame: mean number of faces.
        engine: the engine's description.
        weights: name of the network.
        cores: processor cores this process may use.
        startup_seconds: until the tracker was ready for the first frame.
        fps: frames per second, everything included.
        frame_ms_p95: 95 % of the frames took less, milliseconds.
        stage_ms: stage -> mean milliseconds per frame. They overlap: reading, tracking, and drawing
            and writing have a thread each, and decoder and encoder work on in more.
        peak_memory_mb: largest memory of the process so far, MB; None where it is not known.
    """

    source: str
    width: int
    height: int
    frames: int
    faces_per_frame: float
    engine: str
    weights: str
    cores: int
    startup_seconds: float
    fps: float
    frame_ms_p95: float
    stage_ms: dict[str, float]
    peak_memory_mb: float | None


def measure(
    clip: Path,
    out: Path | None,
    weights: str,
    engine: str,
    options: TrackerOptions,
    *,
    frames: int,
) -> BenchResult:
    """Track through a clip and take the time.

    Args:
        clip: the video; it is read again from its start where it is too short.
        out: annotated video to write, None for none.
        weights: a shipped name or a path.
        engine: name of the engine.
        options: how to track.
        frames: frames to count, after the warm-up.

    Returns:
        What was measured.

    Raises:
        InputError: unusable clip, weights or engine.
    """
    with VideoReader(clip) as video:
        info = video.info
    begin = perf_counter()
    with ExitStack() as stack:
        tracker = stack.enter_context(Tracker(weights, engine, options))
        startup = perf_counter() - begin
        reading, writing = Stopwatch(), Stopwatch()
        source = stack.enter_context(ReadAhead(_endless(clip, info, reading)))
        writer = stack.enter_context(VideoWriter(out, info)) if out is not None else None

        def write(item: tuple[SourceFrame, tuple[Face, ...]]) -> None:
            frame, faces = item
            if writer is not None:
                with writing("draw"):
                    drawn = draw_faces(frame.image, faces, tracker.markup, DEFAULT_LAYERS)
                with writing("write"):
                    writer.write(drawn, frame.timestamp)

        sink = stack.enter_context(WriteBehind(write))
        frame_seconds: list[float] = []
        found, start = 0, begin
        for index in progress(
            range(WARM_UP + frames), "tracking", transient=True, console=Console(stderr=True)
        ):
            if index == WARM_UP:
                # The few frames in flight between the threads blur this by a per cent.
                for stopwatch in (reading, tracker.stopwatch, writing):
                    stopwatch.seconds.clear()
                start = perf_counter()
            before = perf_counter()
            frame = next(source)
            faces = tracker(frame.image, frame.timestamp)
            sink.put((frame, faces))
            if index >= WARM_UP:
                frame_seconds.append(perf_counter() - before)
                found += len(faces)
        # The encoder holds frames back until the end: completing the file is part of the work.
        sink.close()
        if writer is not None:
            with writing("write"):
                writer.close()
        total = perf_counter() - start
        seconds = {**reading.seconds, **tracker.stopwatch.seconds, **writing.seconds}
        return BenchResult(
            source=str(clip),
            width=info.width,
            height=info.height,
            frames=frames,
            faces_per_frame=found / frames,
            engine=tracker.engine.description,
            weights=tracker.engine.info.name,
            cores=_cores(),
            startup_seconds=startup,
            fps=frames / total,
            frame_ms_p95=1000 * float(np.percentile(frame_seconds, 95)),
            stage_ms={s: 1000 * seconds[s] / frames for s in STAGES if s in seconds},
            peak_memory_mb=_peak_memory(),
        )


def _endless(clip: Path, info: VideoInfo, stopwatch: Stopwatch) -> Iterator[SourceFrame]:
    """The frames of a clip over and over, with times that go on growing."""
    begin, count = 0.0, 0
    step = float(1 / (info.rate or FALLBACK_RATE))
    while True:
        last = 0.0
        with VideoReader(clip) as video:
            frames = iter(video)
            while True:
                with stopwatch("read"):
                    frame = next(frames, None)
                if frame is None:
                    break
                last = frame.timestamp
                yield SourceFrame(count, begin + last, frame.image)
                count += 1
        begin += last + step


def _cores() -> int:
    """Cores this process may use, which is what containers and `taskset` limit."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _peak_memory() -> float | None:
    """Largest resident memory so far in MB; None on Windows."""
    try:
        import resource  # noqa: PLC0415  (Unix only)
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Kilobytes on Linux, bytes on macOS.
    return peak / (1e6 if sys.platform == "darwin" else 1e3)
