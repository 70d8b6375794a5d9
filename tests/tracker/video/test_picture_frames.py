"""Animated WebP and TIFF of many pages, as frames."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from model.errors import InputError
from tests.support.picture_files import animated_webp, bomb_png, tiff_of_pages
from tests.support.video_files import picture
from tracker.assets.portrait import portrait_image
from tracker.sources.open_source import open_source
from tracker.video.picture_frames import PictureFramesReader

LEVELS = [40 + 20 * i for i in range(10)]


def flat(level: int, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    return np.full((size[1], size[0], 3), (level, 0, 255 - level), np.uint8)


def test_an_animated_webp_is_all_its_frames(tmp_path: Path) -> None:
    times = [50, 60, 70, 80, 90, 100, 110, 120, 0, 140]
    path = animated_webp(tmp_path / "a.webp", [flat(level) for level in LEVELS], times)
    with open_source(path) as source:
        assert isinstance(source, PictureFramesReader)
        assert (source.info.still, source.info.frames) == (False, 10)
        frames = list(source)
    assert [frame.number for frame in frames] == list(range(10))
    shown = [time if time > 10 else 100 for time in times]
    np.testing.assert_allclose(
        [frame.timestamp for frame in frames], np.cumsum([0, *shown[:-1]]) / 1000
    )
    for frame, level in zip(frames, LEVELS, strict=True):
        assert np.abs(frame.image.astype(int) - flat(level)).max() <= 12


def test_pages_of_a_tiff_are_frames(tmp_path: Path) -> None:
    pages = [flat(level) for level in LEVELS]
    path = tiff_of_pages(tmp_path / "a.tif", [*pages[:4], flat(9, (32, 24)), *pages[4:]])
    with open_source(path) as source:
        assert source.info.frames == 10
        assert source.info.notes[0].startswith("1 of 11 pages were left out")
        frames = list(source)
    np.testing.assert_array_equal([frame.image for frame in frames], pages)
    np.testing.assert_allclose([frame.timestamp for frame in frames], np.arange(10) / 25)


def test_a_tiff_with_a_thumbnail_is_a_still_picture(tmp_path: Path) -> None:
    path = tiff_of_pages(tmp_path / "a.tif", [flat(100), flat(100, (16, 12))])
    with open_source(path) as source:
        assert source.info.still
        assert source.info.notes[0].startswith("1 of 2 pages were left out")


def test_a_file_that_ends_early_says_how_much_of_it_is_there(tmp_path: Path) -> None:
    path = animated_webp(tmp_path / "a.webp", [picture(64, 48, level=i) for i in LEVELS], [40] * 10)
    data = bytearray(path.read_bytes())
    last = data.rindex(b"ANMF") + 8 + 16  # the header of the last frame, then its pixels
    data[last : last + 40] = bytes(40)
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match=r"a\.webp is damaged"), open_source(path) as source:
        list(source)


def test_other_pictures_are_none(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        PictureFramesReader(bomb_png(tmp_path / "a.png", 10))


def test_on_the_command_line(run, network: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    small = portrait_image()[::2, ::2]
    shifted = [np.ascontiguousarray(np.roll(small, 2 * i, axis=1)) for i in range(4)]
    animated_webp(folder / "moving.webp", shifted, [100] * 4)
    tiff_of_pages(folder / "pages.tif", [*shifted, small[:20, :20]])
    out = tmp_path / "out"
    result = run(folder, "--out", out, "--save", out, "--weights", network)
    assert result.code == 0, result.err
    assert {path.name for path in out.iterdir()} == {
        "moving.mp4", "moving.csv", "pages.mp4", "pages.csv",
    }  # fmt: skip
    assert "pages.tif: 1 of 5 pages were left out" in result.err
    many = run("batch", folder, "--out-dir", tmp_path / "many", "--weights", network)
    assert many.code == 0, many.err
    assert "pages.tif: 1 of 5 pages were left out" in many.err
    entries = map(json.loads, (tmp_path / "many" / "manifest.jsonl").read_text().splitlines())
    notes = {Path(entry["input"]).name: len(entry["notes"]) for entry in entries}
    assert notes == {"moving.webp": 0, "pages.tif": 1}
    rows = list(csv.DictReader((out / "moving.csv").read_text().splitlines()))
    assert [float(row["timestamp"]) for row in rows] == [0.0, 0.1, 0.2, 0.3]
    alone = run(folder / "pages.tif", "--save", tmp_path / "a.csv", "--weights", network)
    assert alone.code == 0, alone.err
    assert alone.out.startswith("4 frames, ")
    assert "1 of 5 pages were left out" in alone.out
