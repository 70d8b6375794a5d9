"""What a face and what a scene look like, in a few hundred numbers: to tell them from others."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

# Pixels per side of a face's thumbnail: coarse enough to forget expression and a crop that is off
# by a few per cent, fine enough for hair, beard, glasses and the colours.
_SIDE = 12
# Share of the crop left out on each side: background, which changes when the face moves.
_MARGIN = 0.1

_SCENE = (32, 24)  # width, height of a scene's thumbnail
# First thinned out to that times 2 ** 2, so that 4K costs no more than VGA; then halved as often.
_HALVINGS = 2
# A scene whose grey levels deviate less than this is a blank (black, fade): it says nothing.
_BLANK = 8.0
# Two thumbnails of one shot correlate by more, whatever the exposure does.
_SAME_SHOT = 0.5
# And differ by less than this on average, grey levels: a face that walks through an empty room
# changes the correlation, but little of the picture.
_CHANGED = 18.0


def face_look(crop: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Appearance of an aligned face: a small colour picture without brightness and contrast.

    Args:
        crop: [S, S, 3], uint8, as the network reads it.

    Returns:
        [432] of mean 0 and norm 1 (or all 0 for a crop of one colour): the scalar product of two is
        their correlation.
    """
    margin = int(_MARGIN * len(crop))
    inner = crop[margin : len(crop) - margin, margin : len(crop) - margin]
    # By halves first, which OpenCV averages in vectors: it takes half of the time.
    half = len(inner) // 2
    halved = cv2.resize(inner, (half, half), interpolation=cv2.INTER_AREA)
    small = cv2.resize(halved, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return _normalized(small.astype(np.float32).ravel())


def blend(old: NDArray[np.float32], new: NDArray[np.float32], weight: float) -> NDArray[np.float32]:
    """Move an appearance towards another one; the result is normalised."""
    return _normalized(old + np.float32(weight) * (new - old))


def _normalized(values: NDArray[np.float32]) -> NDArray[np.float32]:
    values = values - values.mean()
    norm = float(np.sqrt(values @ values))
    return values / np.float32(norm) if norm > 1e-6 else np.zeros_like(values)


class CutDetector:
    """Notices where one shot ends and another one begins.

    State: a thumbnail of the last picture that was not blank.
    """

    def __init__(self) -> None:
        # The thumbnail, and the same normalised.
        self._last: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None

    def reset(self) -> None:
        """Forget the last picture."""
        self._last = None

    def __call__(self, image: NDArray[np.uint8]) -> bool:
        """Look at the next frame.

        Args:
            image: [H, W, 3], uint8.

        Returns:
            Whether another shot has begun with it. A fade through black ends a shot where the next
            picture appears; black itself does not.
        """
        small = _thumbnail(image)
        centred = small - small.mean()
        norm = float(np.sqrt(centred @ centred))
        if norm < _BLANK * len(small) ** 0.5:
            return False
        centred /= np.float32(norm)
        last, self._last = self._last, (small, centred)
        if last is None:
            return False
        alike = float(last[1] @ centred)
        return alike < _SAME_SHOT and float(np.abs(small - last[0]).mean()) > _CHANGED


def _thumbnail(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """[2304] values of a small colour picture."""
    wide, high = (side << _HALVINGS for side in _SCENE)
    small = cv2.resize(image, (wide, high), interpolation=cv2.INTER_NEAREST)
    for halving in range(_HALVINGS):
        smaller = wide >> (halving + 1), high >> (halving + 1)
        small = cv2.resize(small, smaller, interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.float32).ravel()
