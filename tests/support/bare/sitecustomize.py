"""With this folder in PYTHONPATH, a process finds no package that a rented GPU machine lacks.

What is there: torch, onnx, onnxruntime, OpenCV, safetensors, typer, rich, PyYAML, matplotlib,
scipy, pytest. A module in WITHOUT looks as if it were not installed, also to
`importlib.util.find_spec`.
"""

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import Any

WITHOUT = {
    "av", "h5py", "importlinter", "mediapipe", "nncf", "openvino", "platformdirs", "pyarrow",
    "pycuda", "pythonosc", "ray", "sklearn", "skimage", "tensorrt", "tensorrt_lean",
    "tensorrt_rtx", "tensorrt_rtx_bindings", "xdist",
}  # fmt: skip


class _Without:
    """A finder that does not find those."""

    def __init__(self, finder: Any) -> None:
        self._finder = finder

    def find_spec(self, name: str, *rest: Any) -> ModuleSpec | None:
        if name.partition(".")[0] in WITHOUT:
            return None
        return self._finder.find_spec(name, *rest)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._finder, name)


sys.meta_path[:] = [
    _Without(finder) if hasattr(finder, "find_spec") else finder for finder in sys.meta_path
]
MetaPathFinder.register(_Without)
