"""`propnet-track doctor`: what a bug report needs to know."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from tracker.doctor.report import Section, as_json, failures, sections, works

_MARKS = {"ok": " ", "absent": "-", "failed": "!"}


def doctor_command(
    *,
    as_data: Annotated[
        bool, typer.Option("--json", help="One JSON object on standard output, for machines.")
    ] = False,
) -> None:
    """Look at this installation and this machine, and track the shipped portrait.

    Nothing is sent anywhere, and no name of user or machine is shown: paste it into a bug report. A
    row with - is not there, which is no fault; one with ! is broken. The exit code is 0 if tracking
    works, and 1 if not.
    """
    report = []
    for section in sections():
        report.append(section)
        if not as_data:
            _print(section)
    if as_data:
        typer.echo(json.dumps(as_json(report), indent=2))
    else:
        _print_end(report)
    if not works(report):
        raise typer.Exit(1)


def _print(section: Section) -> None:
    typer.echo(section.title)
    width = max(len(row.name) for row in section.rows)
    for row in section.rows:
        typer.echo(f"{_MARKS[row.status]} {row.name:{width}}  {row.value}")
    typer.echo()


def _print_end(report: list[Section]) -> None:
    broken = failures(report)
    typer.echo(
        ("tracking works here" if works(report) else "tracking does not work here")
        + (f"; see the {broken} row{'s' * (broken != 1)} with !" if broken else "")
    )
