"""What a large network corrected of a small one's landmarks on one face, for later frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracker.tracking.face_parts import SMALLEST_PART, means

# A face whose landmarks lie this far from what they were (root of the mean square, in radii of the
# face) looks e^(1/2) times less like it. With half of that the large network is asked twice as
# often.
_NEAR = 0.04
# Likewise a part of it, in its own radii: an eye that closes is no open one, whatever the rest of
# the face does. With half of that faces are a thirtieth further from what the large network sees,
# with twice as much blinks are almost as shallow as without it.
_ALIKE = 0.1
# Looks to be remembered around a shape, in looks just taken at that very shape: one is enough, for
# fourteen seconds. With 0.7 the large network is asked a fifth more often, and faces are a fiftieth
# nearer to what it sees.
_ENOUGH = 0.5
# Corrections are drawn towards none by so many looks: each carries the noise of two networks. Twice
# as many leave moving faces a fiftieth nearer, and still ones drift a third more in their first
# second, when they go over from one network to the other.
_DOUBT = 0.25
# A look counts e times less after so many seconds: light and camera change, too.
_FADES = 20.0
# Looks that are kept; more would take longer to compare than they save.
_MOST = 128
# What counts less, in looks just taken at that very shape, is left out: most of what is remembered.
_LEAST = 1e-3


class FaceMemory:
    """Looks at one face: its shape, what was corrected, and when.

    A network's errors on a face are much the same while the face looks much the same, so that
    corrections are worth keeping: their mean, weighted by nearness in shape and time (a
    Nadaraya-Watson regression, one memory for a face). Every part of the face (an eye, the mouth)
    is corrected by the looks at which it had much the same shape itself, or hardly at all.

    Attributes:
        alone_until: until then the small network is not to be relied on, seconds.

    Args:
        part: [K] which part of the face every landmark belongs to, from 0; see
            `tracker.tracking.face_parts.parts`.
    """

    def __init__(self, part: NDArray[np.intp]) -> None:
        self.alone_until = -np.inf
        self._part = np.repeat(part, 2)  # of every coordinate
        self._mean = means(part)
        # One row a look: its shape and that vector's square, the correction, the time.
        self._shapes = np.empty((0, 2 * len(part)))
        self._squares = np.empty(0)
        self._corrections = np.empty((0, 2 * len(part)))
        self._times = np.empty(0)

    def recall(self, shape: NDArray[np.float64], timestamp: float) -> NDArray[np.float64] | None:
        """The correction for a shape.

        Args:
            shape: [K, 2], landmarks around their mean, in radii of the face (the root of their
                mean square).
            timestamp: seconds.

        Returns:
            [K, 2], in the same unit; None where too little like it is remembered.
        """
        flat = shape.ravel()
        # By products of vectors: the differences themselves would take five times as long.
        apart = (self._squares - 2 * (self._shapes @ flat) + flat @ flat) / len(shape)
        weights = np.exp(-apart / (2 * _NEAR**2) - (timestamp - self._times) / _FADES)
        if float(weights.sum()) < _ENOUGH:
            return None
        near = np.flatnonzero(weights > _LEAST)
        # [looks, parts]: how far their landmarks are from what they were, mean squares in radii.
        off = self._spread(self._shapes[near] - flat)
        off /= np.maximum(self._spread(flat), SMALLEST_PART**2)
        alike = weights[near, None] * np.exp(-off / (2 * _ALIKE**2))
        each = alike[:, self._part]
        sums = (each * self._corrections[near]).sum(axis=0)
        return np.asarray((sums / (each.sum(axis=0) + _DOUBT)).reshape(shape.shape))

    def remember(
        self, shape: NDArray[np.float64], correction: NDArray[np.float64], timestamp: float
    ) -> None:
        """Keep a look.

        Args:
            shape: as in `recall`, of the small network's landmarks.
            correction: [K, 2], what the large one's are off from these, in the same unit.
            timestamp: seconds, not before that of the last look.
        """
        flat = shape.ravel()
        kept = slice(-_MOST + 1, None)
        self._shapes = np.stack([*self._shapes[kept], flat])
        self._squares = np.append(self._squares[kept], flat @ flat)
        self._corrections = np.stack([*self._corrections[kept], correction.ravel()])
        self._times = np.append(self._times[kept], timestamp)

    def _spread(self, flat: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean square distance of points [..., 2 K] from the means of their parts [..., parts]."""
        # As complex numbers: sums over an axis of two take longer than everything else here. No
        # products of matrices: BLAS shares large ones out to threads that then wait in a loop, for
        # 20 ms of the processor's time with many looks.
        points = flat.view(np.complex128)
        squares = np.einsum("...k,pk->...p", _squares(points), self._mean)
        return np.asarray(squares - _squares(np.einsum("...k,pk->...p", points, self._mean)))


def _squares(points: NDArray[np.complex128]) -> NDArray[np.float64]:
    return np.asarray(np.square(points.real) + np.square(points.imag))
