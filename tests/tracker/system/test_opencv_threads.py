"""The command keeps OpenCV to one thread; a program that imports the tracker keeps its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_COMMAND = """
import sys, tracker.cli
sys.argv = ["propnet-track", "no-such-file.mp4"]
try:
    tracker.cli.main()
except SystemExit:
    pass
import cv2
print(cv2.getNumThreads())
"""
_LIBRARY = """
import cv2
before = cv2.getNumThreads()
from tracker import Tracker
Tracker("propnet-s").close()
print(cv2.getNumThreads() - before)
"""


@pytest.mark.parametrize(
    ("program", "variable", "threads"),
    [(_COMMAND, None, 1), (_COMMAND, "2", 2), (_LIBRARY, None, 0)],
)
def test_opencv_has_one_thread_in_our_processes_only(
    program: str, variable: str | None, threads: int
) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "OPENCV_FOR_THREADS_NUM"}
    if variable is not None:
        environment["OPENCV_FOR_THREADS_NUM"] = variable
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert int(run.stdout.split()[-1]) == threads
