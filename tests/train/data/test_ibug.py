"""300W reader: splits, pairing of pictures and points, 1-based coordinates."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from model.errors import InputError
from train.data.datasets import read_dataset
from train.data.ibug import read_ibug
from train.data.pts_file import write_pts

FOLDERS = {
    "afw": 1,
    "helen/trainset": 2,
    "helen/testset": 3,
    "lfpw/trainset": 4,
    "lfpw/testset": 5,
    "ibug": 6,
    "300W/01_Indoor": 7,
    "300W/02_Outdoor": 8,
}


def face(index: int) -> np.ndarray:
    return np.random.default_rng(index).uniform(0, 90, (68, 2))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """As many faces in each folder as FOLDERS says; face i of a folder has the points face(i)."""
    for folder, count in FOLDERS.items():
        (tmp_path / folder).mkdir(parents=True)
        for index in range(count):
            suffix = ".png" if index % 2 else ".jpg"
            path = tmp_path / folder / f"image_{index} _x{suffix}"  # ibug has such a blank
            assert cv2.imwrite(str(path), np.zeros((95, 95, 3), dtype=np.uint8))
            write_pts(path.with_suffix(".pts"), face(index), one_based=True)
    return tmp_path


@pytest.mark.parametrize(
    ("split", "count", "sources"),
    [
        ("train", 1 + 2 + 4, {"300w/afw", "300w/helen", "300w/lfpw"}),
        ("common", 3 + 5, {"300w/helen", "300w/lfpw"}),
        ("challenge", 6, {"300w/ibug"}),
        ("full", 3 + 5 + 6, {"300w/helen", "300w/lfpw", "300w/ibug"}),
        ("private", 7 + 8, {"300w/private"}),
    ],
)
def test_splits(root: Path, split: str, count: int, sources: set[str]) -> None:
    samples = read_dataset("300w", root, split)
    assert len({sample.image for sample in samples}) == count
    assert {sample.source for sample in samples} == sources
    assert {sample.attributes for sample in samples} == {(0,) * 6}
    assert samples[0].load().shape == (95, 95, 3)


def test_coordinates_are_zero_based_whatever_the_files_use(root: Path) -> None:
    official = read_ibug(root, "challenge")
    for index, sample in enumerate(official):
        np.testing.assert_allclose(sample.points, face(index), atol=1e-6)
        np.testing.assert_array_equal(sample.box[:2], sample.points.min(axis=0))
        np.testing.assert_array_equal(sample.box[2:], sample.points.max(axis=0))
    for index, sample in enumerate(read_ibug(root, "challenge", one_based=False)):
        np.testing.assert_allclose(sample.points, face(index) + 1, atol=1e-6)


def test_what_archivers_leave_behind_is_ignored(root: Path) -> None:
    (root / "afw" / "._image_0 _x.jpg").write_bytes(b"")
    (root / "afw" / "Thumbs.db").write_bytes(b"")
    assert len(read_ibug(root, "train")) == 7


def test_unpaired_files_and_folders(root: Path) -> None:
    picture = root / "afw" / "image_0 _x.jpg"
    points = picture.with_suffix(".pts")
    shutil.copy(picture, root / "afw" / "image_0 _x.png")
    with pytest.raises(InputError, match=r"share one \.pts"):
        read_ibug(root, "train")
    (root / "afw" / "image_0 _x.png").unlink()
    text = points.read_text(encoding="utf-8")
    points.unlink()
    with pytest.raises(InputError, match=r"the picture .*image_0 _x.jpg has no image_0 _x.pts"):
        read_ibug(root, "train")
    points.write_text(text, encoding="utf-8")
    picture.unlink()
    with pytest.raises(InputError, match=r"image_0 _x.pts has no picture"):
        read_ibug(root, "train")
    points.unlink()
    with pytest.raises(InputError, match="afw holds no picture"):
        read_ibug(root, "train")
    (root / "afw").rmdir()
    with pytest.raises(InputError, match=r"afw does not exist; --data must name"):
        read_ibug(root, "train")
    with pytest.raises(InputError, match="no split 'test'"):
        read_ibug(root, "test")


def test_a_pts_with_67_points(root: Path) -> None:
    path = root / "ibug" / "image_0 _x.pts"
    write_pts(path, face(0)[:67], one_based=True)
    with pytest.raises(InputError, match=r"image_0 _x.pts: 67 points instead of 68"):
        read_ibug(root, "full")


def test_points_without_extent(root: Path) -> None:
    write_pts(root / "ibug" / "image_0 _x.pts", np.ones((68, 2)), one_based=True)
    with pytest.raises(InputError, match="span no area"):
        read_ibug(root, "challenge")


def test_a_face_off_the_picture(root: Path) -> None:
    points = face(0)
    points[5:] -= 300.0
    write_pts(root / "ibug" / "image_0 _x.pts", points, one_based=True)
    # Three lines of header, five good points.
    with pytest.raises(InputError, match=r"x\.pts, line 9: 63 of the 68 landmarks lie off the pic"):
        read_ibug(root, "challenge")
