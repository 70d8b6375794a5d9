"""Sizes that headers state, against what OpenCV decodes; and headers that lie."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import cv2
import pytest

from tests.support.picture_files import animated_webp, bomb_png, tiff_of_pages
from tests.support.video_files import picture
from tracker.video.picture_header import picture_header, read_header

KINDS = [
    "png",
    "jpg",
    "gif",
    "bmp",
    "webp",
    "tiff",
    "avif",
    "jp2",
    "pgm",
    "ppm",
    "sr",
]


@pytest.mark.parametrize("suffix", KINDS)
def test_the_size_is_that_of_the_decoded_picture(tmp_path: Path, suffix: str) -> None:
    image = picture(58, 42)
    path = tmp_path / f"a.{suffix}"
    assert cv2.imwrite(str(path), image[..., 0] if suffix == "pgm" else image)
    header = picture_header(path)
    assert header is not None
    assert (header.width, header.height, header.frames) == (58, 42, 1)
    assert cv2.imread(str(path), cv2.IMREAD_COLOR).shape == (42, 58, 3)


@pytest.mark.parametrize("suffix", KINDS)
def test_a_header_cut_anywhere_raises_nothing(suffix: str) -> None:
    image = picture(58, 42)
    data = cv2.imencode(f".{suffix}", image[..., :1] if suffix == "pgm" else image)[1].tobytes()
    for end in range(min(len(data), 200)):
        header = read_header(io.BytesIO(data[:end]))
        assert header is None or header.kind


def test_frames_are_counted(tmp_path: Path) -> None:
    images = [picture(64, 48, level=40 * i) for i in range(5)]
    header = picture_header(animated_webp(tmp_path / "a.webp", images, [40] * 5))
    assert header is not None
    assert (header.kind, header.frames) == ("webp", 5)
    pages = [picture(64, 48), picture(32, 24), picture(64, 48), picture(64, 48)]
    header = picture_header(tiff_of_pages(tmp_path / "a.tiff", pages))
    assert header is not None
    assert (header.width, header.height, header.frames, header.left_out) == (64, 48, 3, 1)
    (note,) = header.notes
    assert note.startswith("1 of 4 pages were left out")


@pytest.mark.parametrize(
    ("order", "mark", "big"), [("<", b"II", False), (">", b"MM", False), ("<", b"II", True)]
)
def test_a_tiff_of_either_order_and_size(order: str, mark: bytes, big: bool) -> None:
    # Subfile, size, bits, no compression, dark is 0, one strip at 8.
    entries = [(254, 4, 0), (256, 3, 640), (257, 4, 480), (258, 3, 8), (259, 3, 1), (262, 3, 1)]
    entries += [(273, 4, 8), (278, 4, 480), (279, 4, 1)]
    codes = {3: "H", 4: "I"}
    width = 8 if big else 4
    body = b"".join(
        struct.pack(order + "HH" + ("Q" if big else "I"), tag, kind, 1)
        + struct.pack(order + codes[kind], value).ljust(width, b"\0")
        for tag, kind, value in entries
    )
    count = struct.pack(order + ("Q" if big else "H"), len(entries))
    head = mark + (
        struct.pack(order + "HHHQ", 43, 8, 0, 16) if big else struct.pack(order + "HI", 42, 8)
    )
    header = read_header(io.BytesIO(head + count + body + bytes(width)))
    assert header is not None
    assert (header.width, header.height, header.frames) == (640, 480, 1)


def test_directories_in_a_circle_end(tmp_path: Path) -> None:
    path = tiff_of_pages(tmp_path / "a.tiff", [picture(64, 48)])
    data = bytearray(path.read_bytes())
    (first,) = struct.unpack("<I", data[4:8])
    (count,) = struct.unpack("<H", data[first : first + 2])
    data[first + 2 + 12 * count : first + 6 + 12 * count] = struct.pack("<I", first)
    header = read_header(io.BytesIO(bytes(data)))
    assert header is not None
    assert header.frames == 1


def test_a_size_that_is_not_there_yet_is_believed(tmp_path: Path) -> None:
    header = picture_header(bomb_png(tmp_path / "a.png", 30_000))
    assert header is not None
    assert (header.width, header.height) == (30_000, 30_000)


def test_what_is_no_picture() -> None:
    for data in (b"", b"no picture at all", b"RIFF\0\0\0\0AVI LIST"):
        assert read_header(io.BytesIO(data)) is None
    for data in (b"BM", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBP", b"II*\0", b"\0\0\0\x18ftypavif"):
        assert read_header(io.BytesIO(data)) == ("damaged", 0, 0, (0,), 0)
