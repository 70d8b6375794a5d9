"""Size and orientation of an AVIF picture, by the boxes of its file (ISO 23008-12, 14496-12).

OpenCV decodes AVIF and leaves its rotation (`irot`) and mirroring (`imir`) aside.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO

from tracker.video.decoded_frame import UPRIGHT, Orientation

_MOST = 16 << 20  # bytes of a box that is read: those of pixels are passed over
_SEQUENCE = b"avis"


def is_avif(start: bytes) -> bool:
    """Whether a file that begins so is an AVIF picture or sequence."""
    return start[4:8] == b"ftyp" and any(
        start[at : at + 4] in (b"avif", _SEQUENCE) for at in (8, *range(16, len(start) - 3, 4))
    )


def avif_size(file: BinaryIO) -> tuple[tuple[int, int] | None, bool]:
    """The largest size of a part (tiles have one, and the whole), and whether it is a sequence."""
    file.seek(0)
    moving = _SEQUENCE in file.read(12)[8:]
    sizes = [
        (int.from_bytes(body[4:8], "big"), int.from_bytes(body[8:12], "big"))
        for kind, body in _properties(_meta(file))
        if kind == b"ispe"
    ]
    if not sizes and moving:
        sizes = [_track_size(file)]
    return max(sizes, key=lambda size: size[0] * size[1], default=None), moving


def avif_orientation(data: bytes) -> Orientation | None:
    """How the stored pixels of a picture are turned to be upright; None if the file does not say.

    Args:
        data: the file.
    """
    meta = _meta(io.BytesIO(data))
    properties = list(_properties(meta))
    turns, axis = 0, None
    found = False
    for index in _of_primary(meta):
        kind, body = properties[index - 1] if 0 < index <= len(properties) else (b"", b"")
        if kind == b"irot" and body:
            turns, found = body[0] & 3, True
        elif kind == b"imir" and body:
            axis, found = body[0] & 1, True
    return _orientation(turns, axis) if found else None


def _orientation(turns: int, axis: int | None) -> Orientation:
    """Quarter turns against the clock, then mirroring: axis 0 swaps top and bottom, 1 the sides."""
    turned = (
        UPRIGHT,
        Orientation(True, False, True),
        Orientation(False, True, True),
        Orientation(True, True, False),
    )[turns]
    return Orientation(
        turned.transposed,
        turned.mirror_x ^ (axis == 1),
        turned.mirror_y ^ (axis == 0),
    )


def _boxes(file: BinaryIO, place: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Boxes in a part of a file: type, where the content begins and ends."""
    while place + 8 <= end:
        file.seek(place)
        head = file.read(16)
        size, begin = int.from_bytes(head[:4], "big"), place + 8
        if size == 1:
            size, begin = int.from_bytes(head[8:16], "big"), place + 16
        stop = end if size == 0 else min(place + size, end)
        if stop < begin:
            return
        yield head[4:8], begin, stop
        place = stop


def _content(file: BinaryIO, place: int, end: int, name: bytes) -> bytes:
    for kind, begin, stop in _boxes(file, place, end):
        if kind == name and stop - begin <= _MOST:
            file.seek(begin)
            return file.read(stop - begin)
    return b""


def _inside(data: bytes, name: bytes) -> bytes:
    return _content(io.BytesIO(data), 0, len(data), name)


def _meta(file: BinaryIO) -> bytes:
    """Boxes inside `meta`, without its version and flags."""
    end = file.seek(0, io.SEEK_END)
    return _content(file, 0, end, b"meta")[4:]


def _properties(meta: bytes) -> Iterator[tuple[bytes, bytes]]:
    data = _inside(_inside(meta, b"iprp"), b"ipco")
    for kind, begin, stop in _boxes(io.BytesIO(data), 0, len(data)):
        yield kind, data[begin:stop]


def _of_primary(meta: bytes) -> list[int]:
    """Numbers, from 1, of the properties of the picture that is to be shown."""
    primary = _inside(meta, b"pitm")
    wide = 4 if primary[:1] > b"\0" else 2
    wanted = primary[4 : 4 + wide].rjust(4, b"\0")
    table = io.BytesIO(_inside(_inside(meta, b"iprp"), b"ipma"))
    head = table.read(8)
    if len(head) < 8:
        return []
    id_bytes, step = (4 if head[0] else 2), (2 if head[3] & 1 else 1)
    for _ in range(int.from_bytes(head[4:], "big")):
        item, count = table.read(id_bytes), table.read(1)
        if not count:
            break
        entries = table.read(step * count[0])
        if item.rjust(4, b"\0") == wanted:
            # The first bit says whether the property is essential.
            mask = 0x7FFF if step == 2 else 0x7F
            return [
                int.from_bytes(entries[at : at + step], "big") & mask
                for at in range(0, len(entries), step)
            ]
    return []


def _track_size(file: BinaryIO) -> tuple[int, int]:
    """Width and height of the first track, from its header (16.16 numbers)."""
    end = file.seek(0, io.SEEK_END)
    track = _inside(_content(file, 0, end, b"moov"), b"trak")
    header = _inside(track, b"tkhd")
    return int.from_bytes(header[-8:-6], "big"), int.from_bytes(header[-4:-2], "big")
