"""The command `propnet-track batch`: many files, several at once, to be continued at any time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from model.errors import InputError
from model.files import reserve_output
from model.output_lock import UNFINISHED, is_lock_file
from tracker.commands.build_bar import BuildBar
from tracker.commands.progress_bars import FileBar
from tracker.commands.run_options import RunOptions, with_run_options
from tracker.outputs.tables import TABLE_SUFFIXES
from tracker.runs.batch_manifest import Manifest
from tracker.runs.file_series import plan_jobs
from tracker.runs.job import Job
from tracker.runs.ray_cluster import RayCluster
from tracker.runs.worker_processes import run_parallel
from tracker.sources.file_list import find_inputs
from tracker.system.cores import available_cores
from tracker.system.counted import counted
from tracker.tracking.face_tracker import Tracker

_FORMATS = (*(suffix.removeprefix(".") for suffix in TABLE_SUFFIXES), "none")


@with_run_options
def batch_command(
    context: typer.Context,
    inputs: Annotated[
        list[str], typer.Argument(metavar="IN...", help="Videos, pictures, folders or patterns.")
    ],
    *,
    out_dir: Annotated[Path, typer.Option(metavar="DIR", help="Folder for all outputs.")],
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Files to work on at once; 1, with --ray one per processor."),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Work on a Ray cluster: auto, HOST:PORT, ray://HOST:PORT, or local to start one "
            "here. Inputs and DIR must be on storage that all its nodes share.",
        ),
    ] = None,
    video: Annotated[
        bool, typer.Option("--video/--no-video", help="Annotated videos and pictures.")
    ] = True,
    save_format: Annotated[
        str, typer.Option(metavar="|".join(_FORMATS), help="Kind of the tables.")
    ] = "csv",
    options: RunOptions,
) -> None:
    """Track many files; run the same command again to continue.

    Every file gets an annotated video (or picture) and a table in DIR, and a line in
    DIR/manifest.jsonl. Files that are done there are passed over, unless they or the options have
    changed; failed ones are tried again. One bad file does not stop the others; the exit code is 2
    at the end if there was one.
    """
    if save_format not in _FORMATS:
        raise InputError(f"no table format '{save_format}': use one of {', '.join(_FORMATS)}.")
    tables = save_format != "none"
    if not (video or tables):
        raise InputError("there is nothing to make: --no-video needs a --save-format.")
    if options.compare is not None and not video:
        raise InputError("--compare changes the videos: drop it, or --no-video.")
    files = find_inputs(inputs, [out_dir])
    _check_folder(out_dir)
    cluster = context.with_resource(RayCluster(ray, jobs)) if ray is not None else None
    template = options.job(
        "",
        pictures=video,
        # Every job would take all cores, and they would wait for each other.
        threads=cluster.threads if cluster else max(available_cores() // (jobs or 1), 1),
        # What is there and not vouched for by the manifest is our own from a run that was killed.
        overwrite=True,
        whole=True,
    )
    # A mistake in weights or engine is one of the command, not of every file.
    with BuildBar() as building:
        Tracker(template.weights, template.engine, template.options, building).close()
    planned = plan_jobs(
        template,
        files,
        out_dir if video else None,
        out_dir if tables else None,
        f".{save_format}",
    )
    # Another batch into the same folder would write the same manifest.
    reserve_output(out_dir, folder=True)
    manifest = Manifest(out_dir)
    manifest.check_owners(planned)
    todo = [job for job in planned if not manifest.is_done(job)]
    manifest.begin(todo)
    if cluster and todo:
        cluster.check(_to_be_shared(manifest, todo))
    counts: Counter[str] = Counter()
    results = cluster.run(todo) if cluster else run_parallel(todo, jobs or 1)
    with (
        FileBar(len(planned), len(planned) - len(todo)) as bar,
        _said_if_stopped(manifest, planned),
        closing(results),
    ):
        for result in results:
            manifest.add(result)
            frames = result.summary.frames if result.summary else 0
            counts.update({"failed": int(result.error is not None), "frames": frames})
            bar.advance(frames)
            bar.tell(result)
    made = len(todo) - counts["failed"]
    typer.echo(
        f"{made} of {len(planned)} files tracked "
        f"({counted(counts['frames'], 'frame')}), "
        f"{len(planned) - len(todo)} done before, {counts['failed']} failed; "
        f"see {manifest.path}"
    )
    if counts["failed"]:
        raise typer.Exit(2)


def _to_be_shared(manifest: Manifest, jobs: Sequence[Job]) -> list[Path]:
    """Files that stand for what every node of a cluster must see."""
    own = [*jobs[0].networks, Path(str(jobs[0].source))]
    return [manifest.path, *(path for path in own if path.is_file())]


@contextmanager
def _said_if_stopped(manifest: Manifest, planned: Sequence[Job]) -> Iterator[None]:
    """Say where a batch stands that is left by Ctrl-C or SIGTERM."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        done = sum(manifest.is_done(job) for job in planned)
        typer.echo(
            f"stopped with {done} of {len(planned)} files done: the same command goes on.", err=True
        )
        raise


def _check_folder(folder: Path) -> None:
    """A folder of somebody else is not written into.

    Raises:
        InputError: it has files, but no manifest.
    """
    try:
        filled = folder.is_dir() and not all(map(_of_a_start, folder.iterdir()))
    except OSError as error:
        raise InputError(f"{folder} cannot be read: {error.strerror}.") from error
    if filled and not Manifest(folder).exists:
        raise InputError(
            f"{folder} is not empty and has no manifest.jsonl of an earlier run: name another "
            "folder."
        )


def _of_a_start(path: Path) -> bool:
    """Whether a file may be what is left of a batch that was killed before it had a manifest."""
    begun = path.stem.startswith("manifest.") and path.stem.endswith(UNFINISHED)
    return is_lock_file(path) or begun
