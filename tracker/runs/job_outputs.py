"""The outputs that a job asks for, opened one after the other."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from model.files import check_output
from model.markup import Markup
from tracker.drawing.draw_faces import check_layers
from tracker.measures.intrinsics import Intrinsics
from tracker.outputs.annotated_video import AnnotatedVideo
from tracker.outputs.output import Output
from tracker.outputs.preview_window import Preview
from tracker.outputs.side_outputs import open_side_outputs
from tracker.outputs.table_schema import as_shown, layout_of
from tracker.outputs.tables import TABLE_SUFFIXES, Table, open_table
from tracker.runs.job import Job
from tracker.video.frame_source import VideoInfo
from tracker.video.picture_file import PictureWriter
from tracker.video.video_writer import VideoWriter


@dataclass(frozen=True)
class User:
    """Whoever sits before a run.

    Attributes:
        say: told a sentence now.
        note: told a sentence that is for the end of the run.
        end: called when the user wants no more frames.
        stopped: asked while the user makes a pause; True where a signal has ended the run.
    """

    say: Callable[[str], object]
    note: Callable[[str], object]
    end: Callable[[], object]
    stopped: Callable[[], bool]


def open_video(
    job: Job, info: VideoInfo, stack: ExitStack, warn: Callable[[str], object]
) -> list[Output]:
    """The annotated video or picture, if one is wanted; it needs no network to be opened.

    Tables do, but what is wrong with their names is said here already.

    Args:
        job: what is wanted.
        info: the source.
        stack: closes it.
        warn: told at its end what happened to the sound.

    Raises:
        InputError: it cannot be written, or a table cannot.
    """
    for path in job.tables:
        check_output(path, TABLE_SUFFIXES, overwrite=job.overwrite, source=info.path)
    if job.out is None:
        return []
    return [stack.enter_context(AnnotatedVideo(_writer(job, job.out, info), job.layers, warn))]


def open_others(
    job: Job,
    info: VideoInfo,
    stack: ExitStack,
    markup: Markup,
    *,
    camera: Callable[[int, int], Intrinsics],
    user: User,
) -> list[Output]:
    """Everything else that is wanted, in the order in which it gets frames.

    Args:
        job: what is wanted.
        info: the source.
        stack: closes it all.
        markup: of the landmarks.
        camera: gives the camera for a width and a height in pixels.
        user: whoever looks.

    Raises:
        InputError: something cannot be opened, or the markup cannot tell what is to be drawn.
    """
    if job.out is not None or job.show or job.side.serve is not None:
        check_layers(job.layers, markup)
    outputs: list[Output] = []
    for save in job.tables:
        outputs.append(stack.enter_context(_table(job, save, info, markup)))
    outputs += open_side_outputs(
        job.side,
        stack,
        markup,
        camera=camera,
        layers=job.layers,
        title=str(job.source),
        say=user.say,
        overwrite=job.overwrite,
    )
    if job.show:
        # Last: while the user makes a pause, all others have the frame.
        outputs.append(stack.enter_context(_preview(job, info, user)))
    return outputs


def _writer(job: Job, out: Path, info: VideoInfo) -> VideoWriter | PictureWriter:
    if job.compare is not None:
        width, height = info.stored_size
        stored = (2 * width, height) if info.stored is not None else None
        info = replace(info, width=2 * info.width, stored=stored)
    if info.still:
        return PictureWriter(out, info, overwrite=job.overwrite)
    return VideoWriter(
        out,
        info,
        audio_from=info.path if info.has_audio else None,
        crf=job.crf,
        codec=job.codec,
        overwrite=job.overwrite,
    )


def _table(job: Job, save: Path, info: VideoInfo, markup: Markup) -> Table:
    place = info.to_stored if info.stored is not None else as_shown
    layout = layout_of(markup, scores=job.scores, names=job.names, place=place)
    return open_table(save, layout, overwrite=job.overwrite, source=info.path)


def _preview(job: Job, info: VideoInfo, user: User) -> Preview:
    name = info.path.stem if info.path else "propnet"
    return Preview(
        f"propnet-track: {info.name}",
        job.layers,
        Path.cwd() / name,
        hold=info.still,
        stopped=user.stopped,
        on_end=user.end,
        note=user.note,
    )
