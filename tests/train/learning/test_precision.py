"""What `--precision auto` takes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from model.errors import InputError
from tracker.system import processor
from train.learning.precision import choose_precision


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("avx2", "f32"),
        # Vectors of 16 bits are slower than those of 32: 1.7 times the time of a step.
        ("avx2 avx512_bf16", "f32"),
        ("avx2 avx512_bf16 amx_bf16", "bf16"),
    ],
)
def test_a_processor(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, flags: str, expected: str
) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text(f"flags\t\t: fpu {flags}\n")
    monkeypatch.setattr(processor, "_CPUINFO", file)
    processor.has_bf16_matrices.cache_clear()
    # Without a GPU `auto` is the processor; with one, it may still be asked for.
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_precision("auto", "auto") == expected
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_precision("auto", "cpu") == expected
    processor.has_bf16_matrices.cache_clear()


@pytest.mark.parametrize("device", ["auto", "cuda"])
@pytest.mark.parametrize(("has_it", "expected"), [(True, "bf16"), (False, "f32")])
def test_a_gpu(monkeypatch: pytest.MonkeyPatch, device: str, has_it: bool, expected: str) -> None:
    def supported(including_emulation: bool = True) -> bool:
        # GPUs before Ampere emulate it, slower than f32.
        return has_it or including_emulation

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert choose_precision("auto", device) == expected


@pytest.mark.parametrize("word", ["bf16", "f32"])
def test_what_is_asked_for(word: str) -> None:
    assert choose_precision(word, "cpu") == word


def test_another_word() -> None:
    with pytest.raises(InputError, match="unknown precision 'f16': use auto, bf16 or f32"):
        choose_precision("f16", "cpu")
