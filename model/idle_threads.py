"""Threads of OpenCV that have nothing to do sleep, instead of asking for work in a loop."""

from __future__ import annotations

import os

# How often a thread that has done its share asks whether there is more, before it sleeps (OpenCV's
# default: 2000 times): 0.5 ms of the processor's time after whatever OpenCV shares out, and a warp
# of 128 x 128 pixels is. Crops do without (`model.crop`), drawing and the detector's views do not.
_ASKS = "OPENCV_THREAD_POOL_ACTIVE_WAIT_WORKER"


def let_sleep() -> None:
    """For this process, and those it starts; what the user has set in the environment stays.

    OpenCV reads it when it is loaded: without effect in a program that has imported `cv2` before.
    """
    os.environ.setdefault(_ASKS, "0")
