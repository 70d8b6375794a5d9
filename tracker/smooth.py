"""Temporal smoothing of landmarks: the One-Euro filter, scaled by the face, on real timestamps.

Casiez, Roussel, Vogel: "1 Euro Filter: A Simple Speed-based Low-pass Filter for Noisy Input in
Interactive Systems", CHI 2012.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError


@dataclass(frozen=True)
class OneEuroOptions:
    """Constants of the filter.

    Attributes:
        min_cutoff: cut-off frequency at rest, Hz; lower is steadier.
        beta: how much the cut-off rises with speed, Hz per (face side / s); higher lags less.
        derivative_cutoff: cut-off of the speed estimate, Hz.
    """

    min_cutoff: float
    beta: float
    derivative_cutoff: float = 1.0

    def __post_init__(self) -> None:
        positive = self.min_cutoff > 0 and self.derivative_cutoff > 0
        if not (positive and self.beta >= 0):
            raise InputError(
                "a One-Euro filter needs min_cutoff > 0, beta >= 0 and derivative_cutoff > 0, "
                f"got {self.min_cutoff}, {self.beta}, {self.derivative_cutoff}"
            )


# Measured with propnet-s on still faces with camera noise and on faces swaying at 0.5 Hz, 30
# frames/s (jitter between frames in % of the outer eye corner distance; lag): off 0.45, 0 ms;
# responsive 0.14, 5 ms; balanced 0.08, 13 ms; stable 0.05, 21 ms.
SMOOTHING: dict[str, OneEuroOptions | None] = {
    "balanced": OneEuroOptions(0.5, 20.0),
    "stable": OneEuroOptions(0.25, 10.0),
    "responsive": OneEuroOptions(1.0, 60.0),
    "off": None,
}


def smoothing(name: str) -> OneEuroOptions | None:
    """Constants of a preset.

    Args:
        name: a key of `SMOOTHING`.

    Returns:
        The constants, None for "off".

    Raises:
        InputError: there is no such preset.
    """
    if name not in SMOOTHING:
        raise InputError(f"no smoothing preset {name!r}; choose one of {', '.join(SMOOTHING)}")
    return SMOOTHING[name]


# Frames closer than this, seconds, are one moment: the speed between them is a division by zero.
_NO_TIME = 1e-6


class OneEuroFilter:
    """One-Euro filter over all points of one face.

    Only the speed is divided by the face's size, so that near and far faces are smoothed alike; the
    positions stay in pixels (scaling them would turn jitter of the size into jitter of the points).

    State: the last smoothed points, their speed and time. Not safe to share between threads.

    Args:
        options: the constants.
    """

    def __init__(self, options: OneEuroOptions) -> None:
        self.options = options
        self._points: NDArray[np.float64] | None = None
        self._speed: NDArray[np.float64] | None = None
        self._time = 0.0

    def reset(self) -> None:
        """Forget everything: the next points come out unchanged."""
        self._points = None
        self._speed = None

    def __call__(
        self, points: NDArray[np.floating], timestamp: float, size: float
    ) -> NDArray[np.float64]:
        """Smooth the points of one frame.

        Time that does not advance (a seek, a repeated timestamp) says nothing about speed: the
        filter starts anew, and the points come out unchanged.

        Args:
            points: [..., 2], pixels, finite.
            timestamp: seconds; 0.0 is a time like any other.
            size: side of the face in pixels, > 0.

        Returns:
            The smoothed points, the shape of `points`.
        """
        value = np.array(points, dtype=np.float64)
        if self._points is None or self._speed is None or timestamp - self._time < _NO_TIME:
            self._points, self._speed = value, np.zeros_like(value)
            self._time = timestamp
            return value.copy()
        step = timestamp - self._time
        options = self.options
        speed = (value - self._points) / (step * size)
        self._speed = self._speed + _weight(options.derivative_cutoff, step) * (speed - self._speed)
        cutoff = options.min_cutoff + options.beta * np.abs(self._speed)
        self._points = self._points + _weight(cutoff, step) * (value - self._points)
        self._time = timestamp
        return self._points.copy()


def _weight(cutoff: NDArray[np.float64] | float, step: float) -> NDArray[np.float64]:
    """Weight of the new value in a first-order low-pass at `cutoff` Hz after `step` seconds."""
    angle = np.asarray(2 * pi * step * cutoff, dtype=np.float64)
    return angle / (angle + 1)
