"""Pictures as pixels: upright by what their files say, and never more than memory holds."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from model.errors import InputError
from tests.support.picture_files import bomb_png, exif, save, with_avif_turn
from tests.support.video_files import picture
from tracker.sources.open_source import open_source
from tracker.video import picture_decode
from tracker.video.decoded_frame import orientation_from_matrix
from tracker.video.picture_decode import read_picture
from train.data.sample import read_image

# What EXIF's orientations do to the stored picture (TIFF 6.0, tag 274).
EXIF_TURNS = {
    1: lambda i: i,
    2: lambda i: i[:, ::-1],
    3: lambda i: i[::-1, ::-1],
    4: lambda i: i[::-1],
    5: lambda i: i.transpose(1, 0, 2),
    6: lambda i: np.rot90(i, -1),
    7: lambda i: i[::-1, ::-1].transpose(1, 0, 2),
    8: np.rot90,
}


@pytest.mark.parametrize("orientation", EXIF_TURNS)
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".avif"])
def test_exif_turns_upright(tmp_path: Path, suffix: str, orientation: int) -> None:
    block = np.frombuffer(exif(orientation), np.uint8)
    _, data = cv2.imencodeWithMetadata(suffix, picture(96, 64), [cv2.IMAGE_METADATA_EXIF], [block])
    path = tmp_path / f"a{suffix}"
    path.write_bytes(data.tobytes())
    stored = read_picture(path, upright=False)
    assert stored.shape == (64, 96, 3)
    np.testing.assert_array_equal(read_picture(path, upright=True), EXIF_TURNS[orientation](stored))


@pytest.mark.parametrize("turns", [None, 0, 1, 2, 3])
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_avif_is_turned_as_ffmpeg_says(tmp_path: Path, turns: int | None, axis: int | None) -> None:
    data = cv2.imencode(".avif", picture(96, 64))[1].tobytes()
    path = tmp_path / "a.avif"
    path.write_bytes(with_avif_turn(data, turns, axis))
    stored = read_picture(path, upright=False)
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        matrix = frame.side_data.get("DISPLAYMATRIX")
    expected = stored
    if matrix is not None:
        expected = orientation_from_matrix(np.frombuffer(matrix, np.int32)).apply(stored)
    np.testing.assert_array_equal(read_picture(path, upright=True), expected)
    if (turns, axis) == (2, None):
        np.testing.assert_array_equal(expected, stored[::-1, ::-1])


def test_avifs_own_turn_counts_once(tmp_path: Path) -> None:
    block = np.frombuffer(exif(3), np.uint8)
    _, data = cv2.imencodeWithMetadata(".avif", picture(96, 64), [cv2.IMAGE_METADATA_EXIF], [block])
    path = tmp_path / "a.avif"
    path.write_bytes(data.tobytes())
    stored = read_picture(path, upright=False)
    np.testing.assert_array_equal(read_picture(path, upright=True), stored[::-1, ::-1])
    assert not np.array_equal(stored, stored[::-1, ::-1])


@pytest.mark.parametrize("read", [open_source, read_image])
def test_a_bomb_is_refused_before_it_takes_memory(tmp_path: Path, read) -> None:
    resource = pytest.importorskip("resource", reason="Windows has no such count")
    path = bomb_png(tmp_path / "bomb.png", 30_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match=r"bomb\.png has 30000x30000 pixels, pictures may have 52"):
        read(path)
    # Kilobytes; decoded it would be 2.7 GB.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


def test_a_chunk_that_claims_more_than_there_is_takes_no_memory(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="Windows has no such count")
    data = bytearray(cv2.imencode(".png", picture())[1].tobytes())
    data[data.index(b"IDAT") - 4] = 0x40  # a gigabyte
    path = tmp_path / "a.png"
    path.write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Its pixels are all there.
    np.testing.assert_array_equal(read_picture(path, upright=True)[..., ::-1], picture())
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


@pytest.mark.parametrize("suffix", ["gif", "webp", "tiff", "avif", "bmp", "jp2", "ppm"])
def test_every_kind_has_its_bound(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / f"a.{suffix}", picture(64, 48))
    with open_source(path) as source:
        assert source.info.width == 64
    monkeypatch.setattr(picture_decode, "MAX_PIXELS", 64 * 48 - 1)
    with pytest.raises(InputError, match="has 64x48 pixels, pictures may have"):
        open_source(path)
    monkeypatch.undo()
    monkeypatch.setattr(picture_decode, "MAX_BYTES", 10)
    with pytest.raises(InputError, match="make it smaller"):
        read_picture(path, upright=True)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "CMYK", "I;16"])
def test_other_pixels_become_rgb(tmp_path: Path, mode: str) -> None:
    grey = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (48, 1))
    image = Image.fromarray(grey)
    path = tmp_path / "a.tif"
    if mode == "I;16":
        Image.fromarray(grey.astype(np.uint16) * 257).save(path)
    else:
        image.convert("RGB").convert(mode, palette=Image.Palette.ADAPTIVE).save(path)
    expected = np.where(grey > 127, 255, 0) if mode == "1" else grey
    found = read_picture(path, upright=True).astype(int)
    error = np.abs(found - expected[..., None]).max(axis=(0, 2))
    assert error[[0, -1]].max() <= (255 if mode == "1" else 3)
    assert mode == "1" or error.max() <= 3


def test_a_transparent_palette_is_read_without_a_warning(tmp_path: Path) -> None:
    image = Image.fromarray(picture(64, 48)).convert("P", palette=Image.Palette.ADAPTIVE)
    image.save(tmp_path / "a.png", transparency=bytes(range(64)))
    found = read_picture(tmp_path / "a.png", upright=True)
    assert np.abs(found.astype(int) - picture(64, 48)).max() < 12


@pytest.mark.parametrize("orientation", EXIF_TURNS)
def test_a_tiff_is_always_turned_and_once(tmp_path: Path, orientation: int) -> None:
    path = tmp_path / "a.tif"
    Image.fromarray(picture(96, 64)).save(path, tiffinfo={274: orientation})
    expected = EXIF_TURNS[orientation](picture(96, 64))
    np.testing.assert_array_equal(read_picture(path, upright=True), expected)
    np.testing.assert_array_equal(read_picture(path, upright=False), expected)


def test_exif_that_is_damaged_is_nobodys_loss(tmp_path: Path) -> None:
    block = np.frombuffer(exif(3)[:-9] + b"\xff" * 9, np.uint8)
    _, data = cv2.imencodeWithMetadata(".jpg", picture(96, 64), [cv2.IMAGE_METADATA_EXIF], [block])
    (tmp_path / "a.jpg").write_bytes(data.tobytes())
    assert read_picture(tmp_path / "a.jpg", upright=True).shape == (64, 96, 3)


def test_a_picture_that_ends_early_is_refused(tmp_path: Path) -> None:
    data = cv2.imencode(".jpg", picture(640, 480))[1].tobytes()
    (tmp_path / "a.jpg").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r"a\.jpg is damaged"):
        open_source(tmp_path / "a.jpg")


def test_what_is_damaged(tmp_path: Path) -> None:
    for name, data in (("a.png", b""), ("b.jpg", b"text"), ("c.png", b"\x89PNG\r\n\x1a\n")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match=f"{name} is damaged, or a kind of picture"):
            read_picture(tmp_path / name, upright=True)
    with pytest.raises(InputError, match="No such file"):
        read_picture(tmp_path / "none.png", upright=True)


def test_a_broken_picture_is_not_tried_as_a_video(tmp_path: Path) -> None:
    # FFmpeg would take 1.6 GB for a size that it finds elsewhere in the file.
    data = cv2.imencode(".avif", picture(96, 64))[1].tobytes()
    path = tmp_path / "a.avif"
    path.write_bytes(data.replace(b"ispe", b"isp\0"))
    with pytest.raises(InputError, match="is damaged, or a kind of picture"):
        open_source(path)


def test_pictures_whose_range_is_unknown_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pfm"
    assert cv2.imwrite(str(path), np.linspace(0, 1, 48 * 64, dtype=np.float32).reshape(48, 64))
    with pytest.raises(InputError, match="a kind of picture that cannot be read here"):
        open_source(path)
