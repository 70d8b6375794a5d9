"""Where compiled networks are kept, and that they cannot be."""

from pathlib import Path

import pytest

from tracker.doctor.cache import cache
from tracker.doctor.row import Row


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PROPNET_CACHE", str(tmp_path / "some" / "cache"))
    return tmp_path / "some" / "cache"


def test_what_is_kept_is_counted(folder: Path) -> None:
    assert cache() == [Row("cache", f"{folder}: 0 files, 0.0 MB")]
    folder.mkdir(parents=True)
    (folder / "a.blob").write_bytes(bytes(1_500_000))
    (folder / "b.engine").write_bytes(bytes(100_000))
    assert cache() == [Row("cache", f"{folder}: 2 files, 1.6 MB")]


def test_what_cannot_be_kept_is_said(folder: Path) -> None:
    folder.parent.write_text("no folder")
    (row,) = cache()
    assert row.status == "absent"
    assert row.value.endswith(f"{folder} cannot be written to")
