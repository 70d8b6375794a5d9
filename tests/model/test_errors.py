"""What commands print about a mistake: one line of sane length, whatever a file holds."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

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


def test_what_finds_no_room_on_a_full_disk_is_one_sentence() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs /dev/full, which this system does not have")
    for code in ("print('x' * 100_000)", "print('x')\n    sys.stdout.flush()"):
        program = (
            f"import sys\nfrom model.errors import run_command\ndef command():\n    {code}\n"
            "run_command(command)\n"
        )
        with full.open("w") as stdout:
            ended = subprocess.run(
                [sys.executable, "-c", program],
                stdout=stdout, stderr=subprocess.PIPE, text=True, check=False,
            )  # fmt: skip
        assert ended.returncode == 2
        (line,) = ended.stderr.splitlines()
        assert line.endswith("finds no room: the disk is full.")


def test_other_errors_of_the_system_are_no_full_disk() -> None:
    def fails() -> None:
        raise OSError(errno.EIO, "broken")

    with pytest.raises(OSError, match="broken"):
        run_command(fails)
