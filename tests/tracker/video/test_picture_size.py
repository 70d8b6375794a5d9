from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from model.errors import InputError
from tests.support.video_files import encode, picture
from tracker.sources.source_options import SourceOptions
from tracker.video.frame_source import VideoInfo
from tracker.video.picture_size import check_pixels, square_size
from tracker.video.video_reader import VideoReader
from tracker.video.video_writer import VideoWriter


@pytest.mark.parametrize(
    ("stored", "aspect", "shown"),
    [
        ((256, 512), Fraction(2), (512, 512)),
        ((1440, 1080), Fraction(4, 3), (1920, 1080)),
        ((720, 576), Fraction(64, 45), (1024, 576)),
        ((720, 480), Fraction(8, 9), (720, 540)),  # nothing gets lost: taller, not narrower
        ((640, 480), Fraction(1), (640, 480)),
        ((854, 480), Fraction(1281, 1280), (854, 480)),  # rounded by an encoder
        ((640, 480), Fraction(100), (640, 480)),  # nobody means that
        ((640, 480), Fraction(1, 100), (640, 480)),
    ],
)
def test_square_size(stored: tuple[int, int], aspect: Fraction, shown: tuple[int, int]) -> None:
    assert square_size(*stored, aspect) == shown


@pytest.mark.parametrize("rotation", [0, 90])
@pytest.mark.parametrize(("size", "aspect"), [((48, 96), Fraction(2)), ((96, 64), Fraction(3, 4))])
def test_frames_come_in_square_pixels_and_are_stored_as_they_were(
    tmp_path: Path, rotation: int, size: tuple[int, int], aspect: Fraction
) -> None:
    path, out = tmp_path / "in.mp4", tmp_path / "out.mp4"
    encode(path, [picture(*size, 90 + 10 * n) for n in range(3)], aspect=aspect, rotation=rotation)
    with VideoReader(path) as video, VideoWriter(out, video.info, crf=4) as writer:
        info = video.info
        for frame in video:
            assert frame.image.shape == (info.height, info.width, 3)
            writer.write(frame.image, frame.timestamp)
    upright, shape = (size, aspect) if not rotation else (size[::-1], 1 / aspect)
    assert info.stored == upright
    assert (info.width, info.height) == square_size(*upright, shape)
    with av.open(str(out)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.sample_aspect_ratio) == (*upright, shape)
        back = next(container.decode(stream)).to_ndarray(format="rgb24")
    wanted = np.rot90(picture(*size, 90), rotation // 90)
    # Not over the edges of the coloured corners, where colour is smeared.
    assert np.abs(back.astype(int) - wanted)[8:-8:48, 8:-8:32].mean() < 6


def test_places_in_the_stored_picture() -> None:
    info = VideoInfo("x", None, 200, 60, stored=(100, 60))
    # The middle of a stored pixel is between two of the frame's; borders lie on borders.
    given = np.array([[-0.5, -0.5], [199.5, 59.5], [0.5, 7.0]])
    np.testing.assert_allclose(info.to_stored(given), [[-0.5, -0.5], [99.5, 59.5], [0, 7]])
    # What OpenCV's resizing does to a picture happens to its points as well.
    stored = np.zeros((60, 100), np.float32)
    cv2.circle(stored, (33, 20), 8, 1.0, cv2.FILLED)
    shown = cv2.resize(stored, (200, 60), interpolation=cv2.INTER_LINEAR)
    rows, columns = np.nonzero(shown > 0.5)
    np.testing.assert_allclose(
        info.to_stored(np.array([columns.mean(), rows.mean()])), [33, 20], atol=0.02
    )


def test_larger_pictures_are_refused_before_there_is_memory_for_them(tmp_path: Path) -> None:
    check_pixels("x", 8192, 4320)
    with pytest.raises(InputError, match=r"x has frames of 8194x4320 pixels, .* 35 million"):
        check_pixels("x", 8194, 4320)
    with pytest.raises(InputError, match="16384x16384"):
        SourceOptions(size=(16384, 16384))
    # A picture within the limit whose pixels are so wide that it would not be when shown.
    path = tmp_path / "wide.mkv"
    encode(path, [picture(8192, 1024)], aspect=Fraction(8), options={"preset": "ultrafast"})
    with pytest.raises(InputError, match="65536x1024"):
        VideoReader(path)


def grow(path: Path, sides: tuple[int, ...]) -> Path:
    """Frames of growing size, in a bare stream, whose headers nobody checks."""
    parts = []
    for number, side in enumerate(sides):
        part = path.with_name(f"{number}.h264")
        encode(part, [np.zeros((side, side, 3), np.uint8)] * 2, options={"preset": "ultrafast"})
        parts.append(part.read_bytes())
    path.write_bytes(b"".join(parts))
    return path


def test_a_size_beyond_the_limit_at_the_start_and_midway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tracker.video import container, picture_size

    limits = {"max_pixels": str(128 * 128)}
    monkeypatch.setattr(picture_size, "MAX_PIXELS", 128 * 128)
    monkeypatch.setattr(container, "LIMITS", limits)
    with pytest.raises(InputError, match="256x256 pixels"):
        VideoReader(grow(tmp_path / "large.h264", (256,)))
    with VideoReader(grow(tmp_path / "grows.h264", (64, 256, 64))) as video:
        frames = list(video)
    # The large ones could not be decoded; the others are there.
    assert (len(frames), video.damaged) == (4, 2)
