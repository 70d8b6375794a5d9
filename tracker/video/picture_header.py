"""What a picture file says about itself: kind, size and frames, before anything is decoded.

Decoders take memory for what a header says, some of them several times over, and some die of it.
Every kind that OpenCV decodes is known here; what is not known here is not decoded.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple

from tracker.video.avif_boxes import avif_size, is_avif
from tracker.video.tiff_pages import tiff_pages

_START = 32  # bytes that tell the kinds apart
_TEXT_HEAD = 4096  # bytes in which a header that is text ends


class PictureHeader(NamedTuple):
    """A header.

    Attributes:
        kind: "png", "jpeg", "gif", ...
        width: pixels as stored, not turned; of the largest part where there are several.
        height: pixels.
        frames: pictures to be shown one after the other; 1 for a still picture. Two stand for "two
            or more" in a GIF.
        left_out: pages of a TIFF that are no frames: of another size than the first, or marked as
            thumbnails or masks.
    """

    kind: str
    width: int
    height: int
    frames: int = 1
    left_out: int = 0

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
    file.seek(0)
    start = file.read(_START)
    for begins, reader in _READERS:
        if begins(start):
            try:
                header = reader(file)
            except (struct.error, ValueError, OverflowError):
                header = None  # ends before it is whole
            return header or PictureHeader("damaged", 0, 0)
    return None


def _png(file: BinaryIO) -> PictureHeader | None:
    file.seek(16)
    width, height = struct.unpack(">II", file.read(8))
    end = file.seek(0, io.SEEK_END)
    place, frames, begun = 8, 1, False
    while True:
        file.seek(place)
        head = file.read(12)
        if len(head) < 12 or head[4:8] == b"IEND":
            # Some writers leave the last chunk away.
            return PictureHeader("png", width, height, frames) if begun else None
        length = int.from_bytes(head[:4], "big")
        begun |= head[4:8] == b"IDAT"
        # APNG announces its frames before the first one's pixels.
        if head[4:8] == b"acTL" and not begun:
            frames = max(int.from_bytes(head[8:12], "big"), 1)
        place += 12 + length
        if place > end:
            return None  # decoders take memory for what a chunk claims to hold


def _jpeg(file: BinaryIO) -> PictureHeader | None:
    place = 2
    while True:
        file.seek(place)
        head = file.read(9)
        if len(head) < 4:
            return None
        if head[0] != 0xFF:
            place += 1  # padding and damage; decoders look for the next marker too
            continue
        marker = head[1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", head[5:9])
            return PictureHeader("jpeg", width, height)
        if marker == 0xDA:
            return None  # pixels without a size
        alone = marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= 0xD9
        place += (1 if marker == 0xFF else 2) if alone else 2 + int.from_bytes(head[2:4], "big")


def _gif(file: BinaryIO) -> PictureHeader:
    file.seek(6)
    width, height, flags = struct.unpack("<HHB", file.read(5))
    place, frames = 13 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0), 0
    while frames < 2:
        file.seek(place)
        block = file.read(10)
        if block[:1] == b"\x2c" and len(block) == 10:
            frames += 1
            place += 11 + (3 << ((block[9] & 7) + 1) if block[9] & 0x80 else 0)
        elif block[:1] == b"\x21":
            place += 2
        else:
            break
        place = _after_pieces(file, place)
    return PictureHeader("gif", width, height, max(frames, 1))


def _after_pieces(file: BinaryIO, place: int) -> int:
    """Where a chain of GIF's data pieces ends."""
    while True:
        file.seek(place)
        length = file.read(1)
        if not length:
            return place
        place += 1 + length[0]
        if not length[0]:
            return place


def _bmp(file: BinaryIO) -> PictureHeader:
    file.seek(14)
    size = int.from_bytes(file.read(4), "little")
    # The first kind of Windows and OS/2 has 16-bit sizes. A negative height: rows from the top.
    width, height = struct.unpack(*(("<HH", file.read(4)) if size == 12 else ("<ii", file.read(8))))
    return PictureHeader("bmp", abs(width), abs(height))


def _webp(file: BinaryIO) -> PictureHeader | None:
    file.seek(12)
    head = file.read(18)
    kind, body = head[:4], head[8:]
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", body[6:10])
        return PictureHeader("webp", width & 0x3FFF, height & 0x3FFF)
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return PictureHeader("webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind != b"VP8X" or len(body) < 10:
        return None
    width, height = (int.from_bytes(body[at : at + 3], "little") + 1 for at in (4, 7))
    frames = _webp_frames(file) if body[0] & 2 else 1
    return PictureHeader("webp", width, height, max(frames, 1))


def _webp_frames(file: BinaryIO) -> int:
    place, frames = 12, 0
    while True:
        file.seek(place)
        head = file.read(8)
        if len(head) < 8:
            return frames
        frames += head[:4] == b"ANMF"
        length = int.from_bytes(head[4:], "little")
        place += 8 + length + length % 2


def _tiff(file: BinaryIO) -> PictureHeader | None:
    pages = tiff_pages(file)
    if not pages:
        return None
    first = pages[0]
    shown = [p for p in pages if p.whole and (p.width, p.height) == (first.width, first.height)]
    frames = max(len(shown), 1)
    width, height = max(((p.width, p.height) for p in pages), key=lambda size: size[0] * size[1])
    return PictureHeader("tiff", width, height, frames, len(pages) - frames)


def _avif(file: BinaryIO) -> PictureHeader | None:
    size, moving = avif_size(file)
    return PictureHeader("avif", *size, frames=2 if moving else 1) if size else None


def _jpeg2000(file: BinaryIO) -> PictureHeader | None:
    """The size of the code stream, by which memory is taken; the boxes before it repeat it."""
    place = 0
    while True:
        file.seek(place)
        head = file.read(52)
        if head[:4] == b"\xff\x4f\xff\x51":
            right, bottom, left, top = struct.unpack(">IIII", head[8:24])
            return PictureHeader("jpeg2000", right - left, bottom - top)
        size, kind = struct.unpack(">I4s", head[:8])
        if size == 1:
            size, begin = int.from_bytes(head[8:16], "big"), 16
        else:
            begin = 8
        if kind == b"jp2c":
            place += begin
        elif size < begin:
            return None
        else:
            place += size


def _netpbm(file: BinaryIO) -> PictureHeader | None:
    """PBM, PGM, PPM and PAM; not PFM, whose range OpenCV does not map to bytes."""
    file.seek(0)
    head = re.sub(rb"#[^\n\r]*", b" ", file.read(_TEXT_HEAD))
    if head.startswith(b"P7"):
        found = [re.search(rb"\b%s\s+(\d{1,9})\b" % name, head) for name in (b"WIDTH", b"HEIGHT")]
        numbers = [int(one[1]) for one in found if one]
    else:
        numbers = [int(one) for one in re.findall(rb"\d{1,9}", head[2:])[:2]]
    return PictureHeader("netpbm", *numbers) if len(numbers) == 2 else None


def _radiance(file: BinaryIO) -> PictureHeader | None:
    file.seek(0)
    found = re.search(rb"[-+]([XY])\s+(\d{1,9})\s+[-+][XY]\s+(\d{1,9})", file.read(_TEXT_HEAD))
    if found is None:
        return None
    first, second = int(found[2]), int(found[3])
    width, height = (first, second) if found[1] == b"X" else (second, first)
    return PictureHeader("radiance", width, height)


def _sun(file: BinaryIO) -> PictureHeader:
    file.seek(4)
    return PictureHeader("sun", *struct.unpack(">II", file.read(8)))


_READERS: tuple[tuple[Callable[[bytes], bool], Callable[[BinaryIO], PictureHeader | None]], ...] = (
    (lambda start: start.startswith(b"\x89PNG\r\n\x1a\n"), _png),
    (lambda start: start.startswith(b"\xff\xd8\xff"), _jpeg),
    (lambda start: start.startswith((b"GIF87a", b"GIF89a")), _gif),
    (lambda start: start.startswith(b"BM"), _bmp),
    (lambda start: start.startswith(b"RIFF") and start[8:12] == b"WEBP", _webp),
    (lambda start: start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), _tiff),
    (is_avif, _avif),
    (lambda start: start.startswith((b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")), _jpeg2000),
    (lambda start: bool(re.match(rb"P[1-7]\s", start)), _netpbm),
    (lambda start: start.startswith((b"#?RADIANCE", b"#?RGBE")), _radiance),
    (lambda start: start.startswith(b"\x59\xa6\x6a\x95"), _sun),
)
