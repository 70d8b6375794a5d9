"""What `--engine` can take here: each loads the default network."""

from __future__ import annotations

import os

from tracker.doctor.row import Row


def openvino() -> list[Row]:
    """OpenVINO."""
    return [_load("openvino")]


def onnxruntime() -> list[Row]:
    """ONNX Runtime."""
    return [_load("onnxruntime")]


def torch() -> list[Row]:
    """torch, which takes seconds and gigabytes to load: whether it is installed is enough."""
    from tracker.doctor.software import version  # noqa: PLC0415
    from tracker.engines.create import missing  # noqa: PLC0415

    reason = missing("torch")
    if reason is not None:
        return [Row("torch", reason, "absent")]
    return [Row("torch", f"{version('torch') or 'of unknown version'} is installed; not loaded")]


def cache() -> list[Row]:
    """Where engines and compiled networks are kept between starts."""
    from model.errors import InputError  # noqa: PLC0415
    from tracker.engines.cache_folder import cache_folder  # noqa: PLC0415

    try:
        folder = cache_folder()
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        if not there.is_dir() or not os.access(there, os.W_OK):
            raise PermissionError(f"{folder} cannot be written to")
        sizes = [path.stat().st_size for path in folder.glob("*") if path.is_file()]
    except (InputError, OSError) as error:
        return [Row("cache", f"none, every start compiles networks anew: {error}", "absent")]
    return [Row("cache", f"{folder}: {len(sizes)} files, {sum(sizes) / 1e6:.1f} MB")]


def _load(name: str) -> Row:
    from model.errors import InputError  # noqa: PLC0415
    from model.zoo import DEFAULT_WEIGHTS  # noqa: PLC0415
    from tracker.engines.create import create_engine, missing  # noqa: PLC0415

    reason = missing(name)
    if reason is not None:
        return Row(name, reason, "absent")
    try:
        engine = create_engine(name, DEFAULT_WEIGHTS)
    except InputError as error:
        return Row(name, str(error), "failed")
    try:
        return Row(name, engine.description)
    finally:
        engine.close()
