"""Decoded frames as everything else wants them: 8-bit RGB of one size, in ordinary colours."""

from __future__ import annotations

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, Colorspace
from numpy.typing import NDArray

from tracker.video.colour_cube import UNSPECIFIED, ColourCube
from tracker.video.deinterlacing import Deinterlacer
from tracker.video.tone_mapping import Light, light_of

_HD_LINES = 720
_NAMES = {ColorPrimaries.BT2020: "BT.2020", ColorPrimaries.SMPTE432: "Display P3"}


class FramePixels:
    """Makes pictures of one stream's frames. Not to be called from two threads at once.

    Args:
        width: of the pictures. A stream may change its size midway, or have pixels that are not
            square; what follows needs one size, and square ones.
        height: of the pictures.
    """

    def __init__(self, width: int, height: int) -> None:
        self._size = width, height
        self._cube: ColourCube | None = None
        self._meaning: tuple[Light, ColorPrimaries] | None = None

    @property
    def note(self) -> str | None:
        """What was done to colours, if anything, for the user."""
        if self._meaning is None:
            return None
        light, primaries = self._meaning
        colours = _NAMES.get(primaries, "BT.709")
        if light is Light.SDR:
            return f"colours turned from {colours} into BT.709"
        return f"HDR ({light.value}, {colours}) tone-mapped to BT.709"

    def __call__(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """The picture [height, width, 3], uint8, of whatever the decoder gives, not rotated."""
        meaning = light_of(frame)
        if meaning is None:
            return frame_to_rgb(frame, *self._size)
        size = frame.width, frame.height
        if self._cube is None or (meaning, size) != (self._meaning, self._cube.size):
            self._cube, self._meaning = ColourCube(frame, *meaning), meaning
        return frame_to_rgb(self._cube(frame), *self._size)


def frame_notes(pixels: FramePixels, deinterlacer: Deinterlacer) -> tuple[str, ...]:
    """What was done to a stream's frames that the user should know."""
    return (
        *((pixels.note,) if pixels.note else ()),
        *(("interlaced frames deinterlaced",) if deinterlacer.used else ()),
    )


def frame_to_rgb(frame: VideoFrame, width: int, height: int) -> NDArray[np.uint8]:
    """Convert whatever the decoder gives (10 bit, grey, alpha, ...) to 8-bit RGB.

    Args:
        frame: as decoded, in ordinary colours, not rotated.
        width: of the result.
        height: of the result.

    Returns:
        [height, width, 3], uint8.
    """
    # Untagged video follows the convention of its size: BT.709 for HD, BT.601 below.
    untagged = frame.colorspace == UNSPECIFIED
    matrix = Colorspace.ITU709 if untagged and frame.height >= _HD_LINES else None
    pixels = frame.to_ndarray(
        format="rgb24",
        width=width,
        height=height,
        src_colorspace=matrix,
        # Enlarged and shrunk again, by averages, 43 to 45 dB of the picture are left.
        interpolation=None if (width, height) == (frame.width, frame.height) else "BICUBIC",
    )
    return np.asarray(pixels, dtype=np.uint8)
