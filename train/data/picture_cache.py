"""Keeping decoded pictures in memory between epochs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from train.data.sample import Sample

# Holds some 4000 pictures cut to the face; of WFLW's full-size originals (20 GB decoded) it holds a
# part and the rest is read again every epoch.
LIMIT_BYTES = 3 << 30


class PictureCache:
    """Reads pictures, and keeps the first ones up to a number of bytes.

    Nothing is ever thrown out for something newer: an epoch serves every face about once in random
    order, so each picture kept is as good as any other.

    Args:
        limit: bytes to keep at most.
    """

    def __init__(self, limit: int = LIMIT_BYTES) -> None:
        self._free = limit
        self._kept: dict[Sample, NDArray[np.uint8]] = {}

    def __call__(self, sample: Sample) -> NDArray[np.uint8]:
        """Picture of a sample, [H, W, 3] RGB; not to be written to.

        Raises:
            InputError: the file is missing or is not a picture.
        """
        kept = self._kept.get(sample)
        if kept is not None:
            return kept
        image = sample.load()
        if image.nbytes <= self._free:
            self._free -= image.nbytes
            image.setflags(write=False)
            self._kept[sample] = image
        return image
