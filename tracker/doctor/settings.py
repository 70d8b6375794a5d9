"""Settings taken from the environment."""

from __future__ import annotations

import os

from model.telemetry import SWITCHES
from tracker.doctor.row import Row
from tracker.system.opencv_threads import VARIABLE

# What this program or a library under it reads.
_SHOWN = (
    "PROPNET_CACHE",
    "XDG_CACHE_HOME",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "CUDA_VISIBLE_DEVICES",
    "OPENCV_LOG_LEVEL",
    "NO_COLOR",
    VARIABLE,
    *SWITCHES,
)
# Those whose values name folders or machines of the user.
_HIDDEN = ("DISPLAY", "WAYLAND_DISPLAY", "LD_LIBRARY_PATH", "PYTHONPATH", "LD_PRELOAD")
# What this program sets itself where nobody else has: no setting of the user's.
_OURS = {VARIABLE: "1", **SWITCHES}


def settings() -> list[Row]:
    """Variables that are set; those in which nothing stands but our own choice are left out."""
    environment = os.environ
    rows = [
        Row(name, environment[name] or "(empty)")
        for name in _SHOWN
        if name in environment and environment[name] != _OURS.get(name)
    ]
    rows += [Row(name, "is set") for name in _HIDDEN if environment.get(name)]
    return rows or [Row("settings", "none", "absent")]
