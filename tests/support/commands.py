"""What tests of the commands share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace

import pytest
import typer

from model.errors import run_command

# Arguments to exit code, stdout and stderr: see the fixture `run`.
Run = Callable[..., SimpleNamespace]


def module_command(
    app: typer.Typer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., SimpleNamespace]:
    """A command as `python -m` runs it: arguments to exit code, stdout and stderr."""

    def call(*options: object) -> SimpleNamespace:
        monkeypatch.setattr(sys, "argv", ["command", *map(str, options)])
        with pytest.raises(SystemExit) as left:
            run_command(app)
        printed = capsys.readouterr()
        return SimpleNamespace(returncode=left.value.code, stdout=printed.out, stderr=printed.err)

    return call
