"""Codecs and containers: real files, read back."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from model.errors import InputError
from tests.support.video_files import make_video, picture, read_sound, tone
from tracker.video import codec as codecs
from tracker.video.codec import CODECS, VIDEO_SUFFIXES, check_codec, choose_codec
from tracker.video.frame_source import CLOCK, VideoInfo
from tracker.video.video_reader import VideoReader
from tracker.video.video_writer import VideoWriter

HELD = [(name, suffix) for name, codec in CODECS.items() for suffix in codec.suffixes]


def info(width: int = 96, height: int = 80, **more) -> VideoInfo:
    return VideoInfo("test", None, width, height, Fraction(30), **more)


def write(path: Path, count: int = 6, *, size: tuple[int, int] = (96, 80), **options) -> Path:
    with VideoWriter(path, info(*size), **options) as writer:
        for index in range(count):
            writer.write(picture(*size, level=40 * index), index / 30)
    return path


@pytest.mark.parametrize(("name", "suffix"), HELD)
def test_every_codec_in_every_container(name: str, suffix: str, tmp_path: Path) -> None:
    times = [0.0, 0.033, 0.2, 0.201, 1.5]
    path = tmp_path / f"out{suffix}"
    with VideoWriter(path, info(time_base=CLOCK), codec=name) as writer:
        for index, timestamp in enumerate(times):
            writer.write(picture(96, 80, level=50 * index), timestamp)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        decoder = {"h264": "h264", "hevc": "hevc", "av1": "av1"}[name]
        assert decoder in stream.codec_context.codec.canonical_name
        assert stream.codec_context.pix_fmt == "yuv420p"
        if name == "hevc" and suffix != ".mkv":
            assert stream.codec_context.codec_tag == "hvc1"
    with VideoReader(path) as video:
        frames = list(video)
    # Matroska and WebM count milliseconds.
    tolerance = 0.00051 if suffix in (".mkv", ".webm") else 1 / 90_000
    np.testing.assert_allclose([frame.timestamp for frame in frames], times, atol=tolerance)
    for index, frame in enumerate(frames):
        assert frame.image[40, 48].mean() == pytest.approx(50 * index, abs=8)
        np.testing.assert_allclose(frame.image[6, 8], (255, 0, 0), atol=40)


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_clips_of_few_frames(name: str, count: int, tmp_path: Path) -> None:
    # More than once: what libx265 says of their times of decoding is left to chance.
    for turn in range(6):
        path = write(tmp_path / f"{turn}.mp4", count, codec=name)
        with VideoReader(path) as video:
            times = [frame.timestamp for frame in video]
        np.testing.assert_allclose(times, np.arange(count) / 30, atol=1e-4)


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("size", [(97, 81), (2 * 33, 65), (65, 64)])
def test_odd_sizes(name: str, size: tuple[int, int], tmp_path: Path) -> None:
    path = write(tmp_path / "out.mkv" if name != "av1" else tmp_path / "out.webm", size=size,
                 codec=name)  # fmt: skip
    with VideoReader(path) as video:
        assert (video.info.width, video.info.height) == tuple(side + side % 2 for side in size)


def test_auto_is_h264_where_that_can_be() -> None:
    found = {suffix: choose_codec("auto", suffix).title for suffix in VIDEO_SUFFIXES}
    assert found == dict.fromkeys((".mp4", ".mov", ".mkv", ".m4v"), "H.264") | {".webm": "AV1"}


def test_quality_is_the_codecs_own(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (80, 96, 3), dtype=np.uint8)
    for name, codec in CODECS.items():
        sizes = []
        for crf in (codec.crf_range[0], None, codec.crf_range[1]):
            path = tmp_path / f"{name}{crf}.mp4"
            with VideoWriter(path, info(), crf=crf, codec=name) as writer:
                for index in range(3):
                    writer.write(noise, index / 30)
            sizes.append(path.stat().st_size)
        assert sizes[0] > sizes[1] > sizes[2], name
        for crf in (codec.crf_range[0] - 1, codec.crf_range[1] + 1):
            with pytest.raises(InputError, match=rf"--crf {crf} is out of range: {codec.title}"):
                check_codec(name, crf)
            with pytest.raises(InputError, match=rf"--crf {crf} is out of range"):
                VideoWriter(tmp_path / "out.mp4", info(), crf=crf, codec=name)
    assert not (tmp_path / "out.mp4").exists()
    assert not list(tmp_path.glob("*partial*"))


def test_what_does_not_go_together(tmp_path: Path) -> None:
    for name, suffix, advice in (
        ("h264", ".webm", r"hold H\.264: .* use --codec av1"),
        ("hevc", ".m4v", r"hold HEVC: .* use --codec h264"),
        ("av1", ".mov", r"hold AV1: name the output \.mp4 or \.mkv or \.webm"),
        ("vp8", ".mkv", "no codec 'vp8': use one of auto, h264, hevc, av1"),
    ):
        with pytest.raises(InputError, match=advice):
            VideoWriter(tmp_path / f"out{suffix}", info(), codec=name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("missing", CODECS)
def test_a_missing_encoder_is_said(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = av.Codec

    def without(name: str, mode: str) -> av.Codec:
        # What PyAV does with a name it does not know.
        return real("libnothing" if name == CODECS[missing].encoder else name, mode)

    monkeypatch.setattr(codecs.av, "Codec", without)
    others = " or ".join(name for name in CODECS if name != missing)
    with pytest.raises(InputError, match=rf"without lib.* use --codec {others}, or install"):
        VideoWriter(tmp_path / "out.mkv", info(), codec=missing)
    assert list(tmp_path.iterdir()) == []


def test_pictures_that_an_encoder_refuses(tmp_path: Path) -> None:
    # SVT-AV1 ends at 16384 pixels.
    with pytest.raises(InputError, match=r"libsvtav1 encodes no pictures of 20000x64 .* --codec"):
        VideoWriter(tmp_path / "out.mp4", info(20_000, 64), codec="av1")
    assert list(tmp_path.iterdir()) == []


def test_a_high_speed_camera_has_av1_too(tmp_path: Path) -> None:
    fast = VideoInfo("test", None, 96, 80, Fraction(960), time_base=Fraction(1, 96_000))
    with VideoWriter(tmp_path / "out.mp4", fast, codec="av1") as writer:
        for index in range(5):
            writer.write(picture(96, 80), index / 960)
    with VideoReader(tmp_path / "out.mp4") as video:
        times = [frame.timestamp for frame in video]
    np.testing.assert_allclose(times, np.arange(5) / 960, atol=1e-5)


@pytest.mark.parametrize(
    ("sound", "kept"), [("libopus", True), ("aac", False), ("pcm_s16le", False), ("flac", False)]
)
def test_sound_in_webm_is_opus(sound: str, kept: bool, tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mkv", 60, audio=(sound, tone(2.0, click=1.25)))
    target = tmp_path / "out.webm"
    with VideoReader(source) as video, VideoWriter(target, video.info, source) as writer:
        for _, timestamp, image in video:
            writer.write(image, timestamp)
        assert writer._audio is not None
        assert writer._audio.copied is kept
    with av.open(str(target)) as container:
        assert "opus" in container.streams.audio[0].codec_context.name
        first = next(container.decode(video=0))
        start = float(first.pts * first.time_base)
    begin, samples, rate = read_sound(target)
    loud = np.flatnonzero(np.abs(samples) > 0.3 * np.abs(samples).max())
    assert begin + loud[0] / rate - start == pytest.approx(1.25, abs=0.03)
