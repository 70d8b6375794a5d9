"""The faces, or other things, of a training run: to learn from, and to judge by."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from model.errors import InputError
from train.data.datasets import DEFAULT_SPLITS, OWN, OwnPoints, read_dataset
from train.data.sample import Sample
from train.data.split import split_by_picture


def read_training_sets(
    name: str, roots: Sequence[Path], judged: Sequence[Path], own: OwnPoints
) -> tuple[list[Sample], list[Sample]]:
    """Read what a run learns from and what it is judged by.

    Args:
        name: of the datasets' kind.
        roots: to learn from, one or more.
        judged: files or folders to judge by, of kinds of one's own; none: a share of the pictures
            of each root, which are then not learned from.
        own: how to read one's own points.

    Returns:
        Training samples; and those to judge by: of the benchmarks' kinds the first root's test
        split (300W: full).

    Raises:
        InputError: whatever is wrong with the files, or a picture is in both.
    """
    if name not in OWN:
        if judged:
            raise InputError(
                f"--dev is for {', '.join(OWN)}: {name} has a split of its own to judge by."
            )
        training = [sample for root in roots for sample in read_dataset(name, root, "train")]
        return training, read_dataset(name, roots[0], DEFAULT_SPLITS[name])
    if not judged:
        return split_files(name, roots, own)
    training, dev = _all(name, roots, own), _all(name, judged, own)
    both = {sample.image.resolve() for sample in training}
    twice = next((sample for sample in dev if sample.image.resolve() in both), None)
    if twice is not None:
        raise InputError(f"{twice.image} is in --data and in --dev: judge by other pictures.")
    return training, dev


def split_files(
    name: str, roots: Sequence[Path], own: OwnPoints
) -> tuple[list[Sample], list[Sample]]:
    """Files with points of one's own, each split by itself.

    Several may label the same pictures: what one of them judges by is not learned from by another.

    Args:
        name: of the files' kind.
        roots: the files, or their folders.
        own: how to read and split them.

    Returns:
        Things to learn from, and to judge by.

    Raises:
        InputError: whatever is wrong with a file, or it cannot be split.
    """
    training: list[Sample] = []
    dev: list[Sample] = []
    for root in roots:
        parts = split_by_picture(_all(name, [root], own), own.dev_share, own.dev_seed)
        training += parts[0]
        dev += parts[1]
    judged = {sample.image.resolve() for sample in dev}
    return [sample for sample in training if sample.image.resolve() not in judged], dev


def _all(name: str, roots: Sequence[Path], own: OwnPoints) -> list[Sample]:
    return [sample for root in roots for sample in read_dataset(name, root, "all", own=own)]
