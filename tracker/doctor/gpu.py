"""The NVIDIA GPU: driver, CUDA and TensorRT."""

from __future__ import annotations

import ctypes
import shutil
import subprocess

from tracker.doctor.row import Row

_QUERY = ("--query-gpu=name,driver_version,memory.total", "--format=csv,noheader")
_SECONDS = 10


def gpu() -> list[Row]:
    """What is there, from the driver up."""
    return [_driver(), *_devices()]


def tensorrt() -> list[Row]:
    """Whether TensorRT runs here, and why not."""
    from model.errors import InputError  # noqa: PLC0415
    from tracker.engines.tensorrt.cuda import find_gpu  # noqa: PLC0415
    from tracker.engines.tensorrt.edition import choose_flavour  # noqa: PLC0415

    try:
        found = find_gpu()
        flavour = choose_flavour(found)
    except InputError as error:
        return [Row("tensorrt", str(error), "absent")]
    return [Row("tensorrt", f"{flavour.title} on {found.name} ({found.capability})")]


def _driver() -> Row:
    """CUDA's version, as the driver has it."""
    from tracker.engines.tensorrt.cuda import DRIVER  # noqa: PLC0415

    try:
        library = ctypes.CDLL(DRIVER)
    except OSError:
        return Row("CUDA", f"no NVIDIA driver ({DRIVER} is not there)", "absent")
    version = ctypes.c_int()
    code = library.cuDriverGetVersion(ctypes.byref(version))
    if code:
        return Row("CUDA", f"the driver answers with error {code}", "failed")
    return Row("CUDA", f"{version.value // 1000}.{version.value % 1000 // 10} in the driver")


def _devices() -> list[Row]:
    """Every GPU with driver and memory, as nvidia-smi tells."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return [Row("GPU", "nvidia-smi is not there", "absent")]
    done = subprocess.run(
        [program, *_QUERY], capture_output=True, text=True, check=False, timeout=_SECONDS
    )
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    if done.returncode or not lines:
        said = " ".join((done.stderr + done.stdout).split())
        return [Row("GPU", f"nvidia-smi fails: {said or done.returncode}", "failed")]
    rows = []
    for index, line in enumerate(lines):
        name, driver, size = (part.strip() for part in line.split(","))
        rows.append(Row(f"GPU {index}", f"{name}, {size}, driver {driver}"))
    return rows
