"""The command `propnet-track`: follow faces through a video or a camera's picture."""

from __future__ import annotations

from importlib import import_module, metadata
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from model.errors import InputError, run_command

# Subcommand -> module and function. They load their libraries only when called.
_LAZY = {"bench": ("tracker.bench", "bench_command")}


class TrackByDefault(TyperGroup):
    """Commands by name, and `track` for everything else: `propnet-track video.mp4` just works.

    A video whose name is that of a command is reached as `./bench`.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: D102
        if not args or args[0] not in (*self.commands, *_LAZY):
            args = ["track", *args]
        return super().parse_args(ctx, args)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: D102
        if cmd_name not in _LAZY:
            return super().get_command(ctx, cmd_name)
        module, function = _LAZY[cmd_name]
        single = typer.Typer(add_completion=False)
        single.command(cmd_name, context_settings=_HELP)(getattr(import_module(module), function))
        return get_command(single)


class _Unnamed(TyperCommand):
    """A command whose help reads `propnet-track [OPTIONS]`, as it is typed."""

    def make_context(self, info_name: Any, args: Any, parent: Any = None, **extra: Any) -> Any:
        return super().make_context(parent.info_name if parent else info_name, args, **extra)


_HELP = {"help_option_names": ["-h", "--help"]}
app = typer.Typer(cls=TrackByDefault, add_completion=False)


@app.callback()
def _group() -> None:
    """Keeps typer from turning an application of one command into that command."""


def _print_version(wanted: bool) -> None:
    if not wanted:
        return
    try:
        version = metadata.version("propnet-tracker")
    except metadata.PackageNotFoundError:
        version = "(run from its sources, not installed)"
    typer.echo(f"propnet-track {version}")
    raise typer.Exit


@app.command(
    cls=_Unnamed,
    context_settings=_HELP,
    epilog="Another command: propnet-track bench --help measures the speed.",
)
def track(
    video: Annotated[
        Path | None, typer.Argument(metavar="VIDEO", help="Video file.", show_default=False)
    ] = None,
    *,
    source: Annotated[
        str | None,
        typer.Option(metavar="N|FILE", help="Camera number (0 is the first), or a video file."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Annotated video to write: .mp4, .mov, .mkv or .m4v. The sound is kept."),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(metavar="FILE.csv", help="Table to write, with OpenFace's column names."),
    ] = None,
    show: Annotated[
        bool | None,
        typer.Option("--show/--no-show", help="Preview window; on for a camera. q ends the run."),
    ] = None,
    weights: Annotated[
        str, typer.Option(metavar="NAME|FILE.onnx", help="Network: a shipped one or your own.")
    ] = "propnet-s",
    engine: Annotated[
        str, typer.Option(metavar="auto|openvino|onnxruntime", help="What runs the network.")
    ] = "auto",
    max_faces: Annotated[int, typer.Option(min=1, help="Faces to follow at once.")] = 1,
    smooth: Annotated[
        str,
        typer.Option(
            metavar="balanced|stable|responsive|off", help="Smoothing of the landmarks over time."
        ),
    ] = "balanced",
    draw: Annotated[
        str, typer.Option(metavar="LAYERS", help="What to draw: of points, curves, ids, box.")
    ] = "points,curves",
    crf: Annotated[
        int, typer.Option(min=0, max=51, help="Quality of the video: 0 is lossless, 51 the worst.")
    ] = 18,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
    max_frames: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many frames.")
    ] = None,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Follow faces and their landmarks through a video or a camera's picture."""
    # The libraries behind these take a second to load; --help and --version need none of them.
    from tracker.draw import parse_layers  # noqa: PLC0415
    from tracker.job import Job, run_job  # noqa: PLC0415
    from tracker.options import TrackerOptions  # noqa: PLC0415
    from tracker.preview import has_display  # noqa: PLC0415
    from tracker.progress import FrameBar  # noqa: PLC0415
    from tracker.quiet import native_stderr_hidden  # noqa: PLC0415
    from tracker.sources import is_camera  # noqa: PLC0415

    given: str | Path = _one_source(video, source)
    if show is None:
        # A camera without outputs is there to be watched; without a display that is an error.
        outputs = bool(out or save)
        show = is_camera(given) and (not outputs or has_display())
    if not (out or save or show):
        raise InputError(
            "there is nothing to make: add --out annotated.mp4, --save landmarks.csv, or --show."
        )
    job = Job(
        given,
        out=out,
        save=save,
        show=show,
        weights=weights,
        engine=engine,
        options=TrackerOptions(max_faces=max_faces, smoothing=smooth),
        layers=parse_layers(draw),
        crf=crf,
        overwrite=overwrite,
        max_frames=max_frames,
    )
    with native_stderr_hidden(), FrameBar(max_frames) as bar:
        summary = run_job(job, bar.start, bar.advance)
    share = 100 * summary.frames_with_face / max(summary.frames, 1)
    speed = summary.frames / max(summary.seconds, 1e-9)
    typer.echo(
        f"{summary.frames} frames, {summary.faces} face{'s' * (summary.faces != 1)}, "
        f"a face in {share:.1f} % of the frames, {speed:.1f} frames/s with {summary.engine}"
        + "".join(f"; wrote {path}" for path in (out, save) if path)
        + (f"; {summary.damaged} damaged packets skipped" if summary.damaged else "")
    )


def main() -> None:
    """Entry point."""
    run_command(lambda: app(prog_name="propnet-track"))


def _one_source(video: Path | None, source: str | None) -> str | Path:
    if video is not None and source is not None:
        raise InputError(f"two sources given, {video} and --source {source}: give one of them.")
    given = video if video is not None else source
    if given is None or str(given) == "":
        raise InputError("no source given: name a video file, or --source 0 for the first camera.")
    return given


if __name__ == "__main__":
    main()
