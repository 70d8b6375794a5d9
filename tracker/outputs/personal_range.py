"""A person's own range of a measure: what is usual for them, and how far they go."""

from __future__ import annotations

from collections import deque

import numpy as np

_WINDOW = 60.0  # seconds; long enough to have seen a person blink and speak
_INTERVAL = 0.1  # seconds between remembered values: 600 numbers a measure


class OwnRange:
    """Turns a measure into -1..1 against what the same person usually shows.

    0 is their median; 1 and -1 are the largest and smallest they have shown lately, but never less
    than `least` from the median, so that a still face does not turn noise into grimaces.

    Args:
        least: smallest distance from the median to 1 or -1, in the measure's unit, > 0.
    """

    def __init__(self, least: float) -> None:
        self._least = least
        self._seen: deque[tuple[float, float]] = deque()
        self._levels = (0.0, 0.0, 0.0)

    def __call__(self, timestamp: float, value: float) -> float:
        """Where a value lies; timestamps in seconds, one before the last begins anew."""
        if self._seen and timestamp < self._seen[-1][0]:
            self._seen.clear()
        if not self._seen or timestamp - self._seen[-1][0] >= _INTERVAL:
            self._remember(timestamp, value)
        low, middle, high = self._levels
        reach = max(high - middle if value > middle else middle - low, self._least)
        return float(np.clip((value - middle) / reach, -1, 1))

    def _remember(self, timestamp: float, value: float) -> None:
        self._seen.append((timestamp, value))
        while timestamp - self._seen[0][0] > _WINDOW:
            self._seen.popleft()
        # The outermost percent are outliers.
        low, middle, high = np.percentile([seen for _, seen in self._seen], [1, 50, 99])
        self._levels = (float(low), float(middle), float(high))
