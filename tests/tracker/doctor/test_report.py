"""A look that raises, dies or hangs is a row; the others are taken all the same."""

from __future__ import annotations

import sys

import pytest

from tracker.doctor.isolated import look
from tracker.doctor.report import SECTIONS, Section, as_json, failures, sections, works
from tracker.doctor.row import Row

HERE = "tests.tracker.doctor.probes:"


def test_what_fails_is_a_row_and_the_rest_is_looked_at(capfd: pytest.CaptureFixture[str]) -> None:
    names = ("raising", "leaving", "good")
    probes = {
        "first": [(name, f"{HERE}{name}") for name in names],
        "second": [("no such module", "tracker.doctor.nowhere:rows"), ("none", f"{HERE}nothing")],
    }
    first, second = sections(probes)
    assert first.rows == (
        Row("raising", "RuntimeError: two lines", "failed"),
        Row("leaving", "the look at it died: exit code 3", "failed"),
        Row("good", "as it should be"),
    )
    assert [row.status for row in second.rows] == ["failed", "failed"]
    assert "ModuleNotFoundError" in second.rows[0].value
    assert "AttributeError" in second.rows[1].value
    assert failures([first, second]) == 4
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_a_crash_is_named() -> None:
    assert look(("dying", f"{HERE}dying"), 60) == [
        Row("dying", "the look at it died: SIGKILL", "failed")
    ]


def test_what_hangs_is_given_up() -> None:
    assert look(("slow", f"{HERE}hanging"), 0.1) == [
        Row("slow", "no answer within 0.1 s", "failed")
    ]


def test_only_the_self_test_decides() -> None:
    broken = Section("engines", (Row("openvino", "does not load", "failed"),))
    good = Section("self-test", (Row("tracking", "works"),))
    bad = Section("self-test", (Row("tracking", "no face", "failed"),))
    assert works([broken, good])
    assert not works([bad])
    assert not works([broken])
    assert as_json([broken, good]) == {
        "works": True,
        "failures": 1,
        "sections": {
            "engines": [{"name": "openvino", "value": "does not load", "status": "failed"}],
            "self-test": [{"name": "tracking", "value": "works", "status": "ok"}],
        },
    }


def test_every_look_is_there() -> None:
    from importlib import import_module

    for probes in SECTIONS.values():
        for _, function in probes:
            module, _, name = function.partition(":")
            assert callable(getattr(import_module(module), name))
