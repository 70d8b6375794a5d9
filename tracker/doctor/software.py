"""Ourselves, Python, the system, and the packages beside us."""

from __future__ import annotations

import platform
import sys
from importlib import metadata

from tracker.doctor.row import Row
from tracker.system.version import package_version

# What tracking needs; a test holds it against pyproject.toml.
NEEDED = (
    "av",
    "numpy",
    "onnx",
    "onnxruntime",
    "opencv-python",
    "openvino",
    "pillow",
    "platformdirs",
    "pyyaml",
    "rich",
    "safetensors",
    "typer",
)
# What extras bring.
OPTIONAL = (
    "mediapipe",
    "nncf",
    "pyarrow",
    "pycuda",
    "python-osc",
    "ray",
    "tensorrt",
    "tensorrt-rtx",
    "torch",
)
# OpenCV has several names for one module, and two of them at once are a well-known fault.
_OPENCV = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)


def versions() -> list[Row]:
    """Ours, Python's and the system's."""
    return [
        Row("propnet-tracker", package_version() or "run from its sources, not installed"),
        Row("Python", f"{platform.python_implementation()} {platform.python_version()}"),
        Row("system", platform.platform()),
        Row("interpreter", sys.executable or "unknown"),
    ]


def packages() -> list[Row]:
    """Installed or not; nothing is imported."""
    rows = [_package(name, needed=True) for name in NEEDED if name not in _OPENCV]
    rows += [_package(name, needed=False) for name in OPTIONAL]
    return sorted([*_opencv(), *rows], key=lambda row: row.name)


def version(name: str) -> str | None:
    """Version of an installed package; None if it is not. Imports nothing."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _package(name: str, *, needed: bool) -> Row:
    there = version(name)
    if there is not None:
        return Row(name, there)
    # Not made for every processor, and ONNX Runtime does the same work.
    if needed and name != "openvino":
        return Row(name, "not installed, and needed", "failed")
    return Row(name, "not installed", "absent")


def _opencv() -> list[Row]:
    found = {name: there for name in _OPENCV if (there := version(name)) is not None}
    if not found:
        return [Row("opencv-python", "not installed, and needed", "failed")]
    if len(set(found.values())) > 1:
        text = ", ".join(f"{name} {there}" for name, there in found.items())
        return [Row("opencv", f"several versions in one folder: {text}", "failed")]
    return [Row(name, there) for name, there in found.items()]
