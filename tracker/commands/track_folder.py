"""What `propnet-track` does with a folder or a pattern."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from model.errors import InputError
from model.files import reserve_output

if TYPE_CHECKING:
    from tracker.runs.job import Job, Stopped


def leave(stopped: Stopped, name: str = "") -> NoReturn:
    """Say that a signal ended the run, and end as the shell expects."""
    typer.echo(f"{name}{stopped}", err=True)
    raise typer.Exit(stopped.exit_code)


def track_series(source: str | Path, job: Job) -> None:
    """Track the files of a folder or pattern, each with outputs of its own."""
    from tracker.commands.build_bar import BuildBar  # noqa: PLC0415
    from tracker.commands.progress_bars import FileBar  # noqa: PLC0415
    from tracker.runs.file_series import plan_jobs, run_series  # noqa: PLC0415
    from tracker.runs.job import Stopped  # noqa: PLC0415
    from tracker.sources.file_list import find_inputs  # noqa: PLC0415
    from tracker.system.counted import counted  # noqa: PLC0415
    from tracker.system.native_stderr import native_stderr_hidden  # noqa: PLC0415
    from tracker.tracking.face_tracker import Tracker  # noqa: PLC0415

    if job.more_tables:
        raise InputError(
            "--save can be given once for a folder or pattern: it names the folder of the tables."
        )
    jobs = plan_jobs(job, find_inputs([source], [job.out, job.save]), job.out, job.save)
    for folder in {path.resolve(): path for path in (job.out, job.save) if path}.values():
        reserve_output(folder, folder=True)
    tracked = frames = seen = 0
    stopped: Stopped | None = None
    with (
        native_stderr_hidden(),
        BuildBar() as building,
        Tracker(job.weights, job.engine, job.options, building) as tracker,
        FileBar(len(jobs)) as bar,
    ):
        failed = 0
        try:
            for result in run_series(jobs, tracker):
                bar.tell(result)
                if result.summary is None:
                    failed += 1
                else:
                    tracked += 1
                    frames += result.summary.frames
                    seen += result.summary.frames_with_face > 0
                bar.advance(result.summary.frames if result.summary else 0)
        except Stopped as early:
            stopped = early
        engine = tracker.description
    typer.echo(
        f"{tracked} of {len(jobs)} files tracked, a face in {seen} of them, "
        f"{counted(frames, 'frame')}, with {engine}"
        + "".join(f"; wrote into {path}" for path in {job.out, job.save} if path)
    )
    if stopped:
        leave(stopped, f"{jobs[tracked + failed].source}: ")
    if failed:
        raise InputError(f"{failed} of {len(jobs)} files could not be tracked, see above.")
