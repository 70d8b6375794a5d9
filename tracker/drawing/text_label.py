"""Short texts in a picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tracker.drawing.strokes import Colour, Window
from tracker.drawing.style import shrunk

_FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw_label(
    canvas: NDArray[np.uint8],
    text: str,
    corner: tuple[float, float],
    size: float,
    colour: Colour,
) -> None:
    """Write a line of text with a dark rim, moved into the image.

    Args:
        canvas: [H, W, 3], uint8, RGB; is changed.
        text: what to write.
        corner: x and y of its lower left corner, pixels.
        size: of the face that it belongs to, pixels; the text follows it.
        colour: of the text.
    """
    # Readable from 0.4 on, a tenth of the face above.
    scale = float(np.clip(size / 300, 0.4, 2.0)) * shrunk(max(canvas.shape[:2]))
    thickness = max(round(1.5 * scale), 1)
    (width, height), base = cv2.getTextSize(text, _FONT, scale, thickness)
    rim = thickness + 1
    image_height, image_width = canvas.shape[:2]
    x = round(float(np.clip(corner[0], rim, max(image_width - width - rim, rim))))
    low = height + rim
    y = round(float(np.clip(corner[1], low, max(image_height - base - rim, low))))
    part = canvas[y - low : y + base + rim, x - rim : x + width + rim]
    # The rim is made from the letters: OpenCV spaces thicker ones differently.
    letters = np.zeros(part.shape[:2], dtype=np.uint8)
    cv2.putText(letters, text, (rim, low), _FONT, scale, 255, thickness, cv2.LINE_AA)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * rim - 1, 2 * rim - 1))
    around = np.asarray(cv2.dilate(letters, disc), dtype=np.uint8)
    Window(part, (0, 0), 1).blend([(around, (0, 0, 0), 1.0), (letters, colour, 1.0)])
