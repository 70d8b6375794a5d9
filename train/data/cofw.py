"""COFW: 29 points, pictures and labels in one HDF5 file (MATLAB v7.3).

Layout: ROOT/COFW_train_color.mat with IsTr, phisTr, bboxesTr, and ROOT/COFW_test_color.mat with
IsT, phisT, bboxesT. HDF5 shows MATLAB's arrays with their axes reversed:

    Is      [1, N] references to pictures, each [3, W, H] or (grey) [W, H]
    phis    [87, N]: 29 x, 29 y, 29 occlusion flags; 1-based pixels
    bboxes  [4, N]: x, y, width, height of a face detector, not used here: the box of a sample is
            the tight box of its points, as for the other datasets
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from model.errors import InputError
from train.data.sample import Sample, tight_box

# split: file, name of the pictures, name of the labels
SPLITS = {
    "train": ("COFW_train_color.mat", "IsTr", "phisTr"),
    "test": ("COFW_test_color.mat", "IsT", "phisT"),
}
POINTS = 29


def read_cofw(root: Path, split: str = "test") -> list[Sample]:
    """Read one split of COFW.

    Args:
        root: the folder that holds the two `.mat` files.
        split: "train" or "test".

    Returns:
        Samples in the order of the file; their pictures stay in it until `Sample.load`.

    Raises:
        InputError: unknown split, missing or damaged file, labels of another shape.
    """
    if split not in SPLITS:
        raise InputError(f"COFW has no split {split!r}; choose one of {', '.join(SPLITS)}.")
    name, pictures, labels = SPLITS[split]
    path = root / name
    with _open(path) as file:
        phis = np.asarray(_member(file, path, labels), dtype=np.float64)
        count = _member(file, path, pictures).size
    if phis.ndim != 2 or phis.shape[0] != 3 * POINTS or phis.shape[1] != count:
        raise InputError(
            f"{path}: {labels} has the shape {phis.shape} instead of ({3 * POINTS}, {count}), one "
            f"column for each picture of {pictures}."
        )
    # MATLAB counts pixels from 1.
    points = phis[: 2 * POINTS].reshape(2, POINTS, count).transpose(2, 1, 0) - 1
    for index, face in enumerate(points):
        if not np.isfinite(face).all():
            raise InputError(f"{path}: column {index} of {labels} is not finite.")
        if (face.max(axis=0) <= face.min(axis=0)).any():
            raise InputError(f"{path}: the points of column {index} of {labels} span no area.")
    return [
        Sample(path, face, tight_box(face), "cofw", entry=(pictures, index))
        for index, face in enumerate(points)
    ]


def read_entry(path: Path, pictures: str, index: int) -> NDArray[np.uint8]:
    """Read one picture of a COFW file.

    Args:
        path: the `.mat` file.
        pictures: "IsTr" or "IsT".
        index: which picture, from 0.

    Returns:
        [H, W, 3] RGB, uint8; grey pictures get three equal channels.

    Raises:
        InputError: missing or damaged file, no such picture, or one of another shape or type.
    """
    # Opened for each picture: a handle kept open could not be shared with loader processes.
    with _open(path) as file:
        references = _member(file, path, pictures)
        if not 0 <= index < references.size:
            raise InputError(f"{path}: {pictures} holds {references.size} pictures, not {index}.")
        if h5py.check_ref_dtype(references.dtype) is not h5py.Reference:
            raise InputError(f"{path}: {pictures} does not hold references to pictures.")
        picture = np.asarray(file[np.ravel(references[()])[index]])
    if picture.dtype != np.uint8:
        raise InputError(f"{path}: {pictures}[{index}] holds {picture.dtype} instead of uint8.")
    if picture.ndim == 2:
        picture = np.stack([picture] * 3)
    if picture.ndim != 3 or picture.shape[0] != 3:
        raise InputError(
            f"{path}: {pictures}[{index}] has the shape {picture.shape}, not a picture's [3, W, H] "
            f"or [W, H]."
        )
    return np.ascontiguousarray(picture.transpose(2, 1, 0))


@contextmanager
def _open(path: Path) -> Iterator[h5py.File]:
    """A file open for reading, with HDF5's errors as one sentence."""
    if not path.is_file():
        raise InputError(f"{path} does not exist; --data must name the folder of the COFW files.")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except OSError as error:
        raise InputError(f"{path} is not a readable HDF5 (MATLAB v7.3) file: {error}.") from error


def _member(file: h5py.File, path: Path, name: str) -> h5py.Dataset:
    """One dataset of the file."""
    if not isinstance(file.get(name), h5py.Dataset):
        raise InputError(
            f"{path} has no dataset {name}; it holds {', '.join(sorted(file)) or 'nothing'}."
        )
    return file[name]
