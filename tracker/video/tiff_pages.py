"""The pages of a TIFF file, by its directories."""

from __future__ import annotations

import struct
from typing import BinaryIO, NamedTuple

_SUBFILE, _WIDTH, _HEIGHT = 254, 256, 257
_REDUCED, _MASK = 1, 4  # bits of NewSubfileType
_LAST = 100_000  # pages looked for: a damaged chain of directories may go on for the whole file
_MOST_ENTRIES = 4096  # of a directory; a few dozen are usual


class TiffPage(NamedTuple):
    """A page.

    Attributes:
        width: pixels.
        height: pixels.
        whole: no reduced copy of another page, and no mask.
    """

    width: int
    height: int
    whole: bool


def tiff_pages(file: BinaryIO) -> list[TiffPage]:
    """Pages of a TIFF or BigTIFF file in their order; those behind a damaged directory are missing.

    Args:
        file: opened for reading bytes, begins like a TIFF file.

    Raises:
        struct.error: the file ends within its header.
    """
    file.seek(0)
    head = file.read(16)
    order = "<" if head[:2] == b"II" else ">"
    big = head[2:4] in (b"+\0", b"\0+")
    place = struct.unpack(order + "Q", head[8:16])[0] if big else _number(order, "I", head[4:8])
    pages: list[TiffPage] = []
    seen: set[int] = set()
    while place and place not in seen and len(pages) < _LAST:
        seen.add(place)
        try:
            page, place = _directory(file, place, order, big=big)
        except (struct.error, OverflowError, OSError):
            break
        if page is not None:
            pages.append(page)
    return pages


def _directory(file: BinaryIO, place: int, order: str, *, big: bool) -> tuple[TiffPage | None, int]:
    """The page of a directory, and where the next one is."""
    counter, entry, pointer = ("Q", 20, "Q") if big else ("H", 12, "I")
    file.seek(place)
    count = _number(order, counter, file.read(8 if big else 2))
    if count > _MOST_ENTRIES:
        return None, 0
    values = {_SUBFILE: 0, _WIDTH: 0, _HEIGHT: 0}
    for _ in range(count):
        data = file.read(entry)
        tag, kind = struct.unpack(order + "HH", data[:4])
        if tag in values:
            # SHORT or LONG, stored in the entry itself; BigTIFF's LONG8 as well.
            code = {3: "H", 4: "I", 16: "Q"}.get(kind, "I")
            at = 12 if big else 8
            values[tag] = _number(order, code, data[at : at + struct.calcsize(code)])
    following = _number(order, pointer, file.read(8 if big else 4))
    whole = not values[_SUBFILE] & (_REDUCED | _MASK)
    return TiffPage(values[_WIDTH], values[_HEIGHT], whole), following


def _number(order: str, code: str, data: bytes) -> int:
    return int(struct.unpack(order + code, data)[0])
