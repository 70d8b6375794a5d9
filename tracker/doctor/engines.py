"""What `--engine` can take here: each loads the default network."""

from __future__ import annotations

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
