"""What a campaign measures once the weights are there: commands, by phase."""

from __future__ import annotations

from pathlib import Path

# What the machine is, whatever of it is there.
MACHINE = """
import os, platform, shutil, subprocess, importlib.metadata as m
print(platform.platform(), 'Python', platform.python_version(), os.cpu_count(), 'processors')
for name in ('torch', 'numpy', 'onnx', 'onnxruntime', 'opencv-python-headless', 'opencv-python',
             'opencv-contrib-python', 'safetensors', 'triton', 'tensorrt', 'tensorrt-rtx'):
    try: print(name, m.version(name))
    except m.PackageNotFoundError: print(name, 'is not installed')
if shutil.which('nvidia-smi'):
    fields = 'name,memory.total,driver_version,clocks.max.sm'
    subprocess.run(['nvidia-smi', '--query-gpu=' + fields, '--format=csv'], check=True)
"""
_TESTS = Path(__file__).parent.parent.parent / "tests" / "tracker" / "engines"
_GPU_TESTS = (
    "test_torch_engine.py::test_on_a_gpu",
    "tensorrt/test_runner_on_gpu.py",
    "tensorrt/test_engine.py::test_the_real_bindings_have_every_name",
    "tensorrt/test_engine.py::test_the_real_pycuda_has_every_name",
)


def engine_timings(weights: str, engine: str, faces: str) -> dict[str, tuple[str, ...]]:
    """Commands that time an engine, by phase.

    Args:
        weights: the campaign's, with its .onnx beside it; also timed without CUDA graphs.
        engine: name of a candidate of export.speed.
        faces: numbers of faces at once, with commas.
    """
    options = {
        "engines": (weights,),
        "engines-no-graphs": (weights, "--no-graphs"),
        "engines-m": ("propnet-m",),
        "engines-s": ("propnet-s",),
    }
    # Seven batches, three ways each, four times over: with two seconds each it would be minutes.
    command = ("export.speed", "--engines", engine, "--batch", faces, "--seconds", "0.3")
    return {name: (*command, "--weights", *words) for name, words in options.items()}


def gpu_tests() -> tuple[str, ...]:
    """The command that runs the tests that need a GPU; empty outside a checkout."""
    # Without our options: they are for a runner that a rented machine may not have.
    if not _TESTS.is_dir():
        return ()
    tests = [str(_TESTS / name) for name in _GPU_TESTS]
    return ("pytest", "-q", "-rs", "-o", "addopts=", *tests)
