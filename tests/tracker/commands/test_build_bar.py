from __future__ import annotations

import logging

import pytest

from model.errors import run_command
from tracker.commands.build_bar import BuildBar
from tracker.engines.base import LogWatcher


def test_sentences_are_printed_and_bars_follow_each_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with BuildBar() as one:
        one.say("building an engine")
        one.report("layers", 0.5)
        one.say("built it in 3.0 s.")
        with BuildBar() as other:  # two live displays at once are an error of rich
            other.report("layers", 0.5)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "building an engine\n" in captured.err
    assert "built it in 3.0 s.\n" in captured.err


def test_programs_find_it_in_their_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="propnet"):
        LogWatcher().say("building an engine")
        LogWatcher().report("layers", 0.5)
    assert caplog.messages == ["building an engine"]


def test_commands_print_what_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    run_command(lambda: LogWatcher().say("building an engine [1/2]"))
    assert capsys.readouterr().err == "building an engine [1/2]\n"
    LogWatcher().say("not printed any more")
    assert capsys.readouterr().err == ""
