"""Times that always grow, whatever the clock of a file does."""

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

from tests.support.video_files import make_video, read_sound, set_block_times, tone
from tracker.video.broken_times import LOOK_AHEAD, Verdict, judge
from tracker.video.frame_clock import FrameClock, joined_text
from tracker.video.frame_source import ClockJoin, VideoInfo
from tracker.video.video_reader import VideoReader
from tracker.video.video_writer import VideoWriter

CLICK = 0.75


def read(path: Path) -> tuple[list[float], VideoReader]:
    with VideoReader(path) as video:
        return [frame.timestamp for frame in video], video


def test_clock_repairs_missing_and_repeated_times() -> None:
    base = Fraction(1, 1000)
    clock = FrameClock(Fraction(0), VideoInfo("x", None, 1, 1, rate=Fraction(10), time_base=base))
    pts = (None, None, 150, 150, 140, 300)
    frames = [SimpleNamespace(pts=p, time_base=base, duration=0) for p in pts]
    times = [clock.tick(frame) for frame in frames]  # type: ignore[arg-type]
    np.testing.assert_allclose(times, [0, 0.1, 0.15, 0.151, 0.152, 0.3])


def test_a_frame_with_its_neighbours_time_is_moved_into_the_gap_before_it() -> None:
    base = Fraction(1, 10)
    for stated, expected in (
        ((0, 1, 3, 3, 4), (0, 0.1, 0.2, 0.3, 0.4)),  # as program streams have it
        ((0, 1, 3, 4, 5), (0, 0.1, 0.3, 0.4, 0.5)),  # a frame was left out
        ((0, 1, 2, 2, 4), (0, 0.1, 0.2, 0.3, 0.4)),  # no gap before the two
        ((0, 1, 9, 9, 10), (0, 0.1, 0.2, 0.9, 1.0)),
    ):
        info = VideoInfo("x", None, 1, 1, rate=Fraction(10), time_base=base)
        clock = FrameClock(Fraction(0), info)
        frames = [SimpleNamespace(pts=p, time_base=base, duration=0) for p in stated]
        times = [
            clock.tick(frame, partial(list, frames[i + 1 : i + 1 + LOOK_AHEAD]))  # type: ignore
            for i, frame in enumerate(frames)
        ]
        np.testing.assert_allclose(times, expected)


def test_lengths_bases_and_stray_times_of_frames() -> None:
    base = Fraction(1, 1000)
    info = VideoInfo("x", None, 1, 1, rate=Fraction(10), time_base=base)
    clock = FrameClock(Fraction(0), info)
    assert clock.end == 0

    def tick(pts: int, *later: int, duration: int = 0, own_base: Fraction | None = base) -> float:
        def frame(pts: int) -> SimpleNamespace:
            return SimpleNamespace(pts=pts, time_base=own_base, duration=duration)

        following = [frame(one) for one in later]
        return clock.tick(frame(pts), lambda: following)  # type: ignore[arg-type]

    # A frame's own length, and one step where it has none.
    assert tick(0, duration=250) == 0
    assert clock.end == 0.25
    assert tick(100) == 0.1
    assert clock.end == pytest.approx(0.2)
    # A base of its own, as frames have after a change of the stream; without one the video's.
    assert tick(30, own_base=Fraction(1, 100)) == pytest.approx(0.3)
    assert tick(400, own_base=None, duration=300) == pytest.approx(0.4)
    # Far ahead, and the next is not: one step on.
    assert tick(5000, 600, 700, 800, 900) == pytest.approx(0.5)
    assert tick(600, duration=300) == pytest.approx(0.6)
    # Far back, and so are the next: it begins where the last one, which is long, ends.
    assert tick(0, 100, 200, 300, 400, duration=300) == pytest.approx(0.9)
    assert clock.end == pytest.approx(1.2)
    assert info.timeline.joins == [ClockJoin(Fraction(9, 10), Fraction(9, 10))]


def test_what_is_said_of_joined_files() -> None:
    joins = [ClockJoin(Fraction(n), Fraction(0)) for n in (2, 5, 7)]
    begin, end = "a.ts: its clock begins anew after 2.0 s", "; times go on from there."
    assert joined_text(Path("a.ts"), joins[:1]) == begin + end
    assert joined_text(Path("a.ts"), joins[:2]) == f"{begin} and 1 time more{end}"
    assert joined_text(Path("a.ts"), joins) == f"{begin} and 2 times more{end}"


@pytest.mark.parametrize(
    ("time", "following", "jumps", "verdict"),
    [
        (104, [108, 112, 116, 120], False, Verdict.FITS),
        (100, [104, 108, 112, 116], False, Verdict.SLIP),
        (98, [104, 108, 112, 116], False, Verdict.SLIP),
        (50, [104, 108, 112, 116], False, Verdict.STRAY),
        (50, [54, 108, 112, 116], False, Verdict.STRAY),
        (50, [54, 58, 62, 66], False, Verdict.RESET),
        (96, [100, 104, 108, 112], False, Verdict.RESET),
        (0, [], False, Verdict.RESET),
        (500, [108, 112, 116, 120], False, Verdict.STRAY),
        (500, [504, 112, 116, 120], True, Verdict.STRAY),
        (500, [504, 508, 512, 516], False, Verdict.FITS),  # a pause
        (500, [504, 508, 512, 516], True, Verdict.FITS),
        (5000, [5004, 5008, 5012, 5016], True, Verdict.RESET),
        (5000, [5004, 5008, 5012, 5016], False, Verdict.FITS),
    ],
)
def test_judgement(time: int, following: list[int], jumps: bool, verdict: Verdict) -> None:
    hundredth = Fraction(1, 100)
    assert len(following) in (0, LOOK_AHEAD)
    later = [hundredth * t for t in following]
    given = (hundredth * time, Fraction(1), hundredth * 4, lambda: later)
    assert judge(*given, jumps=jumps) is verdict


@pytest.mark.parametrize("suffix", [".ts", ".mpg", ".mkv"])
@pytest.mark.parametrize("parts", [2, 3])
@pytest.mark.parametrize("out", [".mp4", ".mkv"])
def test_joined_files_go_on(tmp_path: Path, suffix: str, parts: int, out: str) -> None:
    if (suffix, parts) == (".mkv", 3):
        pytest.skip("FFmpeg reads no third part of joined Matroska files")
    codec = "mp2" if suffix == ".mpg" else "aac"
    path = make_video(tmp_path / f"in{suffix}", 30, audio=(codec, tone(1.0, click=CLICK)))
    single, _ = read(path)
    path.write_bytes(parts * path.read_bytes())
    times, video = read(path)
    expected = [single[0] + n / 30 for n in range(30 * parts)]
    assert times == pytest.approx(expected, abs=0.0011)
    (warning,) = video.warnings
    assert "begins anew after 1.0 s" in warning
    assert ("1 time more" in warning) == (parts == 3)

    with (
        VideoReader(path) as source,
        VideoWriter(tmp_path / f"out{out}", source.info, path) as writer,
    ):
        for _, timestamp, image in source:
            writer.write(image, timestamp)
    begin, samples, rate = read_sound(tmp_path / f"out{out}")
    loud = np.flatnonzero(np.abs(samples) > 0.3)
    first = loud[np.diff(loud, prepend=-rate) > rate / 10]
    heard = [begin + index / rate for index in first]
    # In step with its own part of the video, to a packet.
    assert heard == pytest.approx([single[0] + n + CLICK for n in range(parts)], abs=0.03)


def test_a_clock_that_jumps_ahead_in_a_broadcast(tmp_path: Path) -> None:
    early = make_video(tmp_path / "early.ts", 30)
    late = make_video(tmp_path / "l.ts", 30, times=[100 + Fraction(n, 30) for n in range(30)])
    early.write_bytes(early.read_bytes() + late.read_bytes())
    times, video = read(early)
    assert times == pytest.approx([n / 30 for n in range(60)], abs=1e-4)
    assert video.info.timeline.end == pytest.approx(2, abs=1e-4)


def test_a_pause_is_no_jump(tmp_path: Path) -> None:
    wanted = [Fraction(n, 30) for n in range(10)] + [60 + Fraction(n, 30) for n in range(10)]
    times, video = read(make_video(tmp_path / "in.mkv", 20, times=wanted))
    assert times == pytest.approx([float(t) for t in wanted], abs=0.001)
    assert video.warnings == ()


@pytest.mark.parametrize(
    ("change", "joins"),
    [
        (lambda k, t: t - 300 * (k == 40), 0),
        (lambda k, t: t + 20_000 * (k == 40), 0),
        (lambda k, t: t + 100 * (k == 40), 0),
        (lambda k, t: t - 900 * (k >= 45), 1),
        (lambda k, t: t - 1400 * (k >= 45), 1),
    ],
)
@pytest.mark.parametrize("frames_back", ["0", "3"])
def test_impossible_times_of_frames(
    tmp_path: Path, change: Callable[[int, int], int], joins: int, frames_back: str
) -> None:
    path = make_video(tmp_path / "in.mkv", 60, encoder={"bf": frames_back})
    times, video = read(set_block_times(path, "video", change))
    # All but the stray one are where they belong, and that is not far away.
    assert len(times) == 60
    off = np.abs(np.array(times) - np.arange(60) / 30)
    assert sorted(off)[-2] < 0.0011
    assert off.max() < 2 / 30
    assert (np.diff(times) > 0).all()
    assert len(video.info.timeline.joins) == joins


@pytest.mark.parametrize("out", [".mp4", ".mov", ".mkv", ".webm"])
@pytest.mark.parametrize("frames_back", ["0", "3"])
def test_a_long_last_frame_stays_long(tmp_path: Path, out: str, frames_back: str) -> None:
    path = still(tmp_path / "in.mkv", frames_back)
    copy = tmp_path / f"out{out}"
    with VideoReader(path) as source, VideoWriter(copy, source.info) as writer:
        for _, timestamp, image in source:
            writer.write(image, timestamp)
    times, video = read(path)
    assert times == pytest.approx([n / 25 for n in range(30)], abs=0.001)
    assert video.warnings == ()
    assert video.info.timeline.end == pytest.approx(7.16, abs=0.001)
    with av.open(str(copy)) as container:
        assert container.duration == pytest.approx(7.16e6, abs=2000)
    again, made = read(copy)
    assert again == pytest.approx(times, abs=0.001)
    assert made.info.timeline.end == pytest.approx(7.16, abs=0.002)


def still(path: Path, frames_back: str) -> Path:
    """A screen that moves for 1.2 s and stands still for 6 s."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libx264", rate=Fraction(750, 179), options={"bf": frames_back}
        )
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        packets = []
        for index in range(30):
            frame = av.VideoFrame(64, 48, "yuv420p")
            frame.pts, frame.time_base = 40 * index, Fraction(1, 1000)
            packets += stream.encode(frame)
        for packet in (*packets, *stream.encode(None)):
            packet.duration = 6000 if packet.pts == 1160 else 40
            container.mux(packet)
    return path
