"""Whether TensorRT can run here, and which one."""

from __future__ import annotations

from model.errors import InputError
from tracker.tensorrt.cuda import Gpu, find_gpu
from tracker.tensorrt.flavour import Flavour, installed_flavours, load_flavour, supports


def choose_flavour(gpu: Gpu) -> Flavour:
    """The TensorRT that runs on a GPU.

    Raises:
        InputError: none is installed, or none that does.
    """
    there = installed_flavours()
    name = next((name for name in there if supports(name, gpu.capability)), None)
    if name is None and there:
        raise InputError(
            f"TensorRT for RTX does not run on {gpu.name} (compute capability {gpu.capability}): "
            "pip install tensorrt."
        )
    return load_flavour(name)


def usable() -> bool:
    """Whether GPU, driver, pycuda and a TensorRT that supports the GPU are all there."""
    try:
        choose_flavour(find_gpu())
    except InputError:
        return False
    return True
