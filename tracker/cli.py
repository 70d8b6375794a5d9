"""The command `propnet-track`: follow faces through a video or a camera's picture."""

from __future__ import annotations

import sys
from importlib import import_module
from io import TextIOWrapper
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from model.errors import run_command
from tracker.commands.track import track
from tracker.system.abandoned_threads import leave_at_once
from tracker.system.opencv_threads import one_opencv_thread

# Subcommand -> module and function. They load their libraries only when called.
_LAZY = {
    "bench": ("tracker.commands.bench", "bench_command"),
    "batch": ("tracker.commands.batch", "batch_command"),
    "doctor": ("tracker.commands.doctor", "doctor_command"),
}


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


app.command(
    cls=_Unnamed,
    context_settings=_HELP,
    epilog="Other commands, each with --help: propnet-track bench measures the speed, "
    "propnet-track batch tracks many files, propnet-track doctor says what works on this machine.",
)(track)


def main() -> None:
    """Entry point."""
    one_opencv_thread()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # file names may hold what cannot be printed
            stream.reconfigure(errors="backslashreplace")
    try:
        run_command(lambda: app(prog_name="propnet-track"))
    except SystemExit as end:
        leave_at_once(end.code if isinstance(end.code, int) else 0 if end.code is None else 1)
        raise


if __name__ == "__main__":
    main()
