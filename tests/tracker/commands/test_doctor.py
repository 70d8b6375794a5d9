"""`propnet-track doctor`, in real processes, with libraries that are really broken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from model.zoo import shipped
from tests.support.commands import Run
from tests.support.paths import ROOT


def doctor(packages: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command with a folder of stand-ins for packages before all others."""
    path = os.pathsep.join([str(packages), str(ROOT)])
    return subprocess.run(
        [sys.executable, "-m", "tracker.cli", "doctor", *arguments],
        env={**os.environ, "PYTHONPATH": path}, cwd=packages, capture_output=True, text=True,
        check=False, timeout=500,
    )  # fmt: skip


def package(folder: Path, name: str, text: str) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text(text)


def rows(report: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {row["name"]: row for part in report["sections"].values() for row in part}


def test_where_tracking_works(tmp_path: Path) -> None:
    package(tmp_path, "torch", "import pathlib; pathlib.Path('loaded').touch()")
    done = doctor(tmp_path, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    report = json.loads(done.stdout)
    assert report["works"] is True
    found = rows(report)
    assert found["tracking"]["value"].startswith("works, with ")
    assert found["each frame after it"]["value"].endswith("ms (median of 20)")
    assert found["torch"]["status"] == "ok"
    assert not (tmp_path / "loaded").exists()  # torch was not imported
    assert {name: found[name]["status"] for name in shipped()} == dict.fromkeys(shipped(), "ok")
    assert found["write h264"]["value"] == "libx264"


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_a_broken_library_is_a_row_and_the_exit_code(tmp_path: Path) -> None:
    package(tmp_path, "av", "raise ImportError('libxcb.so.1: cannot open shared object file')")
    # What an instruction that the processor lacks does to a process.
    package(tmp_path, "openvino", "import os, signal; os.kill(os.getpid(), signal.SIGILL)")
    done = doctor(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stderr == ""
    lines = [line.split(None, 2) for line in done.stdout.splitlines()]
    assert ["!", "openvino", "the look at it died: SIGILL"] in lines
    assert ["!", "codecs", "ImportError: libxcb.so.1: cannot open shared object file"] in lines
    assert any(line[:2] == ["onnxruntime", "ONNX"] for line in lines)
    assert any(line[:2] == ["!", "tracking"] for line in lines)
    assert done.stdout.splitlines()[-1].startswith("tracking does not work here; see the ")


def test_help_says_the_exit_codes(run: Run) -> None:
    result = run("doctor", "--help")
    assert result.code == 0
    assert "exit code is 0 if tracking" in " ".join(result.out.replace("│", " ").split())


def test_unknown_options(run: Run) -> None:
    result = run("doctor", "--fix")
    assert result.code == 2
    assert "--fix" in result.err
