"""One run of the tracker over one source: read, track, draw, write."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Event

from model.errors import InputError
from model.shipped_markups import MARKUPS
from model.stop_signals import StopFlag, interrupt_flag
from model.zoo import shipped
from tracker.drawing.annotated_picture import Painter
from tracker.engines.base import BuildWatcher
from tracker.measures.face_measures import FaceMeasurer
from tracker.outputs.output import Outputs
from tracker.outputs.preview_window import check_display
from tracker.runs.job import Job, Stopped, Summary
from tracker.runs.job_outputs import User, open_others, open_video
from tracker.sources.live_reader import LiveReader, SourceLostError
from tracker.sources.network_stream import NetworkReader, StreamReader
from tracker.sources.open_source import open_source
from tracker.sources.raw_frames import RawReader
from tracker.system.background_threads import ReadAhead
from tracker.tracking.face_tracker import Tracker
from tracker.tracking.offline_smoothing import follow_twice
from tracker.tracking.results import Face
from tracker.video.frame_source import FrameSource, SourceFrame, VideoInfo
from tracker.video.video_reader import VideoReader

# Called with the source's description before the first frame; with the frames done after each, and
# for live sources the seconds since the last one had arrived.
OnStart = Callable[[VideoInfo], None]
OnFrame = Callable[[int, float | None], None]
# Called with a sentence for the user.
Say = Callable[[str], object]


def run_job(
    job: Job,
    on_start: OnStart | None = None,
    on_frame: OnFrame | None = None,
    say: Say = lambda text: None,
    tracker: Tracker | None = None,
    *,
    watcher: BuildWatcher | None = None,
) -> Summary:
    """Track faces through a source.

    Ctrl-C and SIGTERM end the run after the frame in work, and all outputs are completed: they are
    whole files that end there. For a camera or another source that is there only once that is the
    regular end; for a file it is told by `Stopped`. A second signal breaks the run off, and no
    video or table is left. Crops are whole one by one, and stay. A live source that breaks off
    counts as ended: the outputs are completed, `Summary.lost` says why.

    Args:
        job: what to do.
        on_start: told about the source, for a progress bar.
        on_frame: told how many frames are done.
        say: told where the web page is, before the first frame.
        tracker: to be used (and reset); by default one is made as the job says.
        watcher: told about an engine that has to be built for it.

    Raises:
        InputError: unusable source, weights or output, or a file without any face. No output is
            left then, finished or not. (A camera's recording is kept even without a face, since it
            cannot be made again.)
        Stopped: a signal came while a file was read.
    """
    if job.show:
        check_display()
    if job.out is not None and job.out in job.tables:
        raise InputError(f"{job.out} cannot be both the video and the table: give two names.")
    twice = [path for path in job.tables if job.tables.count(path) > 1]
    if twice:
        raise InputError(f"{twice[0]} cannot be two tables: give two names.")
    summary, stop = _run(job, on_start, on_frame, say, tracker, watcher)
    if stop is not None:
        raise Stopped(stop, summary)
    return summary


def _run(  # noqa: PLR0917 (those of `run_job`)
    job: Job,
    on_start: OnStart | None,
    on_frame: OnFrame | None,
    say: Say,
    tracker: Tracker | None,
    watcher: BuildWatcher | None,
) -> tuple[Summary, StopFlag | None]:
    """What was done, and the signal that ended it early, if one did.

    Nothing is raised for that here: it would take the outputs away.
    """
    with ExitStack() as stack:
        # Cheap checks first: a mistyped name is reported before the network is loaded.
        source = stack.enter_context(open_source(job.source, job.source_options))
        if job.offline_smooth and source.info.once:
            raise InputError(
                f"{source.info.name} can be read only once: --offline-smooth needs a file."
            )
        heard: list[str] = []
        outputs = open_video(job, source.info, stack, heard.append)
        tracker = _ready(job, source.info, stack, tracker, watcher)
        once = source.info.once
        live = source if isinstance(source, LiveReader) else None
        wake = source.stop if isinstance(source, LiveReader | RawReader) else _nothing
        stop = stack.enter_context(interrupt_flag(not job.whole, wake))
        # Cameras are calibrated on stored pixels.
        camera = job.camera.enlarged(*source.info.enlargement) if job.camera else None
        measurer = FaceMeasurer(tracker.markup, camera, job.fov)
        ended = Event()
        notes: list[str] = []
        user = User(say, notes.append, ended.set, stop.is_set)
        outputs += open_others(
            job, source.info, stack, tracker.markup, camera=measurer.camera, user=user
        )
        paint = Painter(tracker.markup, job.style, job.compare, measurer.camera)
        everything = Outputs(outputs, measurer, paint)
        # A live source has a thread of its own, which must not run ahead.
        frames = source if source.info.live else stack.enter_context(ReadAhead(source))
        # Run before the line above is undone: its thread may be waiting for a pipe.
        stack.callback(wake)
        if on_start is not None:
            on_start(source.info)
        begin = time.perf_counter()
        count, hits, ids = 0, 0, set[int]()
        lost, early = None, False
        try:
            followed = _follow(job, frames, tracker, stack, on_frame, stop)
            for (number, timestamp, image), faces in followed:
                count, hits = number + 1, hits + bool(faces)
                ids.update(face.id for face in faces)
                latency = live.latency if live else None
                everything.write(number, timestamp, image, faces, latency)
                if on_frame is not None:
                    on_frame(count, live.latency if live else None)
                early = ended.is_set() or stop.is_set() or count == job.max_frames
                if early:
                    break
        except SourceLostError as error:
            if not count:
                raise
            lost = str(error)
        warnings = source.warnings if isinstance(source, VideoReader) else ()
        if not (hits or once or job.faceless or stop.is_set()):
            raise _no_face(source.info, count, tracker, job.weights, warnings)
        # Completing the files is part of the work: x264 holds back dozens of frames until then.
        everything.close(early)
        seconds = time.perf_counter() - begin
        summary = Summary(
            count,
            hits,
            len(ids),
            seconds,
            tracker.description,
            damaged=source.damaged if isinstance(source, VideoReader) else 0,
            dropped=live.dropped if live else 0,
            lost=lost,
            ended=ended.is_set(),
            notes=(*_notes(tracker), *notes),
            source_notes=_source_notes(source),
            warnings=(*warnings, *(f"{source.info.name}: {text}." for text in heard)),
        )
        return summary, stop if stop.is_set() and not once else None


def _ready(
    job: Job,
    info: VideoInfo,
    stack: ExitStack,
    tracker: Tracker | None,
    watcher: BuildWatcher | None,
) -> Tracker:
    """The tracker, given or new, from a clean start."""
    if tracker is None:
        tracker = stack.enter_context(Tracker(job.weights, job.engine, job.options, watcher))
    tracker.reset()
    if info.live:
        tracker.load()
    return tracker


def _follow(  # noqa: PLR0917 (what is open in the run)
    job: Job,
    frames: Iterable[SourceFrame],
    tracker: Tracker,
    stack: ExitStack,
    on_frame: OnFrame | None,
    stop: StopFlag,
) -> Iterator[tuple[SourceFrame, tuple[Face, ...]]]:
    """Frames with their faces, as they come or, if so wanted, in a second reading of the file."""
    if not job.offline_smooth:
        return ((frame, tracker(frame.image, frame.timestamp)) for frame in frames)
    first = stack.enter_context(open_source(job.source, job.source_options))
    ahead = stack.enter_context(ReadAhead(first))
    tell = (lambda count: on_frame(count, None)) if on_frame is not None else (lambda count: None)
    return follow_twice(_until(stop, ahead), frames, tracker, job.max_frames, tell)


def _until(stop: StopFlag, frames: Iterable[SourceFrame]) -> Iterator[SourceFrame]:
    """The frames of a first reading, from which nothing can be written yet."""
    for frame in frames:
        if stop.is_set():
            raise Stopped(stop, None)
        yield frame


def _or_the_network(tracker: Tracker, weights: str) -> str:
    """What else may be at fault where the network is not one of ours."""
    if f"{weights}.onnx" in shipped():
        return ""
    name = Path(weights).name
    if tracker.markup in MARKUPS.values():
        return f"; or {name} is at fault, which does not know them: try without --weights"
    if tracker.things == "faces":
        return f"; if {name} knows other things, say where they are with --box or --detector"
    return f"; or {name} does not know them: judge it with python -m train.evaluate"


def _no_face(
    info: VideoInfo, count: int, tracker: Tracker, weights: str, warnings: Sequence[str]
) -> InputError:
    least = tracker.smallest_face(info.width, info.height)
    where = "its only frame" if count == 1 else f"any of its {count} frames"
    things = tracker.things
    nothing = "no face" if things == "faces" else "nothing was found"
    return InputError(
        f"{info.name}: {nothing} in {where}, so nothing was written; {things} must be at least "
        f"{least} pixels high to be found in {info.width}x{info.height}"
        f"{_or_the_network(tracker, weights)}." + "".join(f" Besides, {text}" for text in warnings)
    )


def _notes(tracker: Tracker) -> tuple[str, ...]:
    if tracker.engine.info.calibration is not None:
        return ()
    return ("confidences are no probabilities: these weights are uncalibrated",)


def _source_notes(source: FrameSource) -> tuple[str, ...]:
    """What the user should know of the source and of what was done to its frames."""
    altered = source.notes if isinstance(source, VideoReader | NetworkReader | StreamReader) else ()
    return (*source.info.notes, *altered)


def _nothing() -> None:
    pass
