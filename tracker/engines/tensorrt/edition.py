"""Whether TensorRT can run here, and which one."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal

from model.errors import InputError
from tracker.engines.tensorrt.cuda import Gpu, find_gpu

FlavourName = Literal["tensorrt", "tensorrt_rtx"]

INSTALL = "pip install 'propnet-tracker[tensorrt]', or [rtx] for a GeForce or RTX GPU"
# 10.0 dropped the bindings by index and brought the tensors by name that this code uses.
_OLDEST = 10
_TITLES = {"tensorrt": "TensorRT", "tensorrt_rtx": "TensorRT for RTX"}
# TensorRT for RTX compiles for these, and for no data-centre GPU of another number (H100: 9.0).
_RTX_CAPABILITIES = ("7.5", "8.0", "8.6", "8.7", "8.8", "8.9", "12.0", "12.1")


@dataclass(frozen=True)
class Flavour:
    """An installed TensorRT.

    Attributes:
        name: of the Python module.
        version: full, for example "10.13.3.9". Engines run on no other.
        module: the module.
    """

    name: FlavourName
    version: str
    module: Any

    @property
    def title(self) -> str:
        """For people: "TensorRT for RTX 1.7.1.116"."""
        return f"{_TITLES[self.name]} {self.version}"

    @property
    def portable(self) -> bool:
        """Whether an engine runs on every supported GPU: RTX engines are finished on the GPU."""
        return self.name == "tensorrt_rtx"


def installed_flavours() -> tuple[FlavourName, ...]:
    """Names of the TensorRT modules that are there, in order of preference. Imports none."""
    names: tuple[FlavourName, ...] = ("tensorrt", "tensorrt_rtx")
    return tuple(name for name in names if find_spec(name) is not None)


def supports(name: FlavourName, capability: str) -> bool:
    """Whether a flavour runs on a GPU.

    Args:
        name: the flavour.
        capability: compute capability, "8.9".

    Returns:
        True also where only loading an engine will tell, as for `tensorrt`.
    """
    return name != "tensorrt_rtx" or capability in _RTX_CAPABILITIES


def load_flavour(name: FlavourName | None = None) -> Flavour:
    """Import TensorRT.

    Args:
        name: which; None for `tensorrt` if it is there, else `tensorrt_rtx`.

    Returns:
        The flavour.

    Raises:
        InputError: not installed, too old, or it does not load.
    """
    there = installed_flavours()
    if not there or (name is not None and name not in there):
        raise InputError(f"{_TITLES[name or 'tensorrt']} is not installed: {INSTALL}.")
    name = name or there[0]
    try:
        module = import_module(name)
    # A library of the CUDA toolkit that is missing is an OSError or an ImportError.
    except (ImportError, OSError) as error:
        line = str(error).splitlines()[0]
        raise InputError(f"{_TITLES[name]} does not load: {line}; reinstall it.") from error
    version = str(module.__version__)
    if name == "tensorrt" and int(version.split(".", maxsplit=1)[0]) < _OLDEST:
        raise InputError(f"TensorRT {version} is too old: version {_OLDEST} or later is needed.")
    return Flavour(name, version, module)


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
