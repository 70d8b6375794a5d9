"""Files of several pictures, read as frames: animated WebP, and TIFF of many pages."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from model.errors import InputError
from tracker.system.closing import Closing
from tracker.video.frame_clock import FALLBACK_RATE
from tracker.video.frame_source import SourceFrame, VideoInfo
from tracker.video.picture_decode import read_picture_bytes, unreadable

# The kinds that are read here; FFmpeg reads the other moving pictures (GIF, APNG, AVIF sequences).
KINDS = ("webp", "tiff")
# Decoded at a time: OpenCV cannot go on where it stopped, so each piece decodes all before it.
_PIECE_BYTES = 128 << 20
# Shorter is not meant; browsers and FFmpeg's GIF reader show such frames for 100 ms.
_SHORTEST_MS, _INSTEAD_MS = 11, 100


class PictureFramesReader(Closing):
    """The frames of an animated WebP, or the pages of a TIFF. A context manager; iterate once.

    Frames of WebP come at their own times. Pages have none: they come 25 to the second. Pages of
    another size than the first, thumbnails and masks are no frames; `info.notes` says so.

    Args:
        path: the file.

    Raises:
        InputError: no such file, too large, damaged, or another kind of picture.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        data, header = read_picture_bytes(path)
        if header.kind not in KINDS:
            raise unreadable(path)
        # One row: OpenCV 4.12 reads no other shape.
        self._data, self._timed = np.frombuffer(data, np.uint8)[None], header.kind == "webp"
        # Read with a few bytes per frame: what is not there is found out now, not in the middle.
        self._stored = header.frames + header.left_out
        self._piece = max(1, _PIECE_BYTES // (4 * header.width * header.height))
        first = self._decode(0, 1)
        if not first:
            raise unreadable(path)
        height, width = first[0][0].shape[:2]
        self._shape = (height, width)
        milliseconds = first[0][1]
        self.info = VideoInfo(
            str(path),
            path,
            width,
            height,
            rate=Fraction(1000, milliseconds) if self._timed else FALLBACK_RATE,
            frames=header.frames,
            time_base=Fraction(1, 1000),
            notes=header.notes,
        )

    def __iter__(self) -> Iterator[SourceFrame]:
        number, clock = 0, 0
        for begin, end in pairwise((*range(0, self._stored, self._piece), self._stored)):
            images = self._decode(begin, end - begin)
            for image, milliseconds in images:
                if image.shape[:2] != self._shape:
                    continue
                yield SourceFrame(number, clock / 1000, image)
                number, clock = number + 1, clock + milliseconds
            if len(images) < end - begin:
                raise InputError(
                    f"{self._path} is damaged: {number} of its {self.info.frames} frames can be "
                    "read; copy or make it again."
                )

    def close(self) -> None:
        """Nothing is held open."""

    def _decode(self, begin: int, count: int) -> list[tuple[NDArray[np.uint8], int]]:
        """Pictures [H, W, 3] RGB of a part of the file, and milliseconds that each is shown."""
        try:
            if self._timed:
                _, animation = cv2.imdecodeanimation(self._data, start=begin, count=count)
                images, times = animation.frames, [int(t) for t in animation.durations]
            else:
                flags = cv2.IMREAD_COLOR
                _, images = cv2.imdecodemulti(self._data, flags, range=(begin, begin + count))
                times = [int(1000 / FALLBACK_RATE)] * len(images)
        except cv2.error:
            return []
        return [
            (
                _rgb(image),
                time if time >= _SHORTEST_MS else _INSTEAD_MS,
            )
            for image, time in zip(images, times, strict=True)
        ]


def _rgb(image: NDArray[Any]) -> NDArray[np.uint8]:
    """RGB of what OpenCV decodes: grey, or BGR with or without transparency."""
    if image.ndim == 2:
        image = image[..., None].repeat(3, axis=2)
    return np.ascontiguousarray(image[..., 2::-1], np.uint8)
