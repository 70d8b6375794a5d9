"""Whether a processor multiplies 8-bit numbers in vectors."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracker.system import processor


@pytest.mark.parametrize(
    ("numpy_features", "cpuinfo", "expected"),
    [
        ({"AVX2": True, "AVX512VNNI": False}, "flags\t\t: fpu avx2\n", False),
        ({"AVX512VNNI": True}, "", True),
        ({"ASIMDDP": True}, "", True),
        ({}, "processor\t: 0\nflags\t\t: fpu avx2 avx_vnni\n", True),
        ({}, "Features\t: fp asimd asimddp\n", True),
        ({}, "bugs\t: avx_vnni\n", False),
        ({}, None, False),
    ],
)
def test_instructions_are_found(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    numpy_features: dict[str, bool],
    cpuinfo: str | None,
    expected: bool,
) -> None:
    file = tmp_path / "cpuinfo"
    if cpuinfo is not None:
        file.write_text(cpuinfo)
    monkeypatch.setattr(processor, "_numpy_features", lambda: numpy_features)
    monkeypatch.setattr(processor, "_CPUINFO", file)
    processor.has_dot_products.cache_clear()
    assert processor.has_dot_products() is expected
    processor.has_dot_products.cache_clear()


def test_numpy_is_asked_by_names_that_it_knows() -> None:
    """Its table is no part of its interface: a NumPy that renames them would go unnoticed."""
    features = processor._numpy_features()
    assert {"AVX512VNNI", "ASIMDDP"} <= set(features)


def test_name_and_instructions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    monkeypatch.setattr(processor, "_CPUINFO", file)
    monkeypatch.setattr(processor, "_numpy_features", lambda: {"AVX2": True, "AVX512F": False})
    file.write_text("processor\t: 0\nmodel name\t: Some CPU: 3 GHz\nflags\t\t: avx2 amx_int8\n")
    assert processor.processor_name() == "Some CPU: 3 GHz"
    assert processor.vector_features() == ["AVX2", "AMX int8"]
    file.write_text("Features\t: fp asimd asimddp\nHardware\t: A board\n")
    assert processor.processor_name() == "A board"
    assert processor.vector_features() == ["AVX2", "NEON", "NEON dot product"]
    file.unlink()
    assert processor.processor_name()  # whatever Python knows
