"""COFW: 29 points, pictures and labels in one HDF5 file (MATLAB v7.3).

Layout: ROOT/COFW_train_color.mat with IsTr, phisTr, bboxesTr, and ROOT/COFW_test_color.mat with
IsT, phisT, bboxesT. HDF5 shows MATLAB's arrays with their axes reversed:

    Is      [1, N] references to pictures, each [3, W, H] or (grey) [W, H]
    phis    [87, N]: 29 x, 29 y, 29 occlusion flags; 1-based pixels
    bboxes  [4, N]: x, y, width, height of a face detector, not used here: the box of a sample is
            the tight box of its points, as for the other datasets
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from model.errors import InputError
from train.data.hdf5_picture import entry_sizes, open_mat, read_member
from train.data.label_faults import check_labels
from train.data.sample import Sample, tight_box

# split: file, name of the pictures, name of the labels
SPLITS = {
    "train": ("COFW_train_color.mat", "IsTr", "phisTr"),
    "test": ("COFW_test_color.mat", "IsT", "phisT"),
}
POINTS = 29
_MOST = 1_000_000  # faces; the release has 1345 and 507


def read_cofw(root: Path, split: str = "test") -> list[Sample]:
    """Read one split of COFW.

    Args:
        root: the folder that holds the two `.mat` files.
        split: "train" or "test".

    Returns:
        Samples in the order of the file; their pictures stay in it until `Sample.load`.

    Raises:
        InputError: unknown split, missing or damaged file, labels of another shape or such
            that cannot be those of a face.
    """
    if split not in SPLITS:
        raise InputError(f"COFW has no split {split!r}; choose one of {', '.join(SPLITS)}.")
    name, pictures, labels = SPLITS[split]
    path = root / name
    with open_mat(path) as file:
        stored, references = read_member(file, path, labels), read_member(file, path, pictures)
        count, shape = references.size, stored.shape
        # Before it is read: a damaged file may claim any size.
        if shape != (3 * POINTS, count) or not 0 < count <= _MOST or stored.dtype.kind not in "iuf":
            raise InputError(
                f"{path}: {labels} has the shape {shape} instead of ({3 * POINTS}, {count}), one "
                f"column of numbers for each picture of {pictures}."
            )
        phis = np.asarray(stored, dtype=np.float64)
        sizes = entry_sizes(file, path, pictures)
    # MATLAB counts pixels from 1.
    points = phis[: 2 * POINTS].reshape(2, POINTS, count).transpose(2, 1, 0) - 1
    for index, face in enumerate(points):
        if not np.isfinite(face).all():
            raise InputError(f"{path}: column {index} of {labels} is not finite.")
        if (face.max(axis=0) <= face.min(axis=0)).any():
            raise InputError(f"{path}: the points of column {index} of {labels} span no area.")
    samples = [
        Sample(path, face, tight_box(face), "cofw", entry=(pictures, index))
        for index, face in enumerate(points)
    ]
    check_labels(samples, sizes, lambda index, _: f"{path}, column {index} of {labels}")
    return samples
