"""Weights on their way out while they are still being trained."""

from __future__ import annotations

from pathlib import Path

from model.errors import InputError
from train.phases.weight_parts import split_weights


class Outgoing:
    """Lets weights out as they come: what a run has when it is cut off is out already.

    Args:
        weights: file that a run replaces when it has better ones.
        out: folder of the parts.
        part: most bytes of a part.
        total: most bytes of all parts.

    Attributes:
        state: what is out, in words.
    """

    def __init__(self, weights: Path, out: Path, *, part: int, total: int) -> None:
        self._weights, self._out, self._part, self._total = weights, out, part, total
        self._seen = 0
        self.state = "none"

    def follow(self) -> None:
        """Split the weights again if they are new."""
        try:
            stamp = self._weights.stat().st_mtime_ns
        except FileNotFoundError:
            return
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            files, bits = split_weights(
                self._weights, self._out, part=self._part, total=self._total
            )
        except InputError as error:
            self.state = str(error)
            return
        self.state = f"{len(files)} parts, {bits} bits of each weight dropped"
