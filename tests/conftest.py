"""Shared fixtures."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--data",
        default=os.environ.get("PROPNET_DATA"),
        help="folder with faces/, weak/ and video/ (default: $PROPNET_DATA); tests that need it "
        "are skipped without it",
    )


@pytest.fixture(scope="session")
def data_root(request: pytest.FixtureRequest) -> Path:
    """The folder given by --data, or a skip that says how to give it."""
    value = request.config.getoption("--data")
    if not value:
        pytest.skip("needs labelled faces and clips: pass --data PATH or set PROPNET_DATA")
    root = Path(value)
    if not (root / "faces").is_dir():
        pytest.skip(f"{root} has no folder faces/: pass --data the folder that holds it")
    return root
