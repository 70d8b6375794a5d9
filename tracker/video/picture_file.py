"""Still pictures, read like a video of one frame, and written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from model.errors import InputError
from tracker.system.closing import Closing, Committing
from tracker.system.output_file import OutputFile
from tracker.video.frame_source import SourceFrame, VideoInfo
from tracker.video.picture_decode import read_picture
from tracker.video.picture_header import picture_header

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")
_QUALITY = 95  # JPEG; the loss is below what a camera's own compression did


class PictureReader(Closing):
    """A still picture as a source of one frame at 0 s, upright. A context manager.

    Args:
        path: the file; see `tracker.video.picture_decode`.

    Raises:
        InputError: no such file, too large, or no picture that can be read.
    """

    def __init__(self, path: Path) -> None:
        self._image = read_picture(path, upright=True)
        height, width = self._image.shape[:2]
        header = picture_header(path)
        notes = header.notes if header is not None else ()
        self.info = VideoInfo(str(path), path, width, height, frames=1, still=True, notes=notes)

    def __iter__(self) -> Iterator[SourceFrame]:
        yield SourceFrame(0, 0.0, self._image)

    def close(self) -> None:
        """Nothing is held open."""


class PictureWriter(Committing):
    """An annotated picture being written. A context manager: an exception leaves no file.

    Args:
        path: output, one of `PICTURE_SUFFIXES`.
        info: the source.
        overwrite: replace an existing file.

    Raises:
        InputError: the output cannot be written (see `OutputFile`).
    """

    def __init__(self, path: Path, info: VideoInfo, *, overwrite: bool = False) -> None:
        self._file = OutputFile(path, PICTURE_SUFFIXES, overwrite=overwrite, source=info.path)
        self._written = False

    def write(self, image: NDArray[np.uint8], timestamp: float) -> None:
        """Take the picture [H, W, 3], uint8, RGB; it has no use for the time.

        Raises:
            InputError: the disk is full or the file has become unwritable.
        """
        try:
            self._file.partial.write_bytes(encode_picture(image, self._file.path.suffix))
        except OSError as error:
            raise InputError(f"{self._file.path} cannot be written: {error.strerror}.") from error
        self._written = True

    def cut_audio(self) -> None:
        """There is none."""

    def close(self) -> None:
        """Give the file its name. A second call does nothing."""
        if self._written:
            self._file.commit()
            self._written = False

    def abort(self) -> None:
        """Give up: remove what was written."""
        self._written = False
        self._file.discard()


def encode_picture(image: NDArray[np.uint8], suffix: str) -> bytes:
    """The bytes of a picture file.

    Args:
        image: [H, W, 3], uint8, RGB.
        suffix: one of `PICTURE_SUFFIXES`.
    """
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    options = [] if suffix.lower() == ".png" else [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    return cv2.imencode(suffix, bgr, options)[1].tobytes()
