"""Imports run downwards only: the contracts of pyproject.toml hold, and break where they should."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

pytest.importorskip("importlinter", reason="needs import-linter: pip install -e '.[dev]'")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages' Python files, to plant imports in."""
    folder = tmp_path_factory.mktemp("tree")
    for package in ("model", "tracker", "train", "export"):
        shutil.copytree(
            ROOT / package, folder / package, ignore=lambda at, names: [
                name for name in names if not (Path(at, name).is_dir() or name.endswith(".py"))
            ],
        )  # fmt: skip
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run(
        [sys.executable, "-c", program, "--no-cache"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_contracts_hold(tree: Path) -> None:
    result = lint(tree)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "7 kept, 0 broken" in result.stdout


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("tracker/system/closing.py", "import tracker.commands.batch", "Rooms of the tracker"),
        ("tracker/engines/base.py", "import tracker.detection.face_detector", "Rooms of the"),
        ("train/data/sample.py", "import train.learning.losses", "Rooms of training"),
        ("model/errors.py", "import model.markup", "Files of the contract"),
        ("tracker/video/codec.py", "import train.data.sample", "Packages"),
        ("tracker/outputs/osc.py", "import torch", "The tracker runs without torch"),
        ("tracker/video/codec.py", "import tracker.video.video_writer", "No circles"),
    ],
)
def test_an_upward_import_breaks_them(tree: Path, file: str, line: str, contract: str) -> None:
    path = tree / file
    before = path.read_text(encoding="utf-8")
    path.write_text(f"{before}\n{line}\n", encoding="utf-8")
    try:
        result = lint(tree)
    finally:
        path.write_text(before, encoding="utf-8")
    assert result.returncode == 1
    broken = [text for text in result.stdout.splitlines() if "BROKEN" in text]
    assert any(text.startswith(contract) for text in broken), result.stdout
