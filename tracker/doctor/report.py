"""The whole report: which looks are taken, in which order, and what it means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tracker.doctor.isolated import Probe, look
from tracker.doctor.private import without_user
from tracker.doctor.row import Row
from tracker.doctor.self_test import NAME

_HERE = "tracker.doctor."
# The heading -> what is looked at. Nothing here loads torch or opens a connection.
SECTIONS: Mapping[str, Sequence[Probe]] = {
    "versions": (("versions", f"{_HERE}software:versions"),),
    "packages": (("packages", f"{_HERE}software:packages"),),
    "machine": (
        ("processor", f"{_HERE}machine:processor"),
        ("cores", f"{_HERE}machine:cores"),
        ("memory", f"{_HERE}machine:memory"),
        ("GPU", f"{_HERE}gpu:gpu"),
        ("cameras", f"{_HERE}machine:cameras"),
    ),
    "engines": (
        ("tensorrt", f"{_HERE}gpu:tensorrt"),
        ("openvino", f"{_HERE}engines:openvino"),
        ("onnxruntime", f"{_HERE}engines:onnxruntime"),
        ("torch", f"{_HERE}engines:torch"),
        ("cache", f"{_HERE}cache:cache"),
    ),
    "codecs": (("codecs", f"{_HERE}codecs:codecs"),),
    "settings": (("settings", f"{_HERE}settings:settings"),),
    "weights": (("weights", f"{_HERE}self_test:weights"),),
    "self-test": ((NAME, f"{_HERE}self_test:tracking"),),
}
# Loading takes seconds on a busy machine; a camera's driver may never answer.
_SECONDS = 120.0


@dataclass(frozen=True)
class Section:
    """Part of the report.

    Attributes:
        title: its heading.
        rows: what was found, without anything about the user.
    """

    title: str
    rows: tuple[Row, ...]


def sections(
    probes: Mapping[str, Sequence[Probe]] = SECTIONS, seconds: float = _SECONDS
) -> Iterator[Section]:
    """Take every look, and give each part as soon as it is there.

    Args:
        probes: heading -> what to look at.
        seconds: how long to wait for each.
    """
    for title, looks in probes.items():
        rows = [row for probe in looks for row in look(probe, seconds)]
        yield Section(title, tuple(replace(row, value=without_user(row.value)) for row in rows))


def works(report: Sequence[Section]) -> bool:
    """Whether the self-test followed the portrait."""
    return any(row.name == NAME and row.status == "ok" for part in report for row in part.rows)


def failures(report: Sequence[Section]) -> int:
    """How many rows are of broken things."""
    return sum(row.status == "failed" for part in report for row in part.rows)


def as_json(report: Sequence[Section]) -> dict[str, object]:
    """The report for machines.

    Returns:
        `works`, `failures`, and `sections`: title -> list of rows with name, value and status.
    """
    rows = {
        part.title: [
            {"name": row.name, "value": row.value, "status": row.status} for row in part.rows
        ]
        for part in report
    }
    return {"works": works(report), "failures": failures(report), "sections": rows}
