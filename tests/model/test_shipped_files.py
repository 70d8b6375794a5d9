"""Every shipped file is what SHA256SUMS says; what is not is named. Needs no torch."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from model import zoo
from model.zoo import SUMS, WEIGHTS, damaged, shipped
from tests.support.paths import DOCS


def test_the_shipped_files_are_those_of_the_sums() -> None:
    there = {path.name for path in WEIGHTS.iterdir() if path.suffix in (".onnx", ".safetensors")}
    assert there == set(shipped())
    assert damaged() == {}


def test_the_model_card_has_the_same_sums() -> None:
    stated = set(re.findall(r"\b[0-9a-f]{64}\b", (DOCS / "model-card.md").read_text("utf-8")))
    assert stated == set(shipped().values())


def test_damage_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (*shipped(), SUMS.name):
        shutil.copy(WEIGHTS / name, tmp_path / name)
    monkeypatch.setattr(zoo, "WEIGHTS", tmp_path)
    monkeypatch.setattr(zoo, "SUMS", tmp_path / SUMS.name)
    assert damaged() == {}
    data = bytearray((tmp_path / "propnet-s.onnx").read_bytes())
    data[len(data) // 2] ^= 1  # one bit
    (tmp_path / "propnet-s.onnx").write_bytes(data)
    (tmp_path / "propnet-m.onnx").unlink()
    found = damaged()
    assert set(found) == {"propnet-s.onnx", "propnet-m.onnx"}
    assert "SHA-256 differs" in found["propnet-s.onnx"]
    assert "missing" in found["propnet-m.onnx"]
