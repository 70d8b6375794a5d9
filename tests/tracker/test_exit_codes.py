"""The table of docs/doctor.md; of files under work: tests/tracker/runs/test_stopping.py."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import Run
from tests.support.paths import DOCS, ROOT

COMMANDS: tuple[tuple[str, ...], ...] = ((), ("batch",), ("bench",), ("doctor",))


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_0_and_an_unknown_option_2(run: Run, command: tuple[str, ...]) -> None:
    assert run(*command, "--help").code == 0
    result = run(*command, "--nonsense")
    assert (result.code, result.out) == (2, "")


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_128_and_its_number(number: signal.Signals, code: int) -> None:
    child = subprocess.Popen(
        [sys.executable, "-u", "-m", "tracker.cli", "doctor"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "versions\n"
    child.send_signal(number)
    _, errors = child.communicate(timeout=120)
    assert (child.returncode, errors) == (code, "")


def test_a_mistake_of_ours_is_1_with_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        "from tracker import cli\n"
        "from model.errors import run_command\n"
        "def broken(): raise RuntimeError('ours')\n"
        "run_command(broken)\n"
    )
    done = subprocess.run(
        [sys.executable, str(tmp_path / "program.py")],
        env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.endswith("RuntimeError: ours\n")


def test_the_table_names_them_all() -> None:
    rows = (DOCS / "doctor.md").read_text(encoding="utf-8").splitlines()
    codes = {row.split("|")[1].strip() for row in rows if row.startswith("| ")}
    assert {"0", "1", "2", "130", "143"} <= codes
