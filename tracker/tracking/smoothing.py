"""Temporal smoothing of the landmarks of one face, on real timestamps.

A face moves as a whole, and in that it moves within itself. The filter takes the two apart. What
the whole face does (shift, roll, zoom) is fitted to all points, so it is known well: it is followed
with a velocity, so that a steady motion has no lag. What is left is the face's shape, upright and
of one size, in which a moving head stands still: it is averaged over a longer time, until a part of
it (an eye, the mouth) departs from the average by more than noise does.

Both parts have one law: a low-pass whose cut-off rises steeply with how far the measured
points are from the expected ones. That is the idea of the One-Euro filter (Casiez, Roussel, Vogel,
CHI 2012) with the distance in place of the speed, which needs no smoothing of its own: the filter
opens in the frame in which a blink begins.
"""

from __future__ import annotations

from cmath import exp, log
from dataclasses import dataclass
from math import pi, sqrt

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError
from tracker.tracking.face_parts import SMALLEST_PART, means
from tracker.tracking.similarity_fit import fit_similarity


@dataclass(frozen=True)
class LowPass:
    """A low-pass that opens for what is more than noise.

    Attributes:
        rest: cut-off frequency where all is as expected, Hz; lower is steadier.
        tolerance: distance from the expected at which the cut-off is twice that, in radii (root
            mean square distance from the centre) of what is filtered. Distances of noise should be
            under it, those of real motion well over it.

    Raises:
        InputError: a value that is not over 0.
    """

    rest: float
    tolerance: float

    def __post_init__(self) -> None:
        if not (self.rest > 0 and self.tolerance > 0):
            raise InputError(
                f"a low-pass needs rest and tolerance over 0, got {self.rest} and {self.tolerance}."
            )

    def weight(self, distance: NDArray[np.float64] | float, step: float) -> NDArray[np.float64]:
        """Weight of a new value, 0..1, `step` seconds after the last one.

        Args:
            distance: from the expected value, radii; any shape.
            step: seconds, > 0.
        """
        # Far beyond the tolerance the filter is open anyway; the power must not overflow.
        ratio = np.minimum(np.asarray(distance, dtype=np.float64) / self.tolerance, _FAR)
        angle = 2 * pi * step * self.rest * (1 + ratio**_SHARPNESS)
        return np.asarray(angle / (angle + 1), dtype=np.float64)


# Of how sharply the filter tells motion from noise. With 2 a filter that keeps 90 % of a blink
# lets twice the jitter through; 6 does no better than 4.
_SHARPNESS = 4
_FAR = 100.0


@dataclass(frozen=True)
class SmoothingOptions:
    """Constants of the filter.

    Attributes:
        motion: for the face as a whole.
        shape: for what moves within it.
    """

    motion: LowPass
    shape: LowPass


# Tuned on 20 labelled faces, measured on 10 others with propnet-m, followed: jitter between frames
# of still faces with camera noise, and its flicker and lag swaying at 0.5 Hz (30 frames/s; % of the
# outer eye corner distance), and what is left of blinks in six clips of people.
#              jitter  flicker   lag     NME moving  blink
#   off        0.334    0.458    0.0 ms    4.04      100 %
#   responsive 0.093    0.286    0.1 ms    4.02       99 %
#   balanced   0.050    0.277    0.2 ms    4.00       96 %
#   stable     0.031    0.283    0.3 ms    3.99       91 %
# The tolerance of motion has to be over the network's noise: 0.006 in place of 0.008 lets a twelfth
# more jitter through, for 3 % less flicker. A shape at rest followed at 0.4 Hz in place of 0.5 has
# 3 % less jitter, wanders 5 % more and leaves less of a blink.
# A network with less noise only gets steadier: it stays further under the tolerances.
SMOOTHING: dict[str, SmoothingOptions | None] = {
    "balanced": SmoothingOptions(LowPass(2.0, 0.008), LowPass(0.5, 0.06)),
    "stable": SmoothingOptions(LowPass(1.0, 0.008), LowPass(0.2, 0.08)),
    "responsive": SmoothingOptions(LowPass(4.0, 0.005), LowPass(1.0, 0.04)),
    "off": None,
}


def smoothing(name: str) -> SmoothingOptions | None:
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
# A zoom by a factor of 20 or a turn by half a circle from one frame to the next: frames a moment
# apart, or a long pause, have made nonsense of a velocity. Numbers would soon overflow.
_ASTRAY = 3.0


class FaceFilter:
    """Smooths the landmarks of one face through time.

    State: the mean shape, where it is, how it moves, and the time. Nothing depends on the size of
    the face in pixels. Not safe to share between threads.

    Args:
        options: the constants.
        part: [K] which part of the face every point belongs to, from 0; see
            `tracker.tracking.face_parts.parts`.
    """

    def __init__(self, options: SmoothingOptions, part: NDArray[np.intp]) -> None:
        self.options = options
        self._part = np.asarray(part)
        self._mean = means(self._part)
        self._shape: NDArray[np.complex128] | None = None
        self._pose = _Pose(options.motion)
        self._time = 0.0

    def reset(self) -> None:
        """Forget everything: the next points come out unchanged."""
        self._shape = None

    def __call__(self, points: NDArray[np.floating], timestamp: float) -> NDArray[np.float64]:
        """Smooth the points of one frame.

        Time that does not advance (a seek, a repeated timestamp) says nothing about speed: the
        filter starts anew, and the points come out unchanged. So it does for points that have no
        size or nothing in common with the face so far.

        Args:
            points: [K, 2], pixels, finite.
            timestamp: seconds; 0.0 is a time like any other.

        Returns:
            [K, 2], the smoothed points.
        """
        value = np.array(points, dtype=np.float64)
        flat = value[:, 0] + 1j * value[:, 1]
        step = timestamp - self._time
        self._time = timestamp
        known = self._shape
        fit = fit_similarity(known, flat) if known is not None and step >= _NO_TIME else None
        if known is None or fit is None:
            middle = complex(flat.mean())
            self._shape = flat - middle
            self._pose.start(1 + 0j, middle)
            return value
        turn, shift = self._pose.follow(*fit, known, step)
        # The measured points in the frame of the mean shape: upright and of its size.
        own = (flat - fit[1]) / fit[0]
        weight = self.options.shape.weight(self._departure(own, known), step)
        self._shape = known + weight[self._part] * (own - known)
        smooth = turn * self._shape + shift
        return np.column_stack([smooth.real, smooth.imag])

    def _departure(
        self, own: NDArray[np.complex128], known: NDArray[np.complex128]
    ) -> NDArray[np.float64]:
        """How far every part is from its mean shape, in its radii.

        One distance for a part: noise averages out over its points, while a blink moves many of
        them. In radii, because landmarks are the less certain the longer the curve on which they
        can slide (measured: 1 % of the radius for brows, eyes, mouth and contour alike).
        """
        off = own - known
        size = (known * known.conj()).real
        values = np.array([known.real, known.imag, size, (off * off.conj()).real])
        # [parts] means: of x, y, squared distance from the face's middle and from the mean shape.
        x, y, far, apart = values @ self._mean.T
        # Rounding may leave a part of one point less than nothing.
        radius = np.sqrt(np.maximum(far - x * x - y * y, 0))
        least = SMALLEST_PART * sqrt(float(size.sum()) / len(size))
        return np.asarray(np.sqrt(apart) / np.maximum(radius, least), dtype=np.float64)


class _Pose:
    """Where the whole face is and how it moves: a similarity with a velocity.

    Args:
        options: the constants.
    """

    def __init__(self, options: LowPass) -> None:
        self._options = options
        self.start(1 + 0j, 0j)

    def start(self, turn: complex, shift: complex) -> None:
        """Be at a place, at rest."""
        self._turn, self._shift = turn, shift
        self._turning = self._speed = 0j

    def follow(
        self, turn: complex, shift: complex, shape: NDArray[np.complex128], step: float
    ) -> tuple[complex, complex]:
        """Go on by `step` seconds, to between where it was going and where it is seen.

        Args:
            turn: measured; zoom and roll are its modulus and argument.
            shift: measured.
            shape: what is moved, for its size.
            step: seconds.

        Returns:
            The smoothed turn and shift.
        """
        ahead = self._turning * step
        if abs(ahead) > _ASTRAY:
            self.start(turn, shift)
            return turn, shift
        expected = self._turn * exp(ahead), self._shift + self._speed * step
        # The logarithm makes steady zooming and turning a constant velocity.
        turn_off, shift_off = log(turn / expected[0]), shift - expected[1]
        off = (turn - expected[0]) * shape + shift_off
        spread, apart = np.vdot(shape, shape).real, np.vdot(off, off).real
        distance = sqrt(float(apart / spread)) / abs(turn)
        weight = float(self._options.weight(distance, step))
        # The gain of the velocity for two equal real poles: the fastest that does not swing.
        gain = (1 - sqrt(1 - weight)) ** 2 / step
        self._turn, self._turning = (
            expected[0] * exp(weight * turn_off),
            self._turning + gain * turn_off,
        )
        self._shift, self._speed = expected[1] + weight * shift_off, self._speed + gain * shift_off
        return self._turn, self._shift
