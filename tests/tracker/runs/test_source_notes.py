"""What is done to frames before anybody sees them is said, once."""

from pathlib import Path

import pytest

from tests.support.commands import Run
from tests.tracker.video.test_deinterlacing import interlaced

NOTE = "interlaced frames deinterlaced"


def test_one_file(run: Run, network: Path, tmp_path: Path) -> None:
    clip = interlaced(tmp_path / "a.mkv", "libx264")
    found = run("batch", clip, "--out-dir", tmp_path / "out", "--weights", network)
    assert found.code == 0, found.err
    assert found.err.count(NOTE) == 1


@pytest.mark.parametrize("batch", [True, False])
def test_a_folder(run: Run, network: Path, tmp_path: Path, batch: bool) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name in "ab":
        interlaced(folder / f"{name}.mkv", "libx264")
    more = ("batch", folder, "--out-dir", out) if batch else (folder, "--save", out)
    found = run(*more, "--weights", network)
    assert found.code == 0, found.err
    assert found.err.count(NOTE) == 1
