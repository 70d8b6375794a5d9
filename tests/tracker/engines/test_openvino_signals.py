"""Signals after an engine has ended in another thread than the one that it was made in."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("openvino")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")

PROGRAM = """
import os, signal, sys, threading
from tracker import create_engine

engines = [create_engine("openvino", sys.argv[1])]
ends = threading.Thread(target=lambda: engines.pop().close())
ends.start()
ends.join()
signal.signal(signal.SIGUSR1, lambda number, frame: print("handled"))
os.kill(os.getpid(), signal.SIGUSR1)
"""


def test_a_signal_is_still_handled(network: Path) -> None:
    """OpenVINO's CPU plugin lends the thread it begins in a stack for signal handlers."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(network)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "handled\n"), done.stderr
