"""Files of several pictures, read as frames: animated WebP, and TIFF of many pages."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError
from tracker.system.closing import Closing
from tracker.video.frame_clock import FALLBACK_RATE
from tracker.video.frame_source import SourceFrame, VideoInfo
from tracker.video.picture_decode import pixels, read_picture_bytes, unreadable
from tracker.video.picture_header import DAMAGE, damage_unsaid, open_picture

# The kinds that are read here; FFmpeg reads the other moving pictures (GIF, APNG, AVIF sequences).
KINDS = ("webp", "tiff")
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
        data, self._header = read_picture_bytes(path)
        if self._header.kind not in KINDS:
            raise unreadable(path)
        self._timed = self._header.kind == "webp"
        try:
            self._image = open_picture(data, self._header)
            first, milliseconds = self._decode(0)
        except DAMAGE as error:
            raise unreadable(path) from error
        self.info = VideoInfo(
            str(path),
            path,
            first.shape[1],
            first.shape[0],
            rate=Fraction(1000, milliseconds) if self._timed else FALLBACK_RATE,
            frames=self._header.frames,
            time_base=Fraction(1, 1000),
            notes=self._header.notes,
        )

    def __iter__(self) -> Iterator[SourceFrame]:
        clock = 0
        for number, page in enumerate(self._header.pages):
            try:
                image, milliseconds = self._decode(page)
            except DAMAGE as error:
                raise InputError(
                    f"{self._path} is damaged: {number} of its {self.info.frames} frames can be "
                    "read; copy or make it again."
                ) from error
            yield SourceFrame(number, clock / 1000, image)
            clock += milliseconds

    def close(self) -> None:
        """Let go of the file's content."""
        self._image.close()

    def _decode(self, page: int) -> tuple[NDArray[np.uint8], int]:
        """A picture [H, W, 3] RGB, and milliseconds that it is shown."""
        with damage_unsaid():
            self._image.seek(page)
        image = pixels(self._image)
        if not self._timed:
            return image, int(1000 / FALLBACK_RATE)
        time = int(self._image.info.get("duration", 0))
        return image, time if time >= _SHORTEST_MS else _INSTEAD_MS
