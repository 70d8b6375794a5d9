"""`propnet-track VIDEO`: the options of one run, and what it says at its end."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from model.errors import InputError
from tracker.commands.run_options import RunOptions, with_run_options
from tracker.commands.track_folder import leave, track_series
from tracker.system.version import package_version


def _print_version(wanted: bool) -> None:
    if not wanted:
        return
    version = package_version() or "(run from its sources, not installed)"
    typer.echo(f"propnet-track {version}")
    raise typer.Exit


def _list_sources(wanted: bool) -> None:
    if not wanted:
        return
    from tracker.sources.camera_list import list_cameras  # noqa: PLC0415

    cameras = list_cameras()
    for camera in cameras:
        typer.echo(f"{camera.index}  {camera.name}")
    if not cameras:
        typer.echo("no camera is connected")
    raise typer.Exit


@with_run_options
def track(
    video: Annotated[
        str | None,
        typer.Argument(
            metavar="VIDEO",
            help="Video or picture; a folder or pattern of them; or an address (rtsp://, ...).",
            show_default=False,
        ),
    ] = None,
    *,
    source: Annotated[
        str | None,
        typer.Option(
            metavar="N|NAME|-|FILE",
            help="Camera by number (0 is the first) or name, - for raw frames from standard input, "
            "or what VIDEO takes.",
        ),
    ] = None,
    list_sources: Annotated[
        bool,
        typer.Option(
            "--list-sources", callback=_list_sources, is_eager=True, help="List the cameras."
        ),
    ] = False,
    size: Annotated[
        str | None, typer.Option(metavar="WxH", help="Size of camera's or raw frames.")
    ] = None,
    fps: Annotated[
        str | None, typer.Option(metavar="RATE", help="Rate of camera's or raw frames.")
    ] = None,
    pixel_format: Annotated[
        str | None,
        typer.Option(metavar="rgb24|bgr24|gray", help="Of raw frames; rgb24 if not given."),
    ] = None,
    reconnect: Annotated[
        float,
        typer.Option(metavar="SECONDS", min=0, help="How long to try to get a broken stream back."),
    ] = 30.0,
    out: Annotated[
        list[Path] | None,
        typer.Option(help="Annotated video (with the sound), picture, or for a folder: folder."),
    ] = None,
    save: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Table to write: .csv (OpenFace's columns), .jsonl, .parquet; repeat for several; "
            "for a folder: folder for one .csv per file.",
        ),
    ] = None,
    crops: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="Folder for an aligned crop of every face and frame."),
    ] = None,
    crop_size: Annotated[int, typer.Option(help="Side of the crops, pixels.")] = 256,
    serve: Annotated[
        str | None,
        typer.Option(metavar="[HOST:]PORT", help="Live picture and points for a web browser."),
    ] = None,
    opensee: Annotated[
        str | None,
        typer.Option(metavar="[HOST:]PORT", help="Send OpenSeeFace's UDP packets; usual is 11573."),
    ] = None,
    osc: Annotated[
        str | None,
        typer.Option(metavar="[HOST:]PORT", help="Send Open Sound Control messages."),
    ] = None,
    show: Annotated[
        bool | None,
        typer.Option(
            "--show/--no-show", help="Preview window; on for a camera. space, s, d, q are keys."
        ),
    ] = None,
    options: RunOptions,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Follow faces and their landmarks through a video or a camera's picture."""
    # The libraries behind these take a second to load; --help and --version need none of them.
    from tracker.commands.build_bar import BuildBar  # noqa: PLC0415
    from tracker.commands.progress_bars import FrameBar  # noqa: PLC0415
    from tracker.outputs.preview_window import has_display  # noqa: PLC0415
    from tracker.outputs.side_outputs import parse_side_outputs  # noqa: PLC0415
    from tracker.runs.job import Stopped  # noqa: PLC0415
    from tracker.runs.run_job import run_job  # noqa: PLC0415
    from tracker.sources.file_list import is_series  # noqa: PLC0415
    from tracker.sources.open_source import is_live  # noqa: PLC0415
    from tracker.sources.source_options import (  # noqa: PLC0415
        SourceOptions,
        parse_rate,
        parse_size,
    )
    from tracker.system.counted import counted  # noqa: PLC0415
    from tracker.system.native_stderr import native_stderr_hidden  # noqa: PLC0415

    given: str | Path = _one_source(video, source)
    picture, folder, tables = _once("--out", out), _once("--crops", crops), tuple(save or ())
    side = parse_side_outputs(
        crops=folder, crop_size=crop_size, opensee=opensee, osc_target=osc, serve=serve
    )
    if show is None:
        # A live source without outputs is there to be watched; without a display that is an error.
        outputs = bool(picture or tables or side.any)
        show = is_live(given) and (not outputs or has_display())
    if not (picture or tables or show or side.any):
        raise InputError(
            "there is nothing to make: add --out annotated.mp4, --save landmarks.csv, or --show."
        )
    if options.compare is not None and not (picture or show):
        raise InputError("--compare changes a video, picture or window: add --out or --show.")
    job = options.job(
        given,
        pictures=bool(picture or show or serve),
        out=picture,
        save=tables[0] if tables else None,
        more_tables=tables[1:],
        show=show,
        side=side,
        overwrite=overwrite,
        source_options=SourceOptions(
            parse_size(size), parse_rate(fps), pixel_format, reconnect=reconnect
        ),
    )
    if is_series(given):
        track_series(given, job)
        return
    with native_stderr_hidden(), BuildBar() as building, FrameBar(options.max_frames) as bar:
        stopped: Stopped | None = None
        try:
            summary = run_job(
                job,
                bar.start,
                bar.advance,
                lambda text: typer.echo(text, err=True),
                watcher=building,
            )
        except Stopped as early:
            if early.summary is None:
                leave(early)
            stopped, summary = early, early.summary
    share = 100 * summary.frames_with_face / max(summary.frames, 1)
    speed = summary.frames / max(summary.seconds, 1e-9)
    typer.echo(
        f"{counted(summary.frames, 'frame')}, {counted(summary.faces, 'face')}, "
        f"a face in {share:.1f} % of the frames, {speed:.1f} frames/s with {summary.engine}"
        + "".join(f"; wrote {path}" for path in (picture, *tables, folder) if path)
        + "".join(f"; {note}" for note in (*summary.source_notes, *summary.notes))
        + (f"; {counted(summary.damaged, 'damaged packet')} skipped" if summary.damaged else "")
        + (f"; {counted(summary.dropped, 'frame')} came too fast" if summary.dropped else "")
    )
    for text in summary.warnings:
        typer.echo(f"warning: {text}", err=True)
    if stopped:
        leave(stopped)
    if summary.lost:
        raise InputError(f"{summary.lost} What came before is complete.")


def _once(option: str, given: list[Path] | None) -> Path | None:
    """What an option names that can be given once: of two, one would be lost without a word."""
    if given and len(given) > 1:
        raise InputError(f"{option} is given twice, {given[0]} and {given[1]}: give it once.")
    return given[0] if given else None


def _one_source(video: str | None, source: str | None) -> str | Path:
    if video is not None and source is not None:
        raise InputError(f"two sources given, {video} and --source {source}: give one of them.")
    given = video if video is not None else source
    if not given:
        raise InputError("no source given: name a video file, or --source 0 for the first camera.")
    # As an argument a number or a plain name is a file's.
    return given if video is None or given == "-" or "://" in given else Path(given)
