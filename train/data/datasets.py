"""Readers of the three face alignment datasets and of one's own points, all giving `Sample`s."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from model.errors import InputError
from model.markup import Markup
from model.shipped_markups import COFW, IBUG, WFLW
from train.data.coco import read_coco
from train.data.cofw import SPLITS as COFW_SPLITS
from train.data.cofw import read_cofw
from train.data.csv_points import read_csv
from train.data.dlib_xml import read_dlib
from train.data.ibug import SPLITS as IBUG_SPLITS
from train.data.ibug import read_ibug
from train.data.label_file import find_label_file
from train.data.sample import Sample
from train.data.split import DEV_SHARE, split_by_picture
from train.data.wflw import SPLITS as WFLW_SPLITS
from train.data.wflw import read_wflw

# Kinds of files with points of any markup -> their suffix.
OWN = {"coco": ".json", "dlib": ".xml", "csv": ".csv"}
OWN_SPLITS = ("train", "dev", "all")
SPLITS = {
    "wflw": tuple(WFLW_SPLITS),
    "300w": tuple(IBUG_SPLITS),
    "cofw": tuple(COFW_SPLITS),
    **dict.fromkeys(OWN, OWN_SPLITS),
}
# The landmarks that each dataset is marked with.
MARKUP_OF = {"wflw": WFLW, "300w": IBUG, "cofw": COFW}
# For commands that have a network, and with it the markup of one's own points.
DATASET_HELP = f"Layout: one of {', '.join(SPLITS)}."
# What papers report first; of one's own, what was not learned from.
DEFAULT_SPLITS = {"wflw": "test", "300w": "full", "cofw": "test", **dict.fromkeys(OWN, "dev")}


@dataclass(frozen=True)
class OwnPoints:
    """How files with points of one's own are read.

    Attributes:
        markup: of the points.
        dev_share: of the pictures, to judge by; see `train.data.split`.
        dev_seed: which of them.
        hidden: whether points that are marked as hidden count as labelled (COCO knows such).
    """

    markup: Markup
    dev_share: float = DEV_SHARE
    dev_seed: int = 0
    hidden: bool = False


def markup_of(name: str, own: Markup | None = None) -> Markup:
    """The landmarks that a dataset is marked with.

    Args:
        name: of the dataset's kind.
        own: what the user says that they are; needed for kinds that hold any points.

    Raises:
        InputError: unknown name, a missing markup, or one that the dataset has not.
    """
    if name in OWN:
        if own is None:
            raise InputError(f"--dataset {name} can hold any points: say which with --markup FILE.")
        return own
    if name not in MARKUP_OF:
        raise InputError(f"unknown dataset '{name}': use one of {', '.join(SPLITS)}.")
    if own is not None and own != MARKUP_OF[name]:
        raise InputError(f"--dataset {name} is marked with {MARKUP_OF[name]}, not with {own}.")
    return MARKUP_OF[name]


def read_dataset(
    name: str,
    root: Path,
    split: str,
    *,
    one_based: bool = True,
    own: OwnPoints | None = None,
) -> list[Sample]:
    """Read one split of a dataset in its official layout.

    Args:
        name: "wflw" (splits train, test), "300w" (train, common, challenge, full, private), "cofw"
            (train, test), or a kind of `OWN` (train, dev, all).
        root: the dataset's folder; see `wflw.py`, `ibug.py` and `cofw.py` for the layouts. Of `OWN`
            the label file, or a folder with one.
        split: one of the above.
        one_based: for 300W only: whether its `.pts` files count pixels from 1, as the release does.
        own: how to read `OWN`; needed for these.

    Returns:
        The samples, in a fixed order. Coordinates are 0-based whatever the files use.

    Raises:
        InputError: unknown name or split, missing or malformed files.
    """
    if name in OWN:
        if own is None:
            raise ValueError(f"{name} needs to know its points")
        return _read_own(name, root, split, own)
    if not root.is_dir():
        raise InputError(f"the dataset folder {root} does not exist.")
    if name == "wflw":
        return read_wflw(root, split)
    if name == "300w":
        return read_ibug(root, split, one_based=one_based)
    if name == "cofw":
        return read_cofw(root, split)
    raise InputError(f"unknown dataset {name!r}; choose one of {', '.join(SPLITS)}.")


def _read_own(name: str, root: Path, split: str, own: OwnPoints) -> list[Sample]:
    if split not in OWN_SPLITS:
        raise InputError(f"{name} has no split {split!r}; choose one of {', '.join(OWN_SPLITS)}.")
    file = find_label_file(root, OWN[name])
    if name == "coco":
        samples = read_coco(file, own.markup, hidden=own.hidden)
    elif name == "dlib":
        samples = read_dlib(file, own.markup)
    else:
        samples = read_csv(file, own.markup)
    if split == "all":
        return samples
    return split_by_picture(samples, own.dev_share, own.dev_seed)[split == "dev"]
