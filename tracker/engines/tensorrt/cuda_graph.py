"""CUDA graphs through the driver's C interface, which pycuda leaves out.

A small network is a hundred short kernels; launching them one by one takes longer than running
them. A graph is launched at once.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

from model.errors import InputError
from tracker.engines.tensorrt.cuda import DRIVER

# Only this thread's calls are watched for what a capture does not allow.
_THREAD_LOCAL = 1


class CudaGraph:
    """A sequence of copies and kernels on a stream, recorded once.

    Args:
        stream: handle of the stream. Its context must be current here and in every call.
        enqueue: puts the work on the stream; must do so without waiting for it.

    Raises:
        InputError: the driver does not record it.
    """

    def __init__(self, stream: int, enqueue: Callable[[], object]) -> None:
        self._driver = ctypes.CDLL(DRIVER)
        self._stream = ctypes.c_void_p(stream)
        graph = ctypes.c_void_p()
        self._call("cuStreamBeginCapture_v2", self._stream, ctypes.c_int(_THREAD_LOCAL))
        try:
            enqueue()
        finally:
            # Ends the capture also after an error; a stream that captures can do nothing else.
            self._call("cuStreamEndCapture", self._stream, ctypes.byref(graph))
        self._runnable = ctypes.c_void_p()
        try:
            self._call(
                "cuGraphInstantiateWithFlags",
                ctypes.byref(self._runnable),
                graph,
                ctypes.c_ulonglong(0),
            )
        finally:
            self._call("cuGraphDestroy", graph)

    def launch(self) -> None:
        """Put the recorded work on the stream."""
        self._call("cuGraphLaunch", self._runnable, self._stream)

    def free(self) -> None:
        """Release it."""
        self._call("cuGraphExecDestroy", self._runnable)

    def _call(self, name: str, *arguments: object) -> None:
        status = getattr(self._driver, name)(*arguments)
        if status:
            raise InputError(f"the NVIDIA driver refuses {name} (error {status}): update it.")
