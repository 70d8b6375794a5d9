"""Packages: those of pyproject.toml, and OpenCV under all its names."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.support.paths import ROOT
from tracker.doctor import software
from tracker.doctor.row import Row


def _names(requirements: list[str]) -> set[str]:
    found = (re.match(r"[A-Za-z0-9_-]+", requirement) for requirement in requirements)
    return {match[0] for match in found if match}


def test_the_lists_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(software.NEEDED) == _names(project["dependencies"])
    extras = project["optional-dependencies"]
    of_the_tracker = ("mediapipe", "parquet", "osc", "ray", "tensorrt", "int8", "rtx")
    brought = {name for extra in of_the_tracker for name in _names(extras[extra])}
    assert set(software.OPTIONAL) == brought | {"torch"}


@pytest.mark.parametrize(
    ("installed", "rows"),
    [
        ({"opencv-python-headless": "5.0"}, [Row("opencv-python-headless", "5.0")]),
        ({}, [Row("opencv-python", "not installed, and needed", "failed")]),
        (
            {"opencv-python": "5.0", "opencv-contrib-python": "4.9"},
            [
                Row(
                    "opencv",
                    "several versions in one folder: opencv-python 5.0, opencv-contrib-python 4.9",
                    "failed",
                )
            ],
        ),
    ],
)
def test_opencv(
    monkeypatch: pytest.MonkeyPatch, installed: dict[str, str], rows: list[Row]
) -> None:
    monkeypatch.setattr(software, "version", installed.get)
    found = software.packages()
    assert [row for row in found if row.name.startswith("opencv")] == rows
    assert Row("numpy", "not installed, and needed", "failed") in found
    # There is none for every processor.
    assert Row("openvino", "not installed", "absent") in found
    assert Row("torch", "not installed", "absent") in found
