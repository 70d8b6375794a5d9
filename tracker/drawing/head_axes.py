"""The axes of a head in the picture: how it is turned, at a glance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.markup import Markup
from tracker.drawing.strokes import Colour, Window
from tracker.drawing.style import DrawStyle
from tracker.measures.head_pose import estimate_pose, pose_axes
from tracker.measures.intrinsics import Intrinsics

# The head's axes: x, y and z, thick enough to stand out from the curves that they cross.
_AXIS_COLOURS: tuple[Colour, ...] = ((255, 40, 40), (60, 220, 60), (60, 110, 255))
_AXIS_WIDTH = 2.5


def draw_axes(
    canvas: NDArray[np.uint8],
    landmarks: NDArray[np.floating],
    markup: Markup,
    style: DrawStyle,
    camera: Intrinsics,
) -> None:
    """Draw the head's axes from the tip of the nose, as head pose estimators usually do.

    Red to the person's left, green down, blue out of the face: the camera's x, y and minus z for a
    face without rotation (docs/tables.md). Nothing is drawn where no pose fits the landmarks.

    Args:
        canvas: [H, W, 3], uint8, RGB; is changed.
        landmarks: [K, 2], pixels.
        markup: of the landmarks.
        style: sizes.
        camera: of the picture.
    """
    pose = estimate_pose(landmarks, markup, camera)
    if pose is None:
        return
    tip, *ends = pose_axes(pose, camera)
    size = float(np.ptp(np.asarray(landmarks), axis=0).max())
    width = _AXIS_WIDTH * style.line_pixels(size, max(canvas.shape[:2]))
    lines = [np.stack([tip, end]) for end in ends]
    low, high = np.min(lines, axis=(0, 1)) - 3 * width, np.max(lines, axis=(0, 1)) + 3 * width
    window = Window.around(canvas, low, high, size)
    if window is None:
        return
    rim = window.cover()
    window.lines(rim, lines, 1.5 * width, rough=True)
    passes: list[tuple[NDArray[np.uint8], Colour, float]] = [(rim, (0, 0, 0), style.halo)]
    for line, colour in zip(lines, _AXIS_COLOURS, strict=True):
        cover = window.cover()
        window.lines(cover, [line], width)
        passes.append((cover, colour, 1.0))
    window.blend(passes)
