"""What a large network corrected of a small one's landmarks on one face, for later frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# A face whose landmarks lie this far from what they were (root of the mean square, in radii of the
# face) looks e^(1/2) times less like it. With half of that the large network is asked twice as
# often.
_NEAR = 0.04
# Looks to be remembered around a shape, in looks just taken at that very shape: one is enough, for
# seven seconds.
_ENOUGH = 0.7
# Corrections are drawn towards none by so many looks: each carries the noise of two networks. Twice
# as many leave moving faces a fiftieth nearer, and still ones drift a third more in their first
# second, when they go over from one network to the other.
_DOUBT = 0.25
# A look counts e times less after so many seconds: light and camera change, too.
_FADES = 20.0
# Looks that are kept; more would take longer to compare than they save.
_MOST = 128


class FaceMemory:
    """Looks at one face: its shape, what was corrected, and when.

    A network's errors on a face are much the same while the face looks much the same, so that
    corrections are worth keeping: their mean, weighted by nearness in shape and time (a
    Nadaraya-Watson regression, one memory for a face).

    Attributes:
        alone_until: until then the small network is not to be relied on, seconds.
    """

    def __init__(self) -> None:
        self.alone_until = -np.inf
        # One row a look: its shape and that vector's square, the correction, the time.
        self._shapes = np.empty((0, 0))
        self._squares = np.empty(0)
        self._corrections = np.empty((0, 0))
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
        if not len(self._times):
            return None
        flat = shape.ravel()
        # By products of vectors: the differences themselves would take five times as long.
        apart = (self._squares - 2 * (self._shapes @ flat) + flat @ flat) / len(shape)
        weights = np.exp(-apart / (2 * _NEAR**2) - (timestamp - self._times) / _FADES)
        total = float(weights.sum())
        if total < _ENOUGH:
            return None
        return np.asarray((weights @ self._corrections / (total + _DOUBT)).reshape(shape.shape))

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
        kept = slice(-_MOST + 1, None) if len(self._times) else slice(0)
        self._shapes = np.stack([*self._shapes[kept], flat])
        self._squares = np.append(self._squares[kept], flat @ flat)
        self._corrections = np.stack([*self._corrections[kept], correction.ravel()])
        self._times = np.append(self._times[kept], timestamp)
