"""From heights of heatmap peaks to probabilities: what the tracker's confidences mean.

A network shows how sure it is in the height of its heatmaps' peaks, but on a scale of its own: 0.45
is a face in one network and background in another. A calibration is a few numbers, fitted once for
given weights by `python -m train.calibrate`, that turn heights into probabilities. It uses peaks
only, so it is the same on every engine.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Of the normalising distance of the NME (WFLW: between the outer eye corners): a point within it is
# right, and a face is found if its points are within it on average: the literature's failure bound.
TOLERANCE = 0.10


@dataclass(frozen=True)
class Calibration:
    """Two logistic models: of a face, and of one of its points.

    Attributes:
        face: offset and weights of `face_features`: P(the crop holds a face, and its NME is under
            `TOLERANCE`).
        point: offset and weights of `point_features`: P(the point is within `TOLERANCE` of where it
            belongs); 0 for all points where there is no face.

    Raises:
        ValueError: not twice four finite numbers.
    """

    face: tuple[float, ...]
    point: tuple[float, ...]

    def __post_init__(self) -> None:
        for values in (self.face, self.point):
            if len(values) != 4 or not np.isfinite(values).all():
                raise ValueError("a calibration is four finite numbers for faces, four for points")

    def face_confidence(self, peaks: NDArray[np.floating]) -> NDArray[np.float64]:
        """Probability that a crop holds a face whose landmarks were found.

        Args:
            peaks: [..., K], as decoded.

        Returns:
            [...], 0..1.
        """
        return _logistic(face_features(peaks), self.face)

    def point_scores(self, peaks: NDArray[np.floating]) -> NDArray[np.float32]:
        """Probability for every point that it is where it belongs.

        Args:
            peaks: [..., K], as decoded.

        Returns:
            [..., K], 0..1.
        """
        return _logistic(point_features(peaks), self.point).astype(np.float32)

    def to_json(self) -> str:
        """As files keep it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Calibration:
        """From what `dataclasses.asdict` or JSON makes of one.

        Raises:
            ValueError: it is not a calibration.
        """
        try:
            return cls(**{key: tuple(float(x) for x in value) for key, value in values.items()})
        except (TypeError, AttributeError) as error:
            raise ValueError(f"no calibration: {error}") from error

    @classmethod
    def from_json(cls, text: str) -> Calibration:
        """From the text in a file.

        Raises:
            ValueError: it is not a calibration.
        """
        return cls.from_dict(json.loads(text))


def face_features(peaks: NDArray[np.floating]) -> NDArray[np.float64]:
    """What a face's probability depends on: the mean peak, and means of the lowest and highest.

    A half-covered face has high peaks and low ones, a blurred one or a place that looks a little
    like a face has middling ones: their means may be equal.

    Args:
        peaks: [..., K], as decoded.

    Returns:
        [..., 3]: mean of all, of the lowest third and of the highest third, 0..1.
    """
    ordered = np.sort(_bounded(peaks), axis=-1)
    count = ordered.shape[-1]
    third = max(count // 3, 1)
    features = np.empty((*ordered.shape[:-1], 3))
    # Sums, since NumPy's mean takes three times as long for a hundred numbers.
    features[..., 0] = ordered.sum(axis=-1) / count
    features[..., 1] = ordered[..., :third].sum(axis=-1) / third
    features[..., 2] = ordered[..., -third:].sum(axis=-1) / third
    return features


def point_features(peaks: NDArray[np.floating]) -> NDArray[np.float64]:
    """What a point's probability depends on: its own peak and the mean of the face's.

    The upper half of the scale has a slope of its own: with one for all, low probabilities were
    stated up to 9 % too high.

    Args:
        peaks: [..., K], as decoded.

    Returns:
        [..., K, 3]: the peak, what it has over 0.5, and the mean of all, 0..1.
    """
    features = np.empty((*np.shape(peaks), 3))
    features[..., 0] = own = _bounded(peaks)
    features[..., 1] = np.maximum(own - 0.5, 0)
    features[..., 2] = own.sum(axis=-1, keepdims=True) / own.shape[-1]
    return features


def _bounded(peaks: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.minimum(np.maximum(np.asarray(peaks, dtype=np.float64), 0), 1)


def _logistic(features: NDArray[np.float64], numbers: tuple[float, ...]) -> NDArray[np.float64]:
    offset, *weights = numbers
    logit = features @ np.array(weights) + offset
    # Half a tanh is the logistic function without overflow.
    return np.asarray(0.5 + 0.5 * np.tanh(logit / 2), dtype=np.float64)


# For weights without a calibration of their own: numbers from 0 to 1 that rise with the peaks, not
# probabilities. A face has 0.5 at a mean peak of 0.48 and 0.1 at 0.40: where the tracker begins and
# ends to follow one, set by hand for the first shipped propnet-s (its faces score over 0.6, pieces
# of background under 0.42). A point has 0.5 at a peak of 0.5, the slope as fitted for that network.
UNCALIBRATED = Calibration(face=(-13.2, 27.5, 0.0, 0.0), point=(-7.1, 14.2, 0.0, 0.0))
