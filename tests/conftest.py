"""Shared fixtures."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

if "PYTEST_XDIST_WORKER" in os.environ:
    # Before anything loads OpenMP: workers that each take all cores wait for each other, and
    # training tests took four times as long.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import hypothesis
import pytest

from tests.support.commands import Run
from tests.support.template_onnx import template_onnx
from tracker import cli


def pytest_configure() -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:  # workers share the one of their parent
        folder = tempfile.mkdtemp(prefix="propnet-tests-cache-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ["PROPNET_CACHE"] = folder
    # A shell starts its background jobs with Ctrl-C ignored, `nohup` those with SIGHUP ignored, and
    # programs that the tests start would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    # A busy machine is no failure.
    hypothesis.settings.register_profile("untimed", deadline=None)
    hypothesis.settings.load_profile("untimed")


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


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run the command as the installed script does: exit code, stdout, stderr."""

    def call(*arguments: object) -> SimpleNamespace:
        monkeypatch.setattr(sys, "argv", ["propnet-track", *(str(a) for a in arguments)])
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        captured = capfd.readouterr()
        return SimpleNamespace(code=code, out=captured.out, err=captured.err)

    return call


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that finds a template instead of faces: for tests of everything around it."""
    return template_onnx(tmp_path_factory.mktemp("network") / "template.onnx")


@pytest.fixture(scope="session")
def map_network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with boundary and attention maps."""
    return template_onnx(tmp_path_factory.mktemp("network") / "maps.onnx", more=True)
