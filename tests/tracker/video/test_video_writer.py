import os
import re
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from model.errors import InputError
from tests.support.video_files import make_video, picture, read_sound, tone
from tracker.video.frame_source import CLOCK, VideoInfo
from tracker.video.video_reader import VideoReader
from tracker.video.video_writer import VideoWriter

FILM = Fraction(24_000, 1001)
SUFFIXES = [".mp4", ".mov", ".mkv"]


def info(width: int = 64, height: int = 48, rate: Fraction = Fraction(30), **more) -> VideoInfo:
    return VideoInfo("test", None, width, height, rate, **more)


def copy(source: Path, target: Path, **options) -> list[float]:
    with VideoReader(source) as video:
        audio = source if video.info.has_audio else None
        with VideoWriter(target, video.info, audio, **options) as writer:
            times = []
            for _, timestamp, image in video:
                writer.write(image, timestamp)
                times.append(timestamp)
    return times


def times_of(path: Path) -> list[float]:
    with VideoReader(path) as video:
        return [frame.timestamp for frame in video]


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize("rate", [FILM, Fraction(25), Fraction(60_000, 1001)])
def test_rational_rates_stay_exact(tmp_path: Path, suffix: str, rate: Fraction) -> None:
    path = tmp_path / f"out{suffix}"
    with VideoWriter(path, info(rate=rate, time_base=1 / rate)) as writer:
        for index in range(60):
            writer.write(picture(), float(index / rate))
    with VideoReader(path) as video:
        assert video.info.rate == rate
        assert video.info.frames == 60
        assert video.info.duration == pytest.approx(float(60 / rate), abs=1e-6)
        ticks = [frame.timestamp * rate for frame in video]
    np.testing.assert_allclose(ticks, range(60), atol=1e-9)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_frame_keeps_its_time(tmp_path: Path, suffix: str) -> None:
    times = [0.0, 0.033, 0.040, 0.2, 0.201, 1.5, 1.533]
    path = tmp_path / f"out{suffix}"
    with VideoWriter(path, info(time_base=CLOCK)) as writer:
        for level, timestamp in enumerate(times):
            writer.write(picture(level=30 * level), timestamp)
    # Matroska counts milliseconds.
    tolerance = 0.0005 if suffix == ".mkv" else 1 / 90_000
    np.testing.assert_allclose(times_of(path), times, atol=tolerance)


def test_times_closer_than_a_tick_stay_in_order(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    with VideoWriter(path, info(time_base=Fraction(1, 1000))) as writer:
        for timestamp in (0.0, 0.0001, 0.0002, 0.1):
            writer.write(picture(), timestamp)
    np.testing.assert_allclose(times_of(path), [0, 0.001, 0.002, 0.1])


@pytest.mark.parametrize(("width", "height"), [(64, 48), (1280, 720)])
def test_colours_survive(tmp_path: Path, width: int, height: int) -> None:
    path = tmp_path / "out.mp4"
    image = picture(width, height, 100)
    with VideoWriter(path, info(width, height), crf=4) as writer:
        writer.write(image, 0.0)
    with VideoReader(path) as video:
        back = next(iter(video)).image
    middles = np.ix_(*([side // 6, side // 2, side * 5 // 6] for side in (height, width)))
    assert np.abs(back[middles].astype(int) - image[middles]).max() <= 4
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        assert frame.colorspace == (1 if height >= 720 else 5)


@pytest.mark.parametrize(("width", "height"), [(63, 48), (64, 47), (33, 21)])
def test_odd_sizes_are_padded_with_their_edge(tmp_path: Path, width: int, height: int) -> None:
    path = tmp_path / "out.mp4"
    image = np.full((height, width, 3), 40, dtype=np.uint8)
    image[-2:], image[:, -2:] = 220, 220
    with VideoWriter(path, info(width, height), crf=1) as writer:
        writer.write(image, 0.0)
    with VideoReader(path) as video:
        back = next(iter(video)).image.astype(int)
    assert back.shape == (height + height % 2, width + width % 2, 3)
    assert np.abs(back[:height, :width] - image).max() <= 12
    # Black padding would be dark, and would bleed into the last column.
    assert back[-1].min() >= 205
    assert back[:, -1].min() >= 205


def test_anamorphic_video_keeps_its_shape(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    with VideoWriter(path, info(pixel_aspect=Fraction(16, 15))) as writer:
        writer.write(picture(), 0.0)
    with VideoReader(path) as video:
        assert video.info.pixel_aspect == Fraction(16, 15)


def packets(path: Path) -> list[tuple[float, bytes]]:
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        return [(float(p.pts * p.time_base), bytes(p)) for p in container.demux(stream) if p.size]


@pytest.mark.parametrize("codec", ["aac", "mp3"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_sound_is_copied(tmp_path: Path, codec: str, suffix: str) -> None:
    source = make_video(tmp_path / "in.mp4", 60, audio=(codec, tone(2.0)))
    copy(source, tmp_path / f"out{suffix}")
    before, after = packets(source), packets(tmp_path / f"out{suffix}")
    assert [data for _, data in after] == [data for _, data in before]
    shift = times_of(tmp_path / f"out{suffix}")[0] - times_of(source)[0]
    np.testing.assert_allclose(
        [time - shift for time, _ in after], [time for time, _ in before], atol=0.0011
    )


@pytest.mark.parametrize(
    ("source_suffix", "codec", "suffix", "codec_after"),
    [
        (".mkv", "pcm_s16le", ".mp4", "aac"),
        (".mkv", "flac", ".mov", "aac"),
        (".mkv", "libopus", ".mov", "aac"),
        (".mkv", "pcm_s16le", ".mkv", "pcm_s16le"),
        (".mkv", "libopus", ".mp4", "opus"),
    ],
)
def test_sound_that_players_would_not_open_becomes_aac(
    tmp_path: Path, source_suffix: str, codec: str, suffix: str, codec_after: str
) -> None:
    source = make_video(tmp_path / f"in{source_suffix}", 60, audio=(codec, tone(2.0, click=1.25)))
    target = tmp_path / f"out{suffix}"
    copy(source, target)
    with av.open(str(target)) as container:
        assert container.streams.audio[0].codec_context.name == codec_after
    begin, samples, rate = read_sound(target)
    loud = np.flatnonzero(np.abs(samples) > 0.3 * np.abs(samples).max())
    click = begin + loud[0] / rate - times_of(target)[0]
    assert click == pytest.approx(1.25, abs=0.03)
    assert len(samples) / rate == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("codec", ["aac", "pcm_s16le"])
def test_sound_stays_in_step_with_a_late_video(tmp_path: Path, suffix: str, codec: str) -> None:
    late = [Fraction(7, 10) + Fraction(n, 30) for n in range(45)]
    source = make_video(tmp_path / "in.mkv", 45, times=late, audio=(codec, tone(2.0, click=1.25)))
    target = tmp_path / f"out{suffix}"
    copy(source, target)

    def distance(path: Path) -> float:
        begin, samples, rate = read_sound(path)
        loud = np.flatnonzero(np.abs(samples) > 0.3 * np.abs(samples).max())
        with av.open(str(path)) as container:
            first = next(container.decode(video=0))
            return begin + loud[0] / rate - float(first.pts * first.time_base)

    assert distance(source) == pytest.approx(0.55, abs=0.04)
    assert distance(target) == pytest.approx(distance(source), abs=0.004)


def test_sound_ends_with_a_video_that_was_not_read_to_its_end(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", 60, audio=("aac", tone(2.0)))
    for whole in (True, False):
        target = tmp_path / f"{whole}.mp4"
        with VideoReader(source) as video, VideoWriter(target, video.info, source) as writer:
            for index, timestamp, image in video:
                writer.write(image, timestamp)
                if index == 14:
                    break
            if not whole:
                writer.cut_audio()
        last = packets(target)[-1][0]
        assert last == pytest.approx(2.0 if whole else 0.5, abs=0.05)


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_failed_run_leaves_nothing(tmp_path: Path) -> None:
    for error in (RuntimeError, KeyboardInterrupt):
        with pytest.raises(error), VideoWriter(tmp_path / "out.mp4", info()) as writer:
            for index in range(5):
                writer.write(picture(), index / 30)
            lock, name = listing(tmp_path)
            assert lock == ".out.mp4.propnet-lock"
            assert re.fullmatch(r"out\.[0-9a-f]{8}\.partial\.mp4", name)
            raise error
        assert listing(tmp_path) == []


def test_a_run_without_frames_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no frame"), VideoWriter(tmp_path / "out.mp4", info()):
        pass
    assert listing(tmp_path) == []


def test_an_existing_file_survives_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"old")
    with pytest.raises(InputError, match=r"exists already.*--overwrite"):
        VideoWriter(path, info())
    with pytest.raises(RuntimeError), VideoWriter(path, info(), overwrite=True) as writer:
        writer.write(picture(), 0.0)
        raise RuntimeError
    assert path.read_bytes() == b"old"
    with VideoWriter(path, info(), overwrite=True) as writer:
        writer.write(picture(), 0.0)
        assert path.read_bytes() == b"old"
    assert len(times_of(path)) == 1
    assert listing(tmp_path) == ["out.mp4"]


def test_unusable_outputs(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", 3)
    with VideoReader(source) as video:
        described = video.info
    (tmp_path / "link.mp4").symlink_to(source)
    (tmp_path / "folder.mp4").mkdir()
    before = listing(tmp_path)
    for name, words in {
        "in.mp4": "is the input itself",
        "link.mp4": "is the input itself",
        "out.avi": r"does not end in \.mp4 or",
        "out": r"does not end in \.mp4 or",
        "folder.mp4": "is a folder",
        "missing/out.mp4": "is not an existing folder",
        "in.mp4/out.mp4": "is not an existing folder",
    }.items():
        with pytest.raises(InputError, match=words) as caught:
            VideoWriter(tmp_path / name, described, overwrite=True)
        assert str(tmp_path) in str(caught.value)
        assert listing(tmp_path) == before
    with pytest.raises(InputError, match="crf 52"):
        VideoWriter(tmp_path / "out.mp4", described, crf=52)
    with pytest.raises(InputError, match="no audio stream"):
        VideoWriter(tmp_path / "out.mp4", described, audio_from=source)
    assert listing(tmp_path) == before


def test_a_colon_in_a_relative_name_is_no_protocol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a:b.mp4", "http:x.mkv", "pipe:1.mov"):
        with VideoWriter(Path(name), info()) as writer:
            writer.write(picture(), 0.0)
        assert times_of(Path(name)) == [0]
    assert listing(tmp_path) == ["a:b.mp4", "http:x.mkv", "pipe:1.mov"]


def test_unwritable_folder(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o555)
    if os.access(folder, os.W_OK):  # root may write anywhere but into the kernel's own folders
        folder = Path("/proc")
    with pytest.raises(InputError, match=r"cannot be written: .*; choose another folder"):
        VideoWriter(folder / "out.mp4", info())


def test_a_full_disk_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = VideoWriter(tmp_path / "out.mp4", info())

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(InputError, match="No space left on device"), writer:
        monkeypatch.setattr(writer, "_add_audio", full)
        writer.write(picture(), 0.0)
    assert listing(tmp_path) == []


def test_a_frame_of_another_size_is_a_mistake_of_the_program(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="32x48"),
        VideoWriter(tmp_path / "o.mp4", info()) as writer,
    ):
        writer.write(picture(32, 48), 0.0)
