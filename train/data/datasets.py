"""Readers of the three face alignment datasets, all giving `Sample`s."""

from __future__ import annotations

from pathlib import Path

from model.errors import InputError
from train.data.cofw import SPLITS as COFW_SPLITS
from train.data.cofw import read_cofw
from train.data.ibug import SPLITS as IBUG_SPLITS
from train.data.ibug import read_ibug
from train.data.sample import Sample
from train.data.wflw import SPLITS as WFLW_SPLITS
from train.data.wflw import read_wflw

SPLITS = {"wflw": tuple(WFLW_SPLITS), "300w": tuple(IBUG_SPLITS), "cofw": tuple(COFW_SPLITS)}
# The landmarks that each dataset is marked with: keys of `model.markup.MARKUPS`.
MARKUP_OF = {"wflw": "wflw98", "300w": "ibug68", "cofw": "cofw29"}
# What papers report first.
DEFAULT_SPLITS = {"wflw": "test", "300w": "full", "cofw": "test"}


def markup_of(name: str) -> str:
    """The landmarks that a dataset is marked with, a key of `model.markup.MARKUPS`.

    Raises:
        InputError: unknown name.
    """
    if name not in MARKUP_OF:
        raise InputError(f"unknown dataset '{name}': use one of {', '.join(MARKUP_OF)}.")
    return MARKUP_OF[name]


def read_dataset(name: str, root: Path, split: str, *, one_based: bool = True) -> list[Sample]:
    """Read one split of a dataset in its official layout.

    Args:
        name: "wflw" (splits train, test), "300w" (train, common, challenge, full, private) or
            "cofw" (train, test).
        root: the dataset's folder; see `wflw.py`, `ibug.py` and `cofw.py` for the layouts.
        split: one of the above.
        one_based: for 300W only: whether its `.pts` files count pixels from 1, as the release does.

    Returns:
        The samples, in a fixed order. Coordinates are 0-based whatever the files use.

    Raises:
        InputError: unknown name or split, missing or malformed files.
    """
    if not root.is_dir():
        raise InputError(f"the dataset folder {root} does not exist.")
    if name == "wflw":
        return read_wflw(root, split)
    if name == "300w":
        return read_ibug(root, split, one_based=one_based)
    if name == "cofw":
        return read_cofw(root, split)
    raise InputError(f"unknown dataset {name!r}; choose one of {', '.join(SPLITS)}.")
