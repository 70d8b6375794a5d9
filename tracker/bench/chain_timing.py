"""Timing the whole chain, from a video file to an annotated one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
from rich.console import Console
from rich.progress import track as progress

from tracker.bench.memory import peak_mb, resident_mb
from tracker.drawing.draw_faces import DEFAULT_LAYERS, draw_faces
from tracker.system.background_threads import ReadAhead, WriteBehind
from tracker.system.cores import available_cores
from tracker.system.stopwatch import Stopwatch
from tracker.tracking.face_tracker import Tracker
from tracker.tracking.results import Face
from tracker.video.frame_clock import FALLBACK_RATE
from tracker.video.frame_source import SourceFrame, VideoInfo
from tracker.video.video_reader import VideoReader
from tracker.video.video_writer import VideoWriter

# In the order in which a frame passes them.
STAGES = ("read", "cut", "detect", "crop", "engine", "decode", "smooth", "draw", "write")
# The first frames pay for caches, memory, the detector's start and what engines prepare when they
# first see several faces; they are not counted.
WARM_UP = 30


@dataclass(frozen=True)
class Memory:
    """Memory of the whole process while it tracked, MB; None where the system does not say.

    Attributes:
        start: held at the first counted frame.
        quarter: held after a quarter of the frames.
        end: held after the last one.
        peak: the most so far, of everything that the process has done.
        peak_growth: by how much the peak grew after the first quarter: 0 means flat.
    """

    start: float | None
    quarter: float | None
    end: float | None
    peak: float | None
    peak_growth: float | None


@dataclass(frozen=True)
class BenchResult:
    """What was measured.

    Attributes:
        source: what was read.
        width: pixels.
        height: pixels.
        frames: frames counted.
        faces: faces to follow at most.
        faces_per_frame: mean number of faces that were followed.
        engine: the engine's description.
        weights: name of the network.
        follower: of the one that follows faces; None for the same one.
        cores: processor cores this process may use.
        startup_seconds: until the tracker was ready for the first frame.
        fps: frames per second, everything included.
        wall_ms: milliseconds per frame, everything included: 1000 / fps.
        busy_ms: sum of the stages, milliseconds per frame. What it exceeds `wall_ms` by was done
            at the same time.
        cpu_ms: processor time of the process per frame, milliseconds, all cores together. Other
            programs on the machine hardly change it.
        frame_ms_p95: 95 % of the frames took less, milliseconds.
        stage_ms: stage -> mean milliseconds per frame. They overlap: reading, tracking, and drawing
            and writing have a thread each, and decoder and encoder work on in more.
        memory: of the process.
    """

    source: str
    width: int
    height: int
    frames: int
    faces: int
    faces_per_frame: float
    engine: str
    weights: str
    follower: str | None
    cores: int
    startup_seconds: float
    fps: float
    wall_ms: float
    busy_ms: float
    cpu_ms: float
    frame_ms_p95: float
    stage_ms: dict[str, float]
    memory: Memory


def measure(
    clip: Path,
    out: Path | None,
    tracker: Tracker,
    *,
    frames: int,
    startup_seconds: float,
) -> BenchResult:
    """Track through a clip and take the time.

    Args:
        clip: the video; it is read again from its start where it is too short.
        out: annotated video to write, None for none.
        tracker: that nothing was tracked with so far; it stays open.
        frames: frames to count, after the warm-up.
        startup_seconds: what opening it took.

    Returns:
        What was measured.

    Raises:
        InputError: an unusable clip.
    """
    with VideoReader(clip) as video:
        info = video.info
    begin = perf_counter()
    with ExitStack() as stack:
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
        # Allocated at once, so that a long run does not measure its own list.
        frame_seconds = np.zeros(frames)
        found, start, processor = 0, begin, 0.0
        held: list[float | None] = []
        peaks: list[float | None] = []
        for index in progress(
            range(WARM_UP + frames), "tracking", transient=True, console=Console(stderr=True)
        ):
            if index == WARM_UP:
                # The few frames in flight between the threads blur this by a per cent.
                for stopwatch in (reading, tracker.stopwatch, writing):
                    stopwatch.seconds.clear()
                start, processor = perf_counter(), process_time()
            if index in (WARM_UP, WARM_UP + frames // 4):
                held.append(resident_mb())
                peaks.append(peak_mb())
            before = perf_counter()
            frame = next(source)
            faces = tracker(frame.image, frame.timestamp)
            sink.put((frame, faces))
            if index >= WARM_UP:
                frame_seconds[index - WARM_UP] = perf_counter() - before
                found += len(faces)
        # The encoder holds frames back until the end: completing the file is part of the work.
        sink.close()
        if writer is not None:
            with writing("write"):
                writer.close()
        total, processor = perf_counter() - start, process_time() - processor
        held.append(resident_mb())
        peaks.append(peak_mb())
        seconds = {**reading.seconds, **tracker.stopwatch.seconds, **writing.seconds}
        stage_ms = {s: 1000 * seconds[s] / frames for s in STAGES if s in seconds}
        return BenchResult(
            source=str(clip),
            width=info.width,
            height=info.height,
            frames=frames,
            faces=tracker.options.max_faces,
            faces_per_frame=found / frames,
            engine=tracker.engine.description,
            weights=tracker.engine.info.name,
            follower=tracker.follower,
            cores=available_cores(),
            startup_seconds=startup_seconds,
            fps=frames / total,
            wall_ms=1000 * total / frames,
            busy_ms=sum(stage_ms.values()),
            cpu_ms=1000 * processor / frames,
            frame_ms_p95=1000 * float(np.percentile(frame_seconds, 95)),
            stage_ms=stage_ms,
            memory=_memory(held, peaks),
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


def _memory(held: list[float | None], peaks: list[float | None]) -> Memory:
    """From what was held, and the most held so far, at the start, a quarter and the end."""
    # Fewer than four frames have their first quarter at the start.
    start, quarter, end = held[0], held[-2], held[-1]
    before, after = peaks[-2], peaks[-1]
    growth = None if before is None or after is None else after - before
    return Memory(start, quarter, end, after, growth)
