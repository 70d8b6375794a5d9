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

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")
_QUALITY = 95  # JPEG; the loss is below what a camera's own compression did


def is_picture(path: Path) -> bool:
    """Whether a file's content is a still picture that can be read, whatever its name.

    GIF, PNG, WebP and AVIF may hold moving pictures: they are not told apart here, and answered
    with False.
    """
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError:
        return False
    moving = head[:4] in (b"GIF8", b"\x89PNG", b"RIFF") or head[4:8] == b"ftyp"
    return not moving and bool(cv2.haveImageReader(str(path)))


class PictureReader(Closing):
    """A picture as a source of one frame at 0 s. A context manager.

    The orientation that cameras note (EXIF) is applied, 16-bit and grey pictures become 8-bit RGB,
    transparency is left aside.

    Args:
        path: the file.

    Raises:
        InputError: no such file, or no picture that can be read.
    """

    def __init__(self, path: Path) -> None:
        try:
            # Not cv2.imread: on Windows it cannot open every name.
            data = np.frombuffer(path.read_bytes(), np.uint8)
            image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}.") from error
        except cv2.error as error:  # among others, more than 2^30 pixels
            raise InputError(f"{path} cannot be read as a picture: {error.err}.") from error
        if image is None:
            raise InputError(
                f"{path} is damaged, or a kind of picture that cannot be read here: convert it to "
                "PNG or JPEG."
            )
        self._image = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
        height, width = self._image.shape[:2]
        self.info = VideoInfo(str(path), path, width, height, frames=1, still=True)

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
