"""One run of the tracker over one source: read, track, draw, write."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from model.errors import InputError
from tracker.draw import DEFAULT_LAYERS
from tracker.interrupt import interrupt_flag
from tracker.options import TrackerOptions
from tracker.pipeline import ReadAhead
from tracker.preview import Preview, check_display
from tracker.sinks import Sinks
from tracker.sources import open_source
from tracker.table import CsvTable
from tracker.tracker import Tracker
from tracker.video import VideoReader
from tracker.videoinfo import FrameSource, VideoInfo
from tracker.writer import DEFAULT_CRF, VideoWriter


@dataclass(frozen=True)
class Job:
    """What to do with one source.

    Attributes:
        source: path of a video, or number of a camera.
        out: annotated video to write, or None.
        save: table of landmarks to write, or None.
        show: whether to show the annotated frames in a window.
        weights: shipped name or path of a network.
        engine: name of the engine that runs it.
        options: how to track.
        layers: what to draw.
        crf: quality of `out`.
        overwrite: replace existing outputs.
        max_frames: stop after so many frames; None for all.
    """

    source: str | Path | int
    out: Path | None = None
    save: Path | None = None
    show: bool = False
    weights: str = "propnet-s"
    engine: str = "auto"
    options: TrackerOptions = field(default_factory=TrackerOptions)
    layers: frozenset[str] = DEFAULT_LAYERS
    crf: int = DEFAULT_CRF
    overwrite: bool = False
    max_frames: int | None = None


@dataclass(frozen=True)
class Summary:
    """What a run did.

    Attributes:
        frames: frames read.
        frames_with_face: of those, with at least one face.
        faces: tracks, that is different face ids.
        seconds: from the first frame to the last, everything included but loading the network.
        engine: what ran the network.
        damaged: parts of the source that could not be decoded and were skipped.
    """

    frames: int
    frames_with_face: int
    faces: int
    seconds: float
    engine: str
    damaged: int


# Called with the source's description before the first frame, and with the frames done after each.
OnStart = Callable[[VideoInfo], None]
OnFrame = Callable[[int], None]


def run_job(job: Job, on_start: OnStart | None = None, on_frame: OnFrame | None = None) -> Summary:
    """Track faces through a source.

    Ctrl-C ends a camera's run like its regular end, with the outputs completed; it breaks off the
    run over a file, and leaves no output.

    Args:
        job: what to do.
        on_start: told about the source, for a progress bar.
        on_frame: told how many frames are done.

    Raises:
        InputError: unusable source, weights or output, or a file without any face. No output is
            left then, finished or not. (A camera's recording is kept even without a face, since it
            cannot be made again.)
    """
    if job.show:
        check_display()
    if job.out is not None and job.out == job.save:
        raise InputError(f"{job.out} cannot be both the video and the table: give two names.")
    with ExitStack() as stack:
        # Cheap checks first: a mistyped name is reported before the network is loaded.
        source = stack.enter_context(open_source(job.source))
        writer = stack.enter_context(_open_writer(job, source.info)) if job.out else None
        tracker = stack.enter_context(Tracker(job.weights, job.engine, job.options))
        points = tracker.markup.points
        table = stack.enter_context(_open_table(job, source.info, points)) if job.save else None
        preview = stack.enter_context(Preview(f"propnet-track: {job.source}")) if job.show else None
        sinks = stack.enter_context(Sinks(tracker.markup, job.layers, writer, table, preview))
        # A camera has a thread of its own, which must not run ahead.
        frames = source if source.info.live else stack.enter_context(ReadAhead(source))
        stop = stack.enter_context(interrupt_flag(source.info.live))
        if on_start is not None:
            on_start(source.info)
        begin = time.perf_counter()
        count, hits, ids = 0, 0, set[int]()
        for number, timestamp, image in frames:
            faces = tracker(image, timestamp)
            count, hits = number + 1, hits + bool(faces)
            ids.update(face.id for face in faces)
            wanted = sinks.write(number, timestamp, image, faces)
            if on_frame is not None:
                on_frame(count)
            if not wanted or stop.is_set() or count == job.max_frames:
                sinks.cut_audio()
                break
        if not hits and not source.info.live:
            raise InputError(
                f"{job.source}: no face in any of its {count} frames, so nothing was written; "
                "check that faces are at least 40 pixels high and not upside down."
            )
        # Completing the files is part of the work: x264 holds back dozens of frames until then.
        sinks.close()
        seconds = time.perf_counter() - begin
        return Summary(count, hits, len(ids), seconds, tracker.engine.description, _damaged(source))


def _open_writer(job: Job, info: VideoInfo) -> VideoWriter:
    assert job.out is not None
    sound = info.path if info.has_audio else None
    return VideoWriter(job.out, info, audio_from=sound, crf=job.crf, overwrite=job.overwrite)


def _open_table(job: Job, info: VideoInfo, points: int) -> CsvTable:
    assert job.save is not None
    return CsvTable(job.save, points, overwrite=job.overwrite, source=info.path)


def _damaged(source: FrameSource) -> int:
    return source.damaged if isinstance(source, VideoReader) else 0
