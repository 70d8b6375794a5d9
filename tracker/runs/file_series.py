"""One run over many files: each has its own outputs, and a bad file does not stop the rest."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from model.errors import InputError
from tracker.outputs.tables import TABLE_SUFFIXES
from tracker.runs.job import Job, Summary
from tracker.runs.run_job import run_job
from tracker.sources.file_list import PICTURE_NAMES, output_names
from tracker.system.path_kinds import is_folder
from tracker.tracking.face_tracker import Tracker
from tracker.video.codec import CODECS, VIDEO_SUFFIXES
from tracker.video.picture_header import picture_header


@dataclass(frozen=True)
class Result:
    """What became of a file.

    Attributes:
        job: what was to be done.
        summary: of the run, None if it failed.
        error: why it failed, None if it did not.
    """

    job: Job
    summary: Summary | None = None
    error: str | None = None


def plan_jobs(
    template: Job,
    inputs: Sequence[Path],
    out: Path | None,
    save: Path | None,
    table: str = ".csv",
) -> list[Job]:
    """A job for each file, its outputs in folders, named after the input (see `output_names`).

    Tables follow OpenFace: one for every video or picture. A file without a face is no mistake
    here: its table says so.

    Args:
        template: all that the jobs have in common.
        inputs: files.
        out: folder for annotated videos and pictures, or None.
        save: folder for tables, or None.
        table: kind of the tables, one of `TABLE_SUFFIXES`.

    Raises:
        InputError: a folder holds inputs or cannot be made, outputs of its own for a file, or two
            inputs are the same file.
    """
    if template.side.any:
        raise InputError(
            "crops, web page and messages are for one source at a time: run the command for each."
        )
    for folder in (out, save):
        if folder is not None:
            make_folder(folder, inputs)
    return [
        replace(
            template,
            source=path,
            out=out / f"{name}{_suffix(path, template.codec)}" if out is not None else None,
            save=save / f"{name}{table}" if save is not None else None,
            faceless=True,
        )
        for path, name in zip(inputs, output_names(inputs), strict=True)
    ]


def run_series(
    jobs: Sequence[Job],
    tracker: Tracker,
    on_frame: Callable[[int, float | None], None] | None = None,
) -> Iterator[Result]:
    """Run one job after the other, with one tracker, which forgets all faces in between.

    Yields:
        The result of each; nothing more once the user has ended the preview.
    """
    for job in jobs:
        result = attempt(job, tracker, on_frame)
        yield result
        if result.summary is not None and result.summary.ended:
            return


def attempt(
    job: Job, tracker: Tracker, on_frame: Callable[[int, float | None], None] | None = None
) -> Result:
    """Run a job; whatever its file raises becomes part of the result, and the others go on."""
    try:
        return Result(job, run_job(job, on_frame=on_frame, tracker=tracker))
    except InputError as error:
        return Result(job, error=str(error))
    except Exception as error:
        return Result(
            job,
            error=f"{job.source} cannot be tracked: {type(error).__name__}: {_first_line(error)}. "
            "The file may be damaged; if others can play it, please report this.",
        )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "no reason given").rstrip(".")


def make_folder(folder: Path, inputs: Sequence[Path]) -> None:
    """Make a folder for outputs.

    Raises:
        InputError: it cannot be made, or it is that of an input: outputs would be taken for
            inputs, or replace them.
    """
    if folder.suffix.lower() in (*TABLE_SUFFIXES, *VIDEO_SUFFIXES) and not is_folder(folder):
        raise InputError(f"{folder} is a file's name: for many inputs give the name of a folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder} cannot be made a folder: {error.strerror}; choose another one."
        ) from error
    # Not `Path.resolve`: it raises where links go round in a circle, which is one file's trouble.
    home = Path(os.path.realpath(folder))
    inside = next((p for p in inputs if Path(os.path.realpath(p)).parent == home), None)
    if inside is not None:
        raise InputError(f"{folder} holds the input {inside.name}: choose another folder.")


def _suffix(path: Path, codec: str) -> str:
    """The input's own container, if it is one for the codec; H.264's are for any player."""
    suffix = path.suffix.lower()
    header = picture_header(path)
    if header.frames == 1 if header is not None else suffix in PICTURE_NAMES:
        return ".jpg" if suffix in (".jpg", ".jpeg") else ".png"
    return suffix if suffix in CODECS["h264" if codec == "auto" else codec].suffixes else ".mp4"
