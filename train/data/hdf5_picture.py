"""Pictures inside an HDF5 (MATLAB v7.3) file, as COFW's are, read one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError

# Imported late: a machine that trains on WFLW or 300W does without it.
if TYPE_CHECKING:
    import h5py


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
    with open_mat(path) as file:
        import h5py  # noqa: PLC0415

        references = read_member(file, path, pictures)
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
def open_mat(path: Path) -> Iterator[h5py.File]:
    """A file open for reading, with HDF5's errors as one sentence."""
    try:
        import h5py  # noqa: PLC0415
    except ImportError as error:
        raise InputError("COFW's files need h5py: pip install 'propnet-tracker[train]'.") from error
    if not path.is_file():
        raise InputError(f"{path} does not exist; --data must name the folder of the COFW files.")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except OSError as error:
        raise InputError(f"{path} is not a readable HDF5 (MATLAB v7.3) file: {error}.") from error


def read_member(file: h5py.File, path: Path, name: str) -> h5py.Dataset:
    """One dataset of the file."""
    import h5py  # noqa: PLC0415

    if not isinstance(file.get(name), h5py.Dataset):
        raise InputError(
            f"{path} has no dataset {name}; it holds {', '.join(sorted(file)) or 'nothing'}."
        )
    return file[name]
