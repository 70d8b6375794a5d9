"""Labelled faces for a network that is there: in its own points."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from model.errors import InputError
from model.markup import Markup
from train.data.datasets import OwnPoints, read_dataset
from train.data.sample import Sample


def read_network_faces(
    dataset: str, roots: Sequence[Path], split: str, name: str, markup: Markup
) -> list[Sample]:
    """The faces of a split of all folders, with a network's own points.

    Args:
        dataset: a key of `train.data.datasets.SPLITS`; files of one's own points are read as
            holding the network's.
        roots: the folders.
        split: one of the dataset's.
        name: of the network.
        markup: of the network.

    Raises:
        InputError: whatever is wrong with the files, or the dataset is marked with other points.
    """
    own = OwnPoints(markup)
    samples = [sample for root in roots for sample in read_dataset(dataset, root, split, own=own)]
    found = samples[0].markup if samples else None
    if found != markup:
        raise InputError(
            f"{name} finds the points of {markup}, the faces have those of {found or 'none'}: "
            "give faces with the network's points."
        )
    return samples
