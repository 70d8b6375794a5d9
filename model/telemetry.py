"""No library that this project loads reports to its maker: what people look at is their own affair.

Whoever brings in a dependency that reports adds its switch here; `tests/test_nothing_leaves.py`
watches the commands for sockets.
"""

from __future__ import annotations

import os
import sys
from typing import Any

_ONNXRUNTIME = "ORT_DISABLE_TELEMETRY"
SWITCHES = {
    # Its builds for Linux and macOS (1.29 and later) queue reports and an id in the user's cache
    # and send them to mobile.events.data.microsoft.com. Read when the library is loaded.
    _ONNXRUNTIME: "1",
    # Stops NNCF where openvino_telemetry was imported before this module could be.
    "NNCF_CI": "1",
    # A cluster started here reports every hour to usage-stats.ray.io.
    "RAY_USAGE_STATS_ENABLED": "0",
}


def switch_off() -> None:
    """Switch off what the libraries report, for this process and those it starts.

    Comes before the libraries are imported. What the user has set in the environment stays, and so
    does `openvino_telemetry` where the program has imported it itself.
    """
    for name, value in SWITCHES.items():
        os.environ.setdefault(name, value)
    # OpenVINO and NNCF report through this package to www.google-analytics.com, and write an id
    # into the user's home. There is no variable; its command of refusal writes there too, for all
    # programs of the user. Both do without it where importing it fails, which None makes it do.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]


def switch_off_events(onnxruntime: Any) -> None:
    """Stop the events that ONNX Runtime gives Windows to collect: no variable is read for them.

    Args:
        onnxruntime: the imported package.
    """
    if os.environ.get(_ONNXRUNTIME) != "0":  # the user wants it
        onnxruntime.disable_telemetry_events()
