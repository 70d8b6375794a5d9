"""COFW reader, on small files with MATLAB's HDF5 layout."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from model.errors import InputError
from train.data.cofw import read_cofw
from train.data.datasets import read_dataset
from train.data.hdf5_picture import read_entry

COUNT = 3


def face(index: int) -> np.ndarray:
    """Points of a face as MATLAB stores them, from 1."""
    return np.random.default_rng(index).uniform(1, 20, (29, 2))


def picture(index: int) -> np.ndarray:
    """[H, W, 3], or [H, W] for the second face; no two sides are equal."""
    shape = (20, 30) if index == 1 else (20, 30 + index, 3)
    return np.random.default_rng(index).integers(0, 256, shape, dtype=np.uint8)


def write_cofw(root: Path, split: str = "test") -> Path:
    suffix = {"train": "Tr", "test": "T"}[split]
    path = root / f"COFW_{split}_color.mat"
    with h5py.File(path, "w") as file:
        cells = file.create_dataset(f"Is{suffix}", (1, COUNT), dtype=h5py.ref_dtype)
        for index in range(COUNT):
            # MATLAB's column-major arrays appear with reversed axes.
            stored = file.create_dataset(f"#refs#/{index}", data=picture(index).T)
            cells[0, index] = stored.ref
        hidden = np.zeros((COUNT, 29))
        rows = [
            np.concatenate([face(i)[:, 0], face(i)[:, 1], hidden[i]]) for i in range(COUNT)
        ]  # MATLAB: [N, 87]
        file.create_dataset(f"phis{suffix}", data=np.stack(rows).T)
        file.create_dataset(f"bboxes{suffix}", data=np.ones((4, COUNT)))
    return path


@pytest.mark.parametrize("split", ["train", "test"])
def test_faces_and_pictures(tmp_path: Path, split: str) -> None:
    write_cofw(tmp_path, split)
    samples = read_dataset("cofw", tmp_path, split)
    assert len(samples) == COUNT
    for index, sample in enumerate(samples):
        np.testing.assert_allclose(sample.points, face(index) - 1, atol=1e-12)
        np.testing.assert_array_equal(sample.box[2:], sample.points.max(axis=0))
        expected = picture(index)
        image = sample.load()
        assert image.dtype == np.uint8
        assert image.flags.c_contiguous
        if expected.ndim == 2:
            expected = np.repeat(expected[:, :, None], 3, axis=2)
        np.testing.assert_array_equal(image, expected)
        assert sample.source == "cofw"
        assert f"[{index}]" in sample.name


def test_missing_or_damaged_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"COFW_test_color\.mat does not exist"):
        read_cofw(tmp_path, "test")
    with pytest.raises(InputError, match="no split 'full'"):
        read_cofw(tmp_path, "full")
    path = tmp_path / "COFW_test_color.mat"
    path.write_bytes(b"MATLAB 5.0 MAT-file" + bytes(2000))
    with pytest.raises(InputError, match="is damaged, or no HDF5"):
        read_cofw(tmp_path, "test")
    whole = write_cofw(tmp_path, "train").read_bytes()
    # The names of the members are a heap: HDF5 finds it damaged only when it is asked for one.
    path.write_bytes(whole.replace(b"HEAP", b"HEAd", 1))
    with pytest.raises(InputError, match="is damaged, or no HDF5"):
        read_cofw(tmp_path, "test")
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="is damaged, or no HDF5"):
        read_cofw(tmp_path, "test")


def test_labels_of_another_shape(tmp_path: Path) -> None:
    path = write_cofw(tmp_path)
    with h5py.File(path, "a") as file:
        labels = file["phisT"][:]
        del file["phisT"]
    with pytest.raises(InputError, match="has no dataset phisT"):
        read_cofw(tmp_path)
    for wrong in (labels[:86], labels[:, :2], labels.T):
        with h5py.File(path, "a") as file:
            file.create_dataset("phisT", data=wrong)
        with pytest.raises(InputError, match=r"instead of \(87, 3\)"):
            read_cofw(tmp_path)
        with h5py.File(path, "a") as file:
            del file["phisT"]
    for value, message in ((np.nan, "column 1 of phisT is not finite"), (5.0, "span no area")):
        bad = labels.copy()
        bad[:58, 1] = value
        with h5py.File(path, "a") as file:
            file.create_dataset("phisT", data=bad)
        with pytest.raises(InputError, match=message):
            read_cofw(tmp_path)
        with h5py.File(path, "a") as file:
            del file["phisT"]


def test_pictures_of_another_kind(tmp_path: Path) -> None:
    path = write_cofw(tmp_path)
    with h5py.File(path, "a") as file:
        file.create_dataset("#refs#/float", data=np.zeros((3, 4, 5)))
        file["IsT"][0, 0] = file["#refs#/float"].ref
        file.create_dataset("#refs#/four", data=np.zeros((4, 4, 5), dtype=np.uint8))
        file["IsT"][0, 1] = file["#refs#/four"].ref
        file.create_dataset("plain", data=np.zeros((1, COUNT)))
    with pytest.raises(InputError, match="holds float64 instead of uint8"):
        read_entry(path, "IsT", 0)
    with pytest.raises(InputError, match=r"the shape \(4, 4, 5\)"):
        read_entry(path, "IsT", 1)
    with pytest.raises(InputError, match="holds 3 pictures, not 7"):
        read_entry(path, "IsT", 7)
    with pytest.raises(InputError, match="does not hold references"):
        read_entry(path, "plain", 0)


def test_what_claims_to_be_huge_is_not_read(tmp_path: Path) -> None:
    path = write_cofw(tmp_path)
    with h5py.File(path, "a") as file:
        del file["phisT"]
        file.create_dataset("phisT", (87, 1 << 40), dtype="f8", chunks=(87, 1))
    with pytest.raises(InputError, match=r"phisT has the shape \(87, 1099511627776\)"):
        read_cofw(tmp_path)
    path.unlink()
    with h5py.File(write_cofw(tmp_path), "a") as file:
        file.create_dataset("#refs#/huge", (3, 30_000, 30_000), dtype="u1", chunks=(1, 64, 64))
        file["IsT"][0, 1] = file["#refs#/huge"].ref
    with pytest.raises(InputError, match=r"IsT\[1\] has 30000x30000 pixels, pictures may have"):
        read_cofw(tmp_path)


def test_faces_that_cannot_be(tmp_path: Path) -> None:
    path = write_cofw(tmp_path)
    with h5py.File(path, "a") as file:
        file["phisT"][:58, 2] -= 500.0
    with pytest.raises(InputError, match=r"column 2 of phisT: 29 of the 29 landmarks lie off"):
        read_cofw(tmp_path)
