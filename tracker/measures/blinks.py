"""Blinks: short closures of the eyes, found by comparing a person with themselves."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from model.errors import InputError


@dataclass(frozen=True)
class BlinkOptions:
    """When an opening of the eyes counts as a blink; ratios are of the person's open eyes.

    Attributes:
        close_below: eyes are closed from here down.
        open_above: and open again from here up. In between nothing changes, so that noise at one
            threshold is not counted as many blinks.
        min_seconds: shorter closures are noise.
        max_seconds: longer ones are not blinks but closed eyes.
        window: open eyes are what was seen in the last so many seconds.
        percentile: of the openings in the window, what counts as open: blinks take 5 to 10 % of
            the time, tired or laughing people close their eyes longer.
        floor: openings under this ratio of height to width are never taken for open eyes, so that
            someone who starts with closed eyes does not blink by opening them.
        warm_up: seconds of looking at a face before anything is said.
        max_gap: after so many seconds without the face, a closure under way is forgotten.

    Raises:
        InputError: a value out of its range.
    """

    # A full blink takes the true ratio to a third, but small networks, which have seen few closed
    # eyes, draw the lids of a closed eye apart, to 0.75 to 0.85 of the person's usual ratio. Gaze
    # moves it by 10 %, noise by 2 %.
    close_below: float = 0.84
    open_above: float = 0.90
    # Blinks last 0.1 to 0.4 s; measured at half height they are shorter, and frames are coarse.
    min_seconds: float = 0.03
    max_seconds: float = 0.6
    # Long enough for blinks to be the exception, short enough to follow a turning head.
    window: float = 6.0
    percentile: float = 70.0
    floor: float = 0.12
    warm_up: float = 0.3
    max_gap: float = 0.3

    def __post_init__(self) -> None:
        if not 0 < self.close_below <= self.open_above < 1:
            raise InputError("blinks need 0 < close_below <= open_above < 1.")
        if not 0 <= self.min_seconds < self.max_seconds:
            raise InputError("blinks need 0 <= min_seconds < max_seconds.")
        if not 0 < self.percentile < 100:
            raise InputError("blinks need 0 < percentile < 100.")
        if not min(self.window, self.floor, self.warm_up, self.max_gap) > 0:
            raise InputError("blinks need window, floor, warm_up and max_gap over 0.")


@dataclass(frozen=True)
class Blink:
    """One blink.

    Attributes:
        start: seconds, when the eyes closed; between frames, by interpolation.
        end: seconds, when they were open again.
    """

    start: float
    end: float


# Openings kept per second: enough for a percentile, however many frames a second there are.
_KEPT_PER_SECOND = 20.0


class BlinkDetector:
    """Blinks of one face. Feed it every frame in which the face is seen.

    Frame rates may vary, and frames may be missing: only timestamps count. Frames further apart
    than a blink (under some 8 a second) miss blinks between them.

    Attributes:
        count: blinks so far.
        closed: whether the eyes are closed now.

    Args:
        options: thresholds.

    Example:
        ```python
        blinks = BlinkDetector()
        for frame in tracker.track("video.mp4"):
            for face in frame.faces:
                left, right = eye_openings(face.raw, "wflw98")
                if blink := blinks(frame.timestamp, (left + right) / 2):
                    print(f"blink at {blink.start:.2f} s")
        ```
    """

    def __init__(self, options: BlinkOptions = BlinkOptions()) -> None:
        self.options = options
        self.count = 0
        self.closed = False
        self._closed_at = 0.0
        self._last: tuple[float, float] | None = None
        self._first = 0.0
        self._seen: deque[tuple[float, float]] = deque()

    @property
    def open_eyes(self) -> float:
        """The person's opening with open eyes, as a ratio; never under the floor."""
        openings = [opening for _, opening in self._seen]
        usual = np.percentile(openings, self.options.percentile) if openings else 0.0
        return max(float(usual), self.options.floor)

    def __call__(self, timestamp: float, opening: float) -> Blink | None:
        """Look at the next frame.

        Args:
            timestamp: seconds; one before the last begins anew, as in another video.
            opening: ratio of the lids' distance to the eye's width, >= 0 (both eyes' mean), from
                unsmoothed landmarks: what steadies them also hides blinks.

        Returns:
            The blink that ended with this frame, or None.
        """
        last = self._last
        if last is not None and timestamp < last[0]:
            self._seen.clear()
            self.closed, last = False, None
        if last is None:
            self._first = timestamp
        elif timestamp - last[0] > self.options.max_gap:
            self.closed, last = False, None
        self._last = (timestamp, opening)
        self._remember(timestamp, opening)
        if timestamp - self._first < self.options.warm_up:
            return None
        usual = self.open_eyes
        if self.closed:
            return self._reopened(last, timestamp, opening, self.options.open_above * usual)
        level = self.options.close_below * usual
        # A closure must be seen to begin: eyes closed when the face appears may be closed for long.
        if last is not None and opening < level <= last[1]:
            self.closed, self._closed_at = True, _crossing(last, (timestamp, opening), level)
        return None

    def _reopened(
        self, last: tuple[float, float] | None, timestamp: float, opening: float, level: float
    ) -> Blink | None:
        if opening < level or last is None:
            return None
        self.closed = False
        end = _crossing(last, (timestamp, opening), level)
        if not self.options.min_seconds <= end - self._closed_at <= self.options.max_seconds:
            return None
        self.count += 1
        return Blink(self._closed_at, end)

    def _remember(self, timestamp: float, opening: float) -> None:
        if not self._seen or timestamp - self._seen[-1][0] >= 1 / _KEPT_PER_SECOND:
            self._seen.append((timestamp, opening))
        while timestamp - self._seen[0][0] > self.options.window:
            self._seen.popleft()


def _crossing(before: tuple[float, float], after: tuple[float, float], level: float) -> float:
    """When the line between two samples passes a level; within their times."""
    if before[1] == after[1]:
        return after[0]
    share = float(np.clip((level - before[1]) / (after[1] - before[1]), 0, 1))
    return before[0] + share * (after[0] - before[0])
