"""How this project opens ONNX Runtime: the landmark networks and the face detectors alike."""

from __future__ import annotations

import onnxruntime as ort

from model.errors import InputError
from model.telemetry import switch_off_events

switch_off_events(ort)


def open_session(data: bytes, name: object, threads: int | None = None) -> ort.InferenceSession:
    """Load a network to run on the processor.

    Args:
        data: an ONNX file.
        name: of the file, for messages.
        threads: CPU threads, None for all cores.

    Raises:
        InputError: ONNX Runtime cannot load it.
    """
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.intra_op_num_threads = threads or 0
    # Threads that wait actively for the next crop take the cores from decoder and encoder:
    # 23 instead of 27 frames/s for the whole chain on two cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Warnings about the graph mean nothing to who watches a video; errors are raised anyway.
    options.log_severity_level = 3
    try:
        return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    # The runtime's exceptions share no base class of their own.
    except Exception as error:
        raise InputError(f"ONNX Runtime cannot load {name}: {_line(error)}") from error


def _line(error: Exception) -> str:
    """The first line of an exception's text."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
