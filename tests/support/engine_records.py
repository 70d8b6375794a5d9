"""What an engine file's record says, without an engine."""

from __future__ import annotations

import hashlib

from tracker.engines.base import ModelInfo
from tracker.engines.tensorrt.engine_record import ANY_GPU, EngineRecord


def record_of(info: ModelInfo, engine: bytes = b"engine") -> EngineRecord:
    """The record of a network's engine whose file holds these bytes."""
    return EngineRecord(
        info=info,
        onnx_sha256="cd" * 32,
        flavour="tensorrt_rtx",
        version="1.0",
        gpu=ANY_GPU,
        precision="f16",
        batch=(1, 1, 8),
        f32_layers=(),
        build_seconds=1.5,
        engine_sha256=hashlib.sha256(engine).hexdigest(),
    )
