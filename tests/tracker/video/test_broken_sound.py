"""Sound that is broken, repeated or at impossible times costs sound at most, never the video."""

import random
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.support.video_files import make_video, read_sound, set_block_times, tone
from tracker.video.frame_source import ClockJoin, Timeline
from tracker.video.sound_clock import SoundClock
from tracker.video.video_reader import VideoReader
from tracker.video.video_writer import VideoWriter

CLICK = 1.25


def copy(source: Path, target: Path) -> tuple[list[float], tuple[str, ...]]:
    """Times of the frames in the copy, and what is said of the sound."""
    with VideoReader(source) as video:
        audio = source if video.info.has_audio else None
        with VideoWriter(target, video.info, audio) as writer:
            for _, timestamp, image in video:
                writer.write(image, timestamp)
    with VideoReader(target) as video:
        return [frame.timestamp for frame in video], writer.notes


def clicks(path: Path) -> list[float]:
    """When something loud is heard."""
    begin, samples, rate = read_sound(path)
    loud = np.flatnonzero(np.abs(samples) > 0.3)
    first = loud[np.diff(loud, prepend=-rate) > rate / 10]
    return [begin + index / rate for index in first]


def source(path: Path, codec: str = "aac", encoder: dict[str, str] | None = None) -> Path:
    return make_video(path, 60, audio=(codec, tone(2.0, click=CLICK)), encoder=encoder)


# A key frame where the grey begins anew, which x264 puts there now and then, begins a cluster, and
# times in a file count from their cluster's.
ONE_CLUSTER = {"sc_threshold": "0"}


@pytest.mark.parametrize(
    ("change", "moved"),
    [
        (lambda k, t: t - 21 * (k == 40), 1),
        (lambda k, t: t - 300 * (k == 40), 1),
        (lambda k, t: t - 300 * (k in (40, 41)), 2),
        (lambda k, t: t + 300 * (k == 40), 1),
        (lambda k, t: t + 20_000 * (k == 40), 1),
        (lambda k, t: t + 20_000 * (k == 0), 1),
        (lambda k, t: t + 20_000 * (k == 93), 1),
        (lambda k, t: t - 21 * (k % 2), 31),
        (lambda k, t: t - 900 * (k >= 45), 0),  # the sound's clock alone begins anew
        (lambda k, t: t - 1400 * (k >= 70), 0),
        (lambda k, t: 0, 93),
    ],
)  # fmt: skip
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_impossible_times_of_sound(
    tmp_path: Path, change: Callable[[int, int], int], moved: int, suffix: str
) -> None:
    whole = source(tmp_path / "in.mkv", encoder=ONE_CLUSTER)
    path = set_block_times(whole, "audio", change)
    times, notes = copy(path, tmp_path / f"out{suffix}")
    assert times == pytest.approx([n / 30 for n in range(60)], abs=0.001)
    assert clicks(tmp_path / f"out{suffix}") == [pytest.approx(CLICK, abs=0.025)]
    words = f"{moved} sound packet{'s' * (moved != 1)} with an impossible time moved"
    assert notes == ((words,) if moved else ())


def test_packets_are_copied_to_where_they_belong(tmp_path: Path) -> None:
    whole = source(tmp_path / "whole.mkv", encoder=ONE_CLUSTER)
    broken = tmp_path / "broken.mkv"
    broken.write_bytes(whole.read_bytes())
    set_block_times(broken, "audio", lambda k, t: t - 21 * (k == 40))
    sounds = []
    for path in (whole, broken):
        copy(path, path.with_suffix(".mp4"))
        with av.open(str(path.with_suffix(".mp4"))) as container:
            packets = [p for p in container.demux(audio=0) if p.size]
            sounds.append([(float(p.pts * p.time_base), bytes(p)) for p in packets])
    for (time, data), (expected, original) in zip(*reversed(sounds), strict=True):
        assert data == original
        assert time == pytest.approx(expected, abs=0.0011)


def packets(times: list[int], data: list[int] | None = None) -> list[av.Packet]:
    made = []
    for number, time in enumerate(times):
        packet = av.Packet(bytes([(data or list(range(len(times))))[number]]) * 8)
        packet.pts = packet.dts = time
        packet.duration, packet.time_base = 20, Fraction(1, 1000)
        made.append(packet)
    return made


def mended(clock: SoundClock, given: list[av.Packet]) -> list[tuple[int, int] | None]:
    return [p and (p.pts, bytes(p)[0]) for p in clock.mend(iter(given))]


def test_a_part_that_is_there_twice_is_left_out() -> None:
    order = [*range(20), *range(10, 20), *range(20, 30)]
    clock = SoundClock(Fraction(0), Timeline(), Fraction(1, 50), jumps=False)
    clock.now = None
    result = mended(clock, packets([20 * n for n in order], order))
    assert result == [(20 * n, n) for n in range(30)]
    assert (clock.moved, clock.dropped) == (0, 10)


def test_a_packet_that_is_there_twice_is_left_out() -> None:
    order = [*range(10), 9, *range(10, 20)]
    clock = SoundClock(Fraction(0), Timeline(), Fraction(1, 50), jumps=False)
    assert mended(clock, packets([20 * n for n in order], order)) == [
        (20 * n, n) for n in range(20)
    ]
    assert (clock.moved, clock.dropped) == (0, 1)


def test_sound_waits_for_the_video_where_the_clock_is_set_anew() -> None:
    timeline = Timeline()
    clock = SoundClock(Fraction(5), timeline, Fraction(1, 50), jumps=False)
    clock.now = Fraction(0)
    first = [5000 + 20 * n for n in range(50)]
    result = clock.mend(iter(packets(first + first)))
    for n in range(50):
        packet = next(result)
        assert packet is not None
        assert packet.pts == 20 * n
    assert [next(result) for _ in range(3)] == [None] * 3
    # The video ends 50 ms after the sound: so long the sound pauses.
    timeline.joins.append(ClockJoin(Fraction(105, 100), Fraction(-395, 100)))
    assert [p and p.pts for p in result] == [1050 + 20 * n for n in range(50)]
    assert (clock.moved, clock.dropped) == (0, 0)


def spoil(path: Path, share: float) -> Path:
    """Overwrite packets of the sound with noise."""
    noise = random.Random(1)
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        places = [(p.pos, p.size) for p in container.demux(audio=0) if p.size and p.pos]
    head = 8 if path.suffix == ".mkv" else 0  # of a block
    for position, size in places:
        if noise.random() < share and size > head:
            data[position + head : position + size] = noise.randbytes(size - head)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("share", [0.3, 1.0])
@pytest.mark.parametrize(
    ("name", "codec"),
    [("in.mp4", "aac"), ("in.mkv", "ac3"), ("in.mkv", "libopus"), ("in.ts", "aac")],
)
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_damaged_sound(tmp_path: Path, share: float, name: str, codec: str, suffix: str) -> None:
    path = spoil(source(tmp_path / name, codec), share)
    times, _ = copy(path, tmp_path / f"out{suffix}")
    assert len(times) == 60


def test_sound_that_mp4_refuses_at_its_end(tmp_path: Path) -> None:
    # MP4 looks into AC-3: one damaged packet would keep the whole file from being completed.
    path = spoil(source(tmp_path / "in.mkv", "ac3"), 0.3)
    times, notes = copy(path, tmp_path / "out.mp4")
    assert times == pytest.approx([n / 30 for n in range(60)], abs=0.001)
    assert len(notes) == 1
    assert re.fullmatch(r"1\d damaged sound packets left out", notes[0])


def test_sound_that_cannot_be_carried_over_is_left_out(tmp_path: Path) -> None:
    path = source(tmp_path / "in.mkv", "pcm_s16le")
    data = path.read_bytes()
    assert data.count(b"A_PCM/INT/LIT") == 1
    path.write_bytes(data.replace(b"A_PCM/INT/LIT", b"A_MYSTERY/ONE"))
    times, notes = copy(path, tmp_path / "out.mp4")
    assert len(times) == 60
    assert notes == ("the sound is left out: its codec is unknown here",)


def test_sound_that_is_encoded_again_says_so(tmp_path: Path) -> None:
    times, notes = copy(source(tmp_path / "in.mkv", "pcm_s16le"), tmp_path / "out.mp4")
    assert len(times) == 60
    assert notes == ("the sound is encoded again as AAC: players do not open pcm_s16le in .mp4",)
    assert clicks(tmp_path / "out.mp4") == [pytest.approx(CLICK, abs=0.03)]
