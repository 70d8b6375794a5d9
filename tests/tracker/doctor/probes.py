"""Looks that end badly."""

from __future__ import annotations

import os
import signal
import time

from tracker.doctor.row import Row


def good() -> list[Row]:
    print("noise on standard output")
    os.write(2, b"noise of a native library")
    return [Row("good", "as it should be")]


def raising() -> list[Row]:
    raise RuntimeError("two\nlines")


def dying() -> list[Row]:
    os.kill(os.getpid(), signal.SIGKILL)
    return []


def leaving() -> list[Row]:
    os._exit(3)


def hanging() -> list[Row]:
    time.sleep(600)
    return []
