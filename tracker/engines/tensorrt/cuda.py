"""The GPU, through pycuda: what it is, its context, its memory, its streams."""

from __future__ import annotations

import atexit
import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError

# The driver's own library: what a machine with an NVIDIA GPU has before anything is installed.
DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
# What the engines read and write.
Number = type[np.uint8] | type[np.float32]
_RECIPE = "pip install pycuda (it is compiled: needs the CUDA toolkit; see docs/gpu.md)"


@dataclass(frozen=True)
class Gpu:
    """A GPU.

    Attributes:
        name: as the driver gives it, "NVIDIA H100 80GB HBM3".
        capability: compute capability, "9.0".
    """

    name: str
    capability: str


def open_driver() -> Any:
    """Import pycuda's driver interface and start CUDA.

    Returns:
        The module `pycuda.driver`, initialised; at least one GPU is there.

    Raises:
        InputError: pycuda, the driver or the GPU is missing. Says which.
    """
    try:
        ctypes.CDLL(DRIVER)
    except OSError as error:
        raise InputError(
            f"this machine has no NVIDIA driver ({DRIVER}): TensorRT needs an NVIDIA GPU with its "
            "driver; without one use the engine openvino or onnxruntime."
        ) from error
    try:
        import pycuda.driver as cuda  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise InputError(f"the engine 'tensorrt' needs pycuda: {_RECIPE}.") from error
    except ImportError as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"pycuda does not load ({reason}): install the NVIDIA driver, or build pycuda again "
            "for the one that is installed."
        ) from error
    try:
        cuda.init()
        count = cuda.Device.count()
    except cuda.Error as error:
        raise InputError(
            f"CUDA does not start ({error}): this machine has no NVIDIA GPU, or its driver does "
            "not work (try nvidia-smi)."
        ) from error
    if not count:
        raise InputError("the driver sees no NVIDIA GPU (try nvidia-smi).")
    return cuda


def find_gpu() -> Gpu:
    """The GPU that engines are built for and run on: the first one that CUDA shows.

    CUDA_VISIBLE_DEVICES chooses another.

    Raises:
        InputError: see `open_driver`.
    """
    device = open_driver().Device(0)
    return Gpu(device.name(), "{}.{}".format(*device.compute_capability()))


class Context:
    """The GPU's primary context, the one that TensorRT and torch use as well.

    It is kept until the process ends, as TensorRT itself keeps it: pycuda leaves a primary context
    that it lets go of current in the driver.

    Nothing of pycuda works outside `active()`, which may be entered in any thread.

    Raises:
        InputError: see `open_driver`; or the GPU has no memory left.
    """

    def __init__(self) -> None:
        self.cuda = open_driver()
        self._context = _primary_context()

    @contextmanager
    def active(self) -> Iterator[None]:
        """Make the context current in this thread for the block, and put back what was before."""
        self._context.push()
        try:
            yield
        finally:
            # Left on the stack, pycuda aborts the process when Python ends.
            self.cuda.Context.pop()

    def buffer(self, shape: tuple[int, ...], kind: Number) -> Buffer:
        """Memory for an array on both sides. Call inside `active()`.

        Raises:
            InputError: there is not enough.
        """
        try:
            return Buffer(self.cuda, shape, kind)
        except self.cuda.Error as error:
            raise _no_memory(error) from error


@cache
def _primary_context() -> Any:
    cuda = open_driver()
    try:
        context = cuda.Device(0).retain_primary_context()
    except cuda.Error as error:
        raise _no_memory(error) from error
    # Without this, pycuda ends it like a context of its own, and prints that the driver refuses.
    atexit.register(context.detach)
    return context


def _no_memory(error: Exception) -> InputError:
    return InputError(
        f"the GPU gives no memory ({error}): close other programs that use it, or build an engine "
        "for smaller batches."
    )


class Buffer:
    """An array in page-locked host memory and on the GPU.

    Args:
        cuda: pycuda.driver, with a context active.
        shape: of the array.
        kind: of its numbers.

    Attributes:
        shape: of the array.
        host: the array in host memory.
        address: of the array on the GPU.
    """

    def __init__(self, cuda: Any, shape: tuple[int, ...], kind: Number) -> None:
        self._cuda = cuda
        self.shape = shape
        # Only page-locked memory is copied without waiting.
        self.host: NDArray[Any] = cuda.pagelocked_empty(shape, kind)
        self._page_locked: Any = self.host.base
        try:
            self._device = cuda.mem_alloc(self.host.nbytes)
        except cuda.Error:
            self._page_locked.free()
            raise
        self.address = int(self._device)

    def upload(self, count: int, stream: Any) -> None:
        """Start copying the first `count` rows to the GPU."""
        self._cuda.memcpy_htod_async(self._device, self.host[:count], stream)

    def download(self, count: int, stream: Any) -> None:
        """Start copying the first `count` rows back."""
        self._cuda.memcpy_dtoh_async(self.host[:count], self._device, stream)

    def free(self) -> None:
        """Free both. The context must be active."""
        self._device.free()
        # Nothing may be left that points into the freed memory.
        self.host = np.empty(0, dtype=self.host.dtype)
        self._page_locked.free()
