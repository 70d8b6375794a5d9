"""What a detector looks at: a square of the picture, as the pixels of its input."""

from __future__ import annotations

from functools import lru_cache
from math import ceil

import cv2
import numpy as np
from numpy.typing import NDArray

from model.crop import LONGEST, Region, crop_matrix, from_crop

# Where the pixels of a view lie is the same in all frames of a video: it is remembered for the
# views that every search takes.
_REMEMBERED = 8


def whole_view(image: NDArray[np.uint8], angle: float = 0.0) -> Region:
    """The square around all of a picture.

    Args:
        image: [H, W, 3].
        angle: how far it is turned, radians: a face of this roll stands upright in it.
    """
    height, width = image.shape[:2]
    return Region((width - 1) / 2, (height - 1) / 2, max(width, height), angle)


def view_pixels(image: NDArray[np.uint8], view: Region, size: int) -> NDArray[np.uint8]:
    """Cut a view out of a picture; what lies outside the picture is black.

    Not `model.crop.crop_image`: the networks were trained on MediaPipe's way of cutting, and their
    boxes are MediaPipe's only if the pixels are. It takes a pixel's number for its place, so that a
    view lies half a pixel of the picture and half a pixel of its own off; it rounds places to a
    32nd of a pixel, as OpenCV 4 did, and does not average large pictures down.

    Args:
        image: [H, W, 3], uint8, RGB.
        view: the square.
        size: side of the network's input.

    Returns:
        [size, size, 3], uint8.
    """
    step = ceil(max(image.shape[:2]) / LONGEST)
    if step > 1:
        image = image[::step, ::step]
        view = Region(view.x / step, view.y / step, view.size / step, view.angle)
    places, fractions = _places(view, size)
    pixels = cv2.remap(image, places, fractions, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(pixels, dtype=np.uint8)


@lru_cache(_REMEMBERED)
def _places(view: Region, size: int) -> tuple[NDArray[np.int16], NDArray[np.uint16]]:
    """Where the view's pixels lie in the picture, as `cv2.remap` wants to know it."""
    matrix = crop_matrix(view, size)
    matrix[:, 2] += 0.5 - size / view.size / 2
    columns, rows = np.meshgrid(np.arange(size), np.arange(size))
    places = from_crop(np.stack([columns, rows], axis=-1), matrix).astype(np.float32)
    whole, fractions = cv2.convertMaps(places[..., 0], places[..., 1], cv2.CV_16SC2)
    return np.asarray(whole, dtype=np.int16), np.asarray(fractions, dtype=np.uint16)
