"""Which part of one's own pictures a network learns from, and which it is judged by."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from model.errors import InputError
from train.data.sample import Sample

# A fifth is judged by: with a hundred pictures twenty, whose mean is known to a tenth of itself.
DEV_SHARE = 0.2


def split_by_picture(
    samples: Sequence[Sample], share: float = DEV_SHARE, seed: int = 0
) -> tuple[list[Sample], list[Sample]]:
    """Split things so that those of one picture stay together.

    A picture's place depends on its name and the seed, not on the others: with pictures added, the
    old ones change sides only at the border.

    Args:
        samples: at least one of two pictures or more.
        share: of the pictures to judge by, 0 < share < 1; at least one, and not all.
        seed: another one gives another split.

    Returns:
        Things to learn from, and to judge by, each in their order.

    Raises:
        InputError: the share is out of range, or there is one picture only.
    """
    if not 0 < share < 1:
        raise InputError(f"--dev-share must be between 0 and 1, not {share}.")
    pictures = {sample.image: _place(sample, seed) for sample in samples}
    if len(pictures) < 2:
        raise InputError("one picture cannot be split: give others to judge by with --dev.")
    count = min(max(round(share * len(pictures)), 1), len(pictures) - 1)
    judged = set(sorted(pictures, key=lambda path: (pictures[path], str(path)))[:count])
    return (
        [sample for sample in samples if sample.image not in judged],
        [sample for sample in samples if sample.image in judged],
    )


def _place(sample: Sample, seed: int) -> str:
    return hashlib.sha256(f"{seed} {sample.image.name}".encode()).hexdigest()
