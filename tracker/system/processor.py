"""What this processor can compute in."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path

# Names of instructions that multiply 8-bit numbers and add them up: NumPy's, which knows them on
# every system, and Linux's, which knows AVX-VNNI of processors without AVX-512 as well.
_NUMPY = ("AVX512VNNI", "ASIMDDP")
_LINUX = ("avx512_vnni", "avx_vnni", "amx_int8", "asimddp")
_CPUINFO = Path("/proc/cpuinfo")


@cache
def has_dot_products() -> bool:
    """Whether networks in 8 bits are faster than in floats here."""
    return any(_numpy_features().get(name) for name in _NUMPY) or any(
        name in _linux_flags() for name in _LINUX
    )


def _numpy_features() -> dict[str, bool]:
    try:
        table = import_module("numpy._core._multiarray_umath").__cpu_features__
    except (ImportError, AttributeError):  # not a part of NumPy's interface
        return {}
    return dict(table)


def _linux_flags() -> set[str]:
    try:
        lines = _CPUINFO.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:  # another system
        return set()
    return {
        flag
        for line in lines
        if line.lower().startswith(("flags", "features"))
        for flag in line.partition(":")[2].split()
    }
