"""Is a video file as long as it says? Container sizes against the size of the file.

MP4/MOV, Matroska/WebM and AVI store the size of their parts, so a file that was cut short gives
itself away before a single frame is decoded, whatever its frame counts and durations claim (those
are often slightly wrong in good files). MPEG transport streams and the like store no sizes: a cut
one is simply a shorter video.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

_EBML_HEADER = 0x1A45DFA3
_SEGMENT = 0x18538067
_PRINTABLE = range(0x20, 0x7F)


def missing_bytes(path: Path, format_name: str) -> int:
    """Bytes that the container promises beyond the end of the file.

    Args:
        path: an existing file.
        format_name: FFmpeg's name of the container ("mov,mp4,...", "matroska,webm", "avi").

    Returns:
        0 for a complete file and for containers that do not store their size.
    """
    length = path.stat().st_size
    walkers = {"mov": _mp4_end, "matroska": _matroska_end, "avi": _avi_end}
    walker = walkers.get(format_name.partition(",")[0])
    if walker is None:
        return 0
    with path.open("rb") as file:
        return max(walker(file, length) - length, 0)


def has_mp4_index(path: Path) -> bool | None:
    """Whether a file that starts like MP4 has its index (`moov`); None if it is no MP4."""
    with path.open("rb") as file:
        first = file.read(8)
        if len(first) < 8 or first[4:] not in (b"ftyp", b"mdat", b"wide", b"moov", b"free"):
            return None
        return any(kind == b"moov" for kind, _ in _mp4_boxes(file, path.stat().st_size))


def _mp4_boxes(file: BinaryIO, length: int) -> list[tuple[bytes, int]]:
    """Top-level boxes of an MP4 file: (type, offset of its end by its own size)."""
    boxes, offset = [], 0
    while offset + 8 <= length:
        file.seek(offset)
        size = int.from_bytes(file.read(4), "big")
        kind = file.read(4)
        if size == 1:
            size = int.from_bytes(file.read(8), "big")
        # 0 means "to the end of the file"; bytes that are no box are padding of some tools.
        if size < 8 or not all(letter in _PRINTABLE for letter in kind):
            boxes.append((kind, length))
            break
        offset += size
        boxes.append((kind, offset))
    return boxes


def _mp4_end(file: BinaryIO, length: int) -> int:
    boxes = _mp4_boxes(file, length)
    return boxes[-1][1] if boxes else length


def _matroska_end(file: BinaryIO, length: int) -> int:
    offset = 0
    while offset < length:
        file.seek(offset)
        kind = _vint(file, keep_marker=True)
        size = _vint(file, keep_marker=False)
        # A live recording has a segment of unknown size; anything else at the top is padding.
        if kind not in (_EBML_HEADER, _SEGMENT) or size is None:
            return length
        offset = file.tell() + size
    return offset


def _vint(file: BinaryIO, *, keep_marker: bool) -> int | None:
    """Read an EBML variable-length integer; None if cut off or if all ones (unknown size)."""
    first = file.read(1)
    if not first or first[0] == 0:
        return None
    extra = 8 - first[0].bit_length()
    rest = file.read(extra)
    if len(rest) < extra:
        return None
    value = int.from_bytes(first + rest, "big")
    if keep_marker:
        return value
    bits = 7 * (extra + 1)
    value &= (1 << bits) - 1
    return None if value == (1 << bits) - 1 else value


def _avi_end(file: BinaryIO, length: int) -> int:
    offset = 0
    while offset + 12 <= length:
        file.seek(offset)
        kind = file.read(4)
        size = int.from_bytes(file.read(4), "little")
        # A recorder that crashed leaves size 0; files over 1 GB are a chain of RIFF chunks.
        if kind != b"RIFF" or size == 0:
            return length
        offset += 8 + size + size % 2
    return offset
