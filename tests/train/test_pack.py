"""Smaller copies of datasets: exact labels, same sources, pictures that fit them."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from model.crop import crop_image, crop_matrix, region_from_box, to_crop
from model.errors import run_command
from tests.support.face_files import write_faces
from train.data.datasets import read_dataset
from train.data.sample import Sample
from train.data.wflw import format_line, list_path
from train.pack import REACH, app, free_name, pack_face


def command(monkeypatch: pytest.MonkeyPatch, *options: object) -> int:
    monkeypatch.setattr(sys, "argv", ["pack", *map(str, options)])
    with pytest.raises(SystemExit) as left:
        run_command(app)
    assert isinstance(left.value.code, int)
    return left.value.code


def dotted(folder: Path, width: int, height: int, points: np.ndarray) -> Sample:
    """A dark picture with a soft bright spot at every point."""
    y, x = np.mgrid[:height, :width]
    spots = [np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * 6.0**2)) for px, py in points]
    picture = np.rint(255 * np.clip(np.sum(spots, axis=0), 0, 1)).astype(np.uint8)
    path = folder / "dots.png"
    cv2.imwrite(str(path), picture)
    box = np.concatenate([points.min(axis=0), points.max(axis=0)])
    return Sample(path, points, box, "wflw")


@pytest.mark.parametrize("size", [1000, 128, 96])
def test_labels_stay_on_what_they_mark(tmp_path: Path, size: int) -> None:
    points = np.array([[300.3, 200.8], [520.6, 240.2], [400.0, 430.7], [450.9, 330.1]])
    sample = dotted(tmp_path, 700, 611, points)
    image, moved, box = pack_face(sample, size)
    np.testing.assert_allclose(box, [*moved.min(axis=0), *moved.max(axis=0)])
    shrink = min(1.0, size / (1.3 * 229.9))
    assert np.ptp(moved, axis=0) == pytest.approx(shrink * np.ptp(points, axis=0), rel=0.01)
    assert max(image.shape[:2]) <= np.ceil(shrink * (REACH * 229.9 + 3))
    # The spot's centre of mass is where the label is, to a hundredth of a pixel.
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    for px, py in moved:
        near = ((x - px) ** 2 + (y - py) ** 2 < (24 * shrink) ** 2) * image[..., 0].astype(float)
        centre = (near * x).sum() / near.sum(), (near * y).sum() / near.sum()
        assert centre == pytest.approx((px, py), abs=0.03)


def test_a_face_at_the_rim_keeps_a_picture(tmp_path: Path) -> None:
    points = np.array([[-50.0, -20.0], [-10.0, 30.0]])
    sample = dotted(tmp_path, 60, 40, points)
    image, moved, _ = pack_face(sample, 256)
    assert image.shape[0] > 0 and image.shape[1] > 0
    np.testing.assert_allclose(moved, points)


def test_the_command_copies_all_splits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_faces(tmp_path / "faces", train=8, test=2)
    # Two faces of one picture, one of them known by its box alone.
    train = list_path(data, "train")
    first = train.read_text().splitlines()[0].split()
    with train.open("a") as file:
        file.write(" ".join(["nan"] * 196 + first[196:]) + "\n")
    out = tmp_path / "small"
    assert command(monkeypatch, "--data", data, "--out", out, "--size", 64, "--quality", 95) == 0
    assert "11 faces, pictures" in capsys.readouterr().out
    for split in ("train", "test"):
        old, new = (read_dataset("wflw", root, split) for root in (data, out))
        assert [(s.source, s.attributes) for s in old] == [(s.source, s.attributes) for s in new]
        assert len({s.image for s in new}) == len(new)
        for a, b in zip(old, new, strict=True):
            regions = region_from_box(a.box), region_from_box(b.box)
            if a.has_points:
                # In the crop's pixels: the same place, also after the text.
                places = [
                    to_crop(sample.points, crop_matrix(region, 64))
                    for sample, region in zip((a, b), regions, strict=True)
                ]
                np.testing.assert_allclose(places[0], places[1], atol=0.35)
            assert a.has_points == b.has_points
            crops = [crop_image(s.load(), r, 64) for s, r in zip((a, b), regions, strict=True)]
            assert np.abs(crops[0].astype(int) - crops[1]).mean() < 8
    assert not list(tmp_path.glob("small.*"))
    assert command(monkeypatch, "--data", data, "--out", out) == 2
    assert "exists: name a new folder, or remove it" in capsys.readouterr().err


def test_sources_left_out_and_shorter_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = write_faces(tmp_path / "faces", train=8, test=4), tmp_path / "small"
    options = ("--data", data, "--out", out, "--leave-out", "ytf", "--digits", 1)
    assert command(monkeypatch, *options) == 0
    old, new = (read_dataset("wflw", root, "train") for root in (data, out))
    assert [s.source for s in new] == [s.source for s in old if s.source != "ytf"]
    assert len(new) == 6
    # Who judges is judged by all.
    assert len(read_dataset("wflw", out, "test")) == 4
    numbers = list_path(out, "train").read_text().split()[:196]
    assert {len(number.partition(".")[2]) for number in numbers} <= {0, 1}
    np.testing.assert_allclose(np.array(numbers, float), new[0].points.ravel())
    options = ("--data", data, "--out", tmp_path / "none", "--leave-out", "ytf")
    assert command(monkeypatch, *options, "--leave-out", "drawn") == 2
    assert "leaves no face to train on" in capsys.readouterr().err


def test_nothing_is_left_of_a_copy_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_faces(tmp_path / "faces", train=4, test=2)
    read_dataset("wflw", data, "test")[1].image.write_bytes(b"no picture")
    assert command(monkeypatch, "--data", data, "--out", tmp_path / "small") == 2
    assert "is damaged, or a kind of picture that cannot be read here" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["faces"]


def test_names_keep_the_source_and_are_unique() -> None:
    taken: set[str] = set()
    given = [free_name(Path("300w/helen/trainset/a.jpg"), taken) for _ in range(3)]
    assert given == [f"300w/helen/trainset/a{tail}.webp" for tail in ("", "-1", "-2")]
    assert free_name(Path("300w/helen/trainset/a.png"), taken) == "300w/helen/trainset/a-3.webp"


def test_a_line_reads_back_what_it_was_written_from(tmp_path: Path) -> None:
    data = write_faces(tmp_path / "faces", train=4, test=1)
    for sample in read_dataset("wflw", data, "train"):
        name = sample.image.relative_to(data / "WFLW_images").as_posix()
        list_path(data, "test").write_text(format_line(sample, name, 4) + "\n")
        (read,) = read_dataset("wflw", data, "test")
        np.testing.assert_array_equal(read.points, sample.points)
        np.testing.assert_array_equal(read.box, sample.box)
        assert (read.source, read.attributes) == (sample.source, sample.attributes)
