"""Labelled faces for a network that is there: in its own points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from model.errors import InputError
from model.markup import Markup
from train.data.datasets import DEFAULT_SPLITS, OWN, SPLITS, OwnPoints, read_dataset
from train.data.option_choice import check_choice
from train.data.sample import Sample
from train.data.split import DEV_SHARE
from train.data.training_sets import split_files

DEV_SHARE_HELP = "coco, dlib, csv: share of the pictures to judge by, as it was for train.run."
HIDDEN_HELP = "coco: points marked as hidden count too, as they did for train.run."
DEV_SEED_HELP = "coco, dlib, csv: which of them, likewise."


@dataclass(frozen=True)
class NetworkFaces:
    """The labelled faces that a command about a network is given.

    Attributes:
        dataset: a key of `train.data.datasets.SPLITS`; files of one's own points are read as
            holding the network's.
        roots: the folders, or files.
        dev_share: of the pictures with points of one's own, to judge by.
        dev_seed: which of them.
        hidden: whether points that COCO marks as hidden count as labelled.

    Raises:
        InputError: no such kind of dataset.
    """

    dataset: str
    roots: Sequence[Path]
    dev_share: float = DEV_SHARE
    dev_seed: int = 0
    hidden: bool = False

    def __post_init__(self) -> None:
        check_choice("dataset", self.dataset, tuple(SPLITS))

    def dev(self, name: str, markup: Markup) -> list[Sample]:
        """What a network is judged by: what papers report first, of the first folder.

        Args:
            name: of the network.
            markup: of the network.

        Raises:
            InputError: whatever is wrong with the files, or they are marked with other points.
        """
        return self._read(self.roots[:1], DEFAULT_SPLITS[self.dataset], name, markup)

    def training(self, name: str, markup: Markup) -> list[Sample]:
        """What it may learn from, of all folders; see `dev`."""
        if self.dataset in OWN:
            training, _ = split_files(self.dataset, self.roots, self._own(markup))
            return _checked(training, name, markup)
        return self._read(self.roots, "train", name, markup)

    def _own(self, markup: Markup) -> OwnPoints:
        return OwnPoints(markup, self.dev_share, self.dev_seed, self.hidden)

    def _read(self, roots: Sequence[Path], split: str, name: str, markup: Markup) -> list[Sample]:
        own = self._own(markup)
        samples = [
            sample for root in roots for sample in read_dataset(self.dataset, root, split, own=own)
        ]
        return _checked(samples, name, markup)


def whole(samples: Sequence[Sample], purpose: str) -> list[Sample]:
    """Those with all of their landmarks, for a fit of whole faces; says how many lack some.

    Args:
        samples: the faces.
        purpose: what they are for: "fit on".

    Raises:
        InputError: there are none.
    """
    found = [sample for sample in samples if bool(np.isfinite(sample.points).all())]
    if not found:
        raise InputError(
            f"none of the {len(samples)} to {purpose} has all of its landmarks, which the "
            "fit needs: label every point of some, in every split."
        )
    if left_out := len(samples) - len(found):
        Console(stderr=True).print(
            f"{left_out} of the {len(samples)} to {purpose} lack landmarks and are left out."
        )
    return found


def _checked(samples: list[Sample], name: str, markup: Markup) -> list[Sample]:
    """The samples, if they have a network's points."""
    found = samples[0].markup if samples else None
    if found != markup:
        raise InputError(
            f"{name} finds the points of {markup}, the faces have those of {found or 'none'}: "
            "give faces with the network's points."
        )
    return samples
