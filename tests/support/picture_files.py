"""Pictures written to files."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np

from tracker.assets.portrait import portrait_image


def save(path: Path, image: np.ndarray) -> Path:
    cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return path


def portrait(path: Path) -> Path:
    return save(path, portrait_image())


def animated_webp(path: Path, images: list[np.ndarray], milliseconds: list[int]) -> Path:
    animation = cv2.Animation()
    animation.frames = [cv2.cvtColor(image, cv2.COLOR_RGB2BGRA) for image in images]
    animation.durations = np.array(milliseconds, np.int32)
    assert cv2.imwriteanimation(str(path), animation)
    return path


def tiff_of_pages(path: Path, images: list[np.ndarray]) -> Path:
    assert cv2.imwritemulti(str(path), [image[..., ::-1] for image in images])
    return path


def bomb_png(path: Path, side: int) -> Path:
    """A PNG that says to be side x side; its pixels are few bytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")
        )

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(100_000))
    parts = [chunk(b"IHDR", head), chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return path


def exif(orientation: int) -> bytes:
    """An EXIF block (TIFF) with one entry: orientation (0x0112)."""
    entry = b"\x12\x01\x03\0\x01\0\0\0" + bytes([orientation]) + b"\0\0\0"
    return b"II*\0\x08\0\0\0\x01\0" + entry + b"\0\0\0\0"


def with_avif_turn(data: bytes, turns: int | None, axis: int | None) -> bytes:
    """An AVIF file as OpenCV writes it, with irot (quarter turns against the clock) and imir."""
    boxes = []
    if turns is not None:
        boxes.append(b"\0\0\0\x09irot" + bytes([turns]))
    if axis is not None:
        boxes.append(b"\0\0\0\x09imir" + bytes([axis]))
    added = b"".join(boxes)
    at = data.index(b"ipco") - 4
    size = int.from_bytes(data[at : at + 4], "big")
    old = data[at + 8 : at + size]
    count, place = 0, 0
    while place < len(old):
        count, place = count + 1, place + int.from_bytes(old[place : place + 4], "big")
    ipco = (size + len(added)).to_bytes(4, "big") + b"ipco" + old + added
    ipma_at = at + size
    ipma = bytearray(data[ipma_at : ipma_at + int.from_bytes(data[ipma_at : ipma_at + 4], "big")])
    assert ipma[4:8] == b"ipma"
    assert ipma[12:16] == b"\0\0\0\x01"
    end = ipma_at + len(ipma)
    ipma[18] += len(boxes)
    ipma += bytes(0x80 | (count + 1 + i) for i in range(len(boxes)))
    ipma[:4] = len(ipma).to_bytes(4, "big")
    changed = bytearray(data[:at] + ipco + bytes(ipma) + data[end:])
    grown = len(changed) - len(data)
    # The boxes around it, and where the pixels are: they come after `meta`.
    for name in (b"iprp", b"meta"):
        place = changed.index(name) - 4
        size = int.from_bytes(changed[place : place + 4], "big") + grown
        changed[place : place + 4] = size.to_bytes(4, "big")
    iloc = changed.index(b"iloc")
    place = iloc + 4 + 4 + 2 + 2 + 2 + 2 + 2
    offset = int.from_bytes(changed[place : place + 4], "big") + grown
    changed[place : place + 4] = offset.to_bytes(4, "big")
    return bytes(changed)
