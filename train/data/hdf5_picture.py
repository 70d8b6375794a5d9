"""Pictures inside an HDF5 (MATLAB v7.3) file, as COFW's are, read one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError
from tracker.video.picture_decode import check_size
from tracker.video.picture_header import PictureHeader

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
        references = _references(file, path, pictures)
        if not 0 <= index < references.size:
            raise InputError(f"{path}: {pictures} holds {references.size} pictures, not {index}.")
        stored = _entry(file, references[index], f"{path}: {pictures}[{index}]")
        picture = np.asarray(stored)
    if picture.ndim == 2:
        picture = np.stack([picture] * 3)
    return np.ascontiguousarray(picture.transpose(2, 1, 0))


def entry_sizes(file: h5py.File, path: Path, pictures: str) -> list[tuple[int, int] | None]:
    """Width and height of all pictures of an open COFW file.

    Raises:
        InputError: what read_entry says about one of them.
    """
    references = _references(file, path, pictures)
    shapes = [
        _entry(file, reference, f"{path}: {pictures}[{index}]").shape
        for index, reference in enumerate(references)
    ]
    return [(shape[-2], shape[-1]) for shape in shapes]


def _references(file: h5py.File, path: Path, pictures: str) -> NDArray[np.object_]:
    import h5py  # noqa: PLC0415

    references = read_member(file, path, pictures)
    if h5py.check_ref_dtype(references.dtype) is not h5py.Reference:
        raise InputError(f"{path}: {pictures} does not hold references to pictures.")
    return np.ravel(references[()])


def _entry(file: h5py.File, reference: h5py.Reference, name: str) -> h5py.Dataset:
    """A picture that has not been read yet, of a type, shape and size that can be."""
    import h5py  # noqa: PLC0415

    stored = file[reference] if reference else None
    if not isinstance(stored, h5py.Dataset):
        raise InputError(f"{name} is no picture.")
    if stored.dtype != np.uint8:
        raise InputError(f"{name} holds {stored.dtype} instead of uint8.")
    shape = stored.shape
    if shape is None or not (len(shape) == 2 or (len(shape) == 3 and shape[0] == 3)):
        raise InputError(f"{name} has the shape {shape}, not a picture's [3, W, H] or [W, H].")
    check_size(PictureHeader("hdf5", shape[-2], shape[-1]), Path(name))
    return stored


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
    # What h5py makes of the library's errors depends on where in the file the damage is.
    except (OSError, RuntimeError, LookupError, ValueError, TypeError, MemoryError) as error:
        reason = f": {error}" if isinstance(error, OSError) else ""
        raise InputError(
            f"{path} is damaged, or no HDF5 (MATLAB v7.3) file{reason}; download it again."
        ) from error


def read_member(file: h5py.File, path: Path, name: str) -> h5py.Dataset:
    """One dataset of the file."""
    import h5py  # noqa: PLC0415

    if not isinstance(file.get(name), h5py.Dataset):
        raise InputError(
            f"{path} has no dataset {name}; it holds {', '.join(sorted(file)) or 'nothing'}."
        )
    return file[name]
