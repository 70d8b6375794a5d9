import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.errors import InputError
from tests.support.video_files import picture
from tracker.assets.portrait import portrait_image
from tracker.bench.moving_portrait import portrait_frame, portrait_motion
from tracker.sources.live_reader import SourceLostError
from tracker.sources.raw_frames import RawReader
from tracker.sources.source_options import SourceOptions, parse_rate, parse_size
from tracker.video.video_reader import VideoReader

OPTIONS = SourceOptions(size=(64, 48), rate=Fraction(30000, 1001))


def reader(data: bytes, pixel_format: str | None = None) -> RawReader:
    options = SourceOptions(OPTIONS.size, OPTIONS.rate, pixel_format)
    return RawReader(options, io.BytesIO(data))


@pytest.mark.parametrize("pixel_format", [None, "rgb24", "bgr24", "gray"])
def test_pixels_and_times(pixel_format: str | None) -> None:
    images = [picture(64, 48, level) for level in range(50, 60)]
    stored = {"gray": lambda i: i[..., 0], "bgr24": lambda i: i[..., ::-1]}.get(
        pixel_format or "", lambda i: i
    )
    with reader(b"".join(stored(image).tobytes() for image in images), pixel_format) as source:
        frames = list(source)
    assert [frame.number for frame in frames] == list(range(10))
    assert [frame.timestamp for frame in frames] == pytest.approx(np.arange(10) * 1001 / 30000)
    for frame, image in zip(frames, images, strict=True):
        wanted = np.repeat(image[..., :1], 3, axis=2) if pixel_format == "gray" else image
        np.testing.assert_array_equal(frame.image, wanted)


def test_no_frame_is_dropped_however_slow_the_reader() -> None:
    with reader(b"".join(picture(64, 48, level).tobytes() for level in range(40))) as source:
        levels = []
        for frame in source:
            time.sleep(0.005)
            levels.append(int(frame.image[24, 32, 0]))
    assert levels == list(range(40))


def test_an_input_that_ends_within_a_frame() -> None:
    whole = picture().tobytes()
    with reader(whole * 2 + whole[:100]) as source, pytest.raises(SourceLostError) as caught:
        list(source)
    assert "ended within frame 3 (100 of 9216 bytes)" in str(caught.value)
    with reader(b"") as source, pytest.raises(InputError, match="before the first frame"):
        list(source)
    with reader(b"abc") as source, pytest.raises(InputError, match="within frame 1"):
        list(source)


def test_stopping_does_not_wait_for_the_sender() -> None:
    read, write = os.pipe()
    with os.fdopen(read, "rb", buffering=0) as pipe:
        with RawReader(OPTIONS, pipe) as source:
            frames: Iterator[object] = iter(source)
            os.write(write, picture().tobytes())
            next(frames)
            source.stop()
            assert list(frames) == []
        os.close(write)


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"size": (64, 48)}, "do not tell their rate: add, for example, --fps 30."),
        ({"rate": Fraction(30)}, "tell their size: add, for example, --size 640x480."),
        ({}, "tell their size and rate: add, for example, --size 640x480 --fps 30."),
    ],
)
def test_what_is_missing_is_named(given: dict[str, Any], missing: str) -> None:
    with pytest.raises(InputError) as caught:
        RawReader(SourceOptions(**given))
    assert str(caught.value).endswith(missing)


def test_what_must_be_told() -> None:
    assert parse_size("640x480") == (640, 480)
    assert parse_size(" 640 X 480") == (640, 480)
    assert parse_size(None) is None
    for text in ("640", "640x", "a x b", "-1x2"):
        with pytest.raises(InputError, match="is not a size"):
            parse_size(text)
    for size in ((0, 5), (5, 99_999)):
        with pytest.raises(InputError, match="is not possible"):
            SourceOptions(size=size)
    for text, rate in {
        "30": Fraction(30), "29.97": Fraction(30000, 1001), "23.976": Fraction(24000, 1001),
        "30000/1001": Fraction(30000, 1001), "12.5": Fraction(25, 2),
        "59.94": Fraction(60000, 1001),
    }.items():  # fmt: skip
        assert parse_rate(text) == rate
    for text in ("fast", "1/0", ""):
        with pytest.raises(InputError, match="is not a frame rate"):
            parse_rate(text)
    for more in ({"rate": Fraction(0)}, {"rate": Fraction(2000)}, {"pixel_format": "yuv"}):
        with pytest.raises(InputError):
            SourceOptions(**more)  # type: ignore[arg-type]


def test_through_a_real_pipe(network: Path, tmp_path: Path) -> None:
    image, moves = portrait_image(), portrait_motion(6)
    data = b"".join(portrait_frame(image, move).tobytes() for move in moves)
    height, width = portrait_frame(image, moves[0]).shape[:2]
    command = [
        sys.executable, "-m", "tracker.cli", "--source", "-", "--size", f"{width}x{height}",
        "--fps", "23.976", "--weights", network, "--out", tmp_path / "out.mp4", "--no-show",
    ]  # fmt: skip
    done = subprocess.run(
        [str(part) for part in command], input=data, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    with VideoReader(tmp_path / "out.mp4") as video:
        assert video.info.rate == Fraction(24000, 1001)
        assert len(list(video)) == 6
