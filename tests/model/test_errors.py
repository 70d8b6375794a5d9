"""What commands print about a mistake: one line of sane length, whatever a file holds."""

from __future__ import annotations

import pytest

from model.errors import InputError, run_command


def test_a_message_is_one_short_line(capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> None:
        raise InputError("bad.yaml: " + "x\n" * 1_000_000 + "\x1b[31m\\[bold] is no number.")

    with pytest.raises(SystemExit) as left:
        run_command(fails)
    assert left.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: bad.yaml: x x ")
    assert line.endswith(r"[31m\[bold] is no number.")
    assert len(line) <= len("error: ") + 500
    assert "\x1b" not in line


@pytest.mark.parametrize("text", ["a [b] c", "[/]", r"\[x", "a" * 500, ""])
def test_a_short_message_is_printed_as_it_is(capsys: pytest.CaptureFixture[str], text: str) -> None:
    def fails() -> None:
        raise InputError(text)

    with pytest.raises(SystemExit):
        run_command(fails)
    assert capsys.readouterr().err == f"error: {text}\n"
