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
