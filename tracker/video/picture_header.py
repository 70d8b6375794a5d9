"""What a picture file says about itself: kind, size and frames, before anything is decoded."""

from __future__ import annotations

import io
import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.Image import DecompressionBombError
from PIL.ImageFile import ImageFile
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.SunImagePlugin import SunImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

# What Pillow raises for files that are damaged: it promises no kind of exception.
DAMAGE = (
    *(OSError, SyntaxError, ValueError, TypeError, ArithmeticError, LookupError, EOFError),
    *(struct.error, AttributeError, RuntimeError, MemoryError, DecompressionBombError),
)
_START = 32  # bytes that tell the kinds apart
# Not `PIL.Image.open`: it tries kinds that start other programs, and refuses by a limit of its own.
_KINDS: dict[str, tuple[bytes, type[ImageFile]]] = {
    "png": (rb"\x89PNG\r\n\x1a\n", PngImageFile),
    "jpeg": (rb"\xff\xd8\xff", JpegImageFile),
    "gif": (rb"GIF8[79]a", GifImageFile),
    "bmp": (rb"BM", BmpImageFile),
    "webp": (rb"RIFF....WEBP", WebPImageFile),
    "tiff": (rb"II[*+]\0|MM\0[*+]", TiffImageFile),
    "avif": (rb"....ftyp(....)*avi[fs]", AvifImageFile),
    "jpeg2000": (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", Jpeg2KImageFile),
    "netpbm": (rb"P[1-6]\s", PpmImageFile),
    "sun": (rb"\x59\xa6\x6a\x95", SunImageFile),
}
_NEW_SUBFILE_TYPE, _REDUCED, _MASK = 254, 1, 4  # tag of TIFF, and two bits of its value


@contextmanager
def damage_unsaid() -> Iterator[None]:
    """Around calls of Pillow, which warns of damage in what nobody needs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class PictureHeader(NamedTuple):
    """A header.

    Attributes:
        kind: "png", "jpeg", "gif", ...; "damaged".
        width: pixels as stored, not turned (a TIFF as it is decoded); of the largest page.
        height: pixels.
        pages: numbers, from 0, of those that are frames, to be shown one after the other; one for
            a still picture.
        left_out: pages of a TIFF that are no frames: of another size than the first, or marked as
            thumbnails or masks.
    """

    kind: str
    width: int
    height: int
    pages: tuple[int, ...] = (0,)
    left_out: int = 0

    @property
    def frames(self) -> int:
        """How many pictures there are to be shown."""
        return len(self.pages)

    @property
    def notes(self) -> tuple[str, ...]:
        """What to tell whoever gave the file: which of its pages are read."""
        if not self.left_out:
            return ()
        return (
            f"{self.left_out} of {self.frames + self.left_out} pages were left out, which are no "
            "frames: of another size than the first, thumbnails or masks",
        )


def picture_header(path: Path) -> PictureHeader | None:
    """Header of a file; None if it is no picture that is known here, or cannot be read."""
    try:
        if not path.is_file():  # to open a pipe waits for somebody who writes
            return None
        with path.open("rb") as file:
            return read_header(file)
    except OSError:
        return None


def read_header(file: BinaryIO) -> PictureHeader | None:
    """Header of an open file, None if it does not begin like a picture.

    One that begins like a picture and goes on otherwise has 0 x 0 pixels: nobody else is to try it.

    Args:
        file: opened for reading bytes; its place is changed.
    """
    kind = _kind(file)
    if kind is None:
        return None
    try:
        with damage_unsaid():
            return _header(kind, _KINDS[kind][1](file))
    except DAMAGE:
        return PictureHeader("damaged", 0, 0)


def open_picture(data: bytes, header: PictureHeader) -> ImageFile:
    """A picture whose pixels are not decoded yet.

    Args:
        data: the file.
        header: from `read_header`.

    Raises:
        One of `DAMAGE`.
    """
    with damage_unsaid():
        return _KINDS[header.kind][1](io.BytesIO(data))


def _kind(file: BinaryIO) -> str | None:
    file.seek(0)
    start = file.read(_START)
    file.seek(0)
    for kind, (pattern, _) in _KINDS.items():
        if re.match(pattern, start, re.DOTALL):
            return kind
    return None


def _header(kind: str, image: ImageFile) -> PictureHeader:
    if kind == "tiff":
        return _tiff_header(image)
    width, height = image.size
    return PictureHeader(kind, width, height, tuple(range(getattr(image, "n_frames", 1))))


def _tiff_header(image: ImageFile) -> PictureHeader:
    assert isinstance(image, TiffImageFile)
    sizes, whole = [image.size], [_is_whole(image)]
    # Pages behind damage are missing.
    with suppress(*DAMAGE):
        while True:
            image.seek(len(sizes))
            sizes.append(image.size)
            whole.append(_is_whole(image))
    pages = [page for page, size in enumerate(sizes) if whole[page] and size == sizes[0]] or [0]
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    return PictureHeader("tiff", width, height, tuple(pages), len(sizes) - len(pages))


def _is_whole(image: TiffImageFile) -> bool:
    """No reduced copy of another page, and no mask."""
    return not int(image.tag_v2.get(_NEW_SUBFILE_TYPE, 0)) & (_REDUCED | _MASK)
