"""What this processor can compute in."""

from __future__ import annotations

import platform
from functools import cache
from importlib import import_module
from pathlib import Path

# Names of instructions that multiply 8-bit numbers and add them up: NumPy's, which knows them on
# every system, and Linux's, which knows AVX-VNNI of processors without AVX-512 as well.
_NUMPY = ("AVX512VNNI", "ASIMDDP")
_LINUX = ("avx512_vnni", "avx_vnni", "amx_int8", "asimddp")
_CPUINFO = Path("/proc/cpuinfo")
# What matters to the speed of networks: for people -> names of NumPy's and of Linux'.
_FEATURES = {
    "AVX2": ("AVX2", "avx2"),
    "AVX-512": ("AVX512F", "avx512f"),
    "AVX-512 VNNI": ("AVX512VNNI", "avx512_vnni"),
    "AVX VNNI": ("", "avx_vnni"),
    "AMX int8": ("", "amx_int8"),
    "AMX bf16": ("", "amx_bf16"),
    "NEON": ("NEON", "asimd"),
    "NEON dot product": ("ASIMDDP", "asimddp"),
}


@cache
def has_dot_products() -> bool:
    """Whether networks in 8 bits are faster than in floats here."""
    return any(_numpy_features().get(name) for name in _NUMPY) or any(
        name in _linux_flags() for name in _LINUX
    )


@cache
def has_bf16_matrices() -> bool:
    """Whether training in bf16 is faster than in f32 here; only Linux tells."""
    return "amx_bf16" in _linux_flags()


def vector_features() -> list[str]:
    """Which vector instructions that matter to networks this processor has, for people."""
    known, flags = _numpy_features(), _linux_flags()
    return [name for name, (one, other) in _FEATURES.items() if known.get(one) or other in flags]


def processor_name() -> str:
    """What the processor calls itself, as far as the system tells."""
    lines = _cpuinfo_lines()
    for key in ("model name", "cpu model", "hardware"):
        for line in lines:
            name, _, value = line.partition(":")
            if name.strip().lower() == key and value.strip():
                return value.strip()
    return platform.processor() or platform.machine() or "unknown"


def _numpy_features() -> dict[str, bool]:
    try:
        table = import_module("numpy._core._multiarray_umath").__cpu_features__
    except (ImportError, AttributeError):  # not a part of NumPy's interface
        return {}
    return dict(table)


def _linux_flags() -> set[str]:
    return {
        flag
        for line in _cpuinfo_lines()
        if line.lower().startswith(("flags", "features"))
        for flag in line.partition(":")[2].split()
    }


def _cpuinfo_lines() -> list[str]:
    try:
        return _CPUINFO.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:  # another system
        return []
