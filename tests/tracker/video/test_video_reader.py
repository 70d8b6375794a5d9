import re
import struct
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from model.errors import InputError
from tests.support.video_files import cut, make_video, picture, tone
from tracker.sources.open_source import camera_index, open_source
from tracker.video.frame_source import VideoInfo
from tracker.video.video_reader import VideoReader

NTSC = Fraction(30_000, 1001)


def times_of(path: Path) -> list[float]:
    with VideoReader(path) as video:
        return [frame.timestamp for frame in video]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".avi", ".ts"])
def test_reads_every_frame_at_its_time(tmp_path: Path, suffix: str) -> None:
    path = make_video(tmp_path / f"clip{suffix}", frames=20, rate=NTSC)
    with VideoReader(path) as video:
        frames = list(video)
        info = video.info
    assert [frame.number for frame in frames] == list(range(20))
    spacing = np.diff([frame.timestamp for frame in frames])
    np.testing.assert_allclose(spacing, 1001 / 30_000, atol=1e-9)
    assert (info.width, info.height, info.rate) == (64, 48, NTSC)
    assert not info.has_audio
    assert info.expected_frames == 20
    for frame in frames:
        expected = picture(64, 48, 60 + 4 * frame.number)
        assert frame.image.dtype == np.uint8
        assert np.abs(frame.image[24, 32].astype(int) - expected[24, 32]).max() <= 3
        assert np.abs(frame.image[4:8, 4:8].mean((0, 1)) - (255, 0, 0)).max() <= 8


def test_variable_frame_rate(tmp_path: Path) -> None:
    times = [Fraction(n, 1000) for n in (0, 33, 40, 200, 201, 1500, 1533)]
    path = make_video(tmp_path / "clip.mp4", frames=len(times), times=times)
    np.testing.assert_allclose(times_of(path), [float(t) for t in times], atol=1 / 90_000)


def test_clock_starts_with_the_first_stream(tmp_path: Path) -> None:
    late = [Fraction(1, 2) + Fraction(n, 30) for n in range(10)]
    sound = make_video(
        tmp_path / "sound.mp4", 10, times=late, audio=("aac", tone(1.0)), encoder={"bf": "0"}
    )
    assert times_of(sound)[0] == pytest.approx(0.5, abs=0.001)
    # Transport streams start at 1.4 s or anywhere else; players show 0 there.
    assert times_of(make_video(tmp_path / "a.ts"))[0] == pytest.approx(0)


def test_frames_without_times(tmp_path: Path) -> None:
    path = tmp_path / "bare.h264"
    with av.open(str(path), "w", format="h264") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(10):
            frame = av.VideoFrame.from_ndarray(picture())
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    np.testing.assert_allclose(np.diff(times_of(path)), 1 / 25, atol=1e-6)


@pytest.mark.parametrize("degrees", [0, 90, 180, -90])
@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_rotation_is_applied_once(tmp_path: Path, degrees: int, mirror: bool, suffix: str) -> None:
    path = make_video(
        tmp_path / f"clip{suffix}", frames=3, size=(64, 48), rotation=degrees, mirror=mirror
    )
    # FFmpeg's degrees are counter-clockwise, and it mirrors what is already turned.
    expected = np.rot90(picture(64, 48, 60), degrees // 90)
    if mirror:
        expected = expected[:, ::-1]
    with VideoReader(path) as video:
        image = next(iter(video)).image
        info = video.info
    difference = np.abs(image[4:-4:8, 4:-4:8].astype(int) - expected[4:-4:8, 4:-4:8])
    assert difference.mean() < 6
    assert image.shape == expected.shape == (info.height, info.width, 3)
    if not mirror:
        assert info.rotation == -degrees % 360


def test_untagged_hd_is_bt709(tmp_path: Path) -> None:
    # The same stored colour means different things in HD and SD: BT.709 and BT.601.
    stored = {"y": 83, "u": 134, "v": 196}
    for size, expected in (((1280, 720), (199, 39, 90)), ((640, 480), (186, 19, 90))):
        path = tmp_path / f"{size[1]}.mp4"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=30, options={"crf": "0"})
            stream.width, stream.height = size
            stream.pix_fmt = "yuv420p"
            for index in range(2):
                frame = av.VideoFrame(*size, "yuv420p")
                for plane, value in zip(frame.planes, stored.values(), strict=True):
                    plane.update(bytes([value]) * plane.buffer_size)
                frame.pts = index
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        with VideoReader(path) as video:
            colour = next(iter(video)).image[200, 200].astype(int)
        assert np.abs(colour - expected).max() <= 1


def picture_file(path: Path) -> Path:
    made, data = cv2.imencode(".png" if path.suffix != ".jpg" else ".jpg", picture())
    assert made
    path.write_bytes(data.tobytes())
    return path


def test_not_a_video(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("not a video\n" * 50)
    (tmp_path / "notes.txt").write_text("FFmpeg would draw this as a screen.\n" * 50)
    for name in ("noise.mp4", "noise.bin"):  # FFmpeg takes any .bin for a screen of text
        (tmp_path / name).write_bytes(np.random.default_rng(0).bytes(20_000))
    picture_file(tmp_path / "picture.mp4")
    picture_file(tmp_path / "picture.jpg")
    with av.open(str(tmp_path / "audio.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=48_000)
        frame = av.AudioFrame.from_ndarray(tone(0.2)[None], format="fltp", layout="mono")
        frame.rate, frame.pts = 48_000, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with av.open(str(tmp_path / "still.gif"), "w") as container:
        stream = container.add_stream("gif", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "rgb8"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture()).reformat(format="rgb8")))
        container.mux(stream.encode(None))
    for name, words in {
        "missing.mp4": "does not exist",
        ".": "is a folder",
        "empty.mp4": "is empty",
        "text.mp4": "content is text",
        "notes.txt": "content is text",
        "noise.mp4": "is not a video, or its beginning",
        "noise.bin": "is not a video, or its beginning",
        "picture.mp4": "is a picture, not a video",
        "picture.jpg": "is a picture, not a video",
        "still.gif": "is a picture, not a video",
        "audio.mp4": r"no video stream \(only audio\)",
    }.items():
        with pytest.raises(InputError, match=words) as caught:
            VideoReader(tmp_path / name)
        assert str(tmp_path) in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_truncated_file_is_refused_when_opened(tmp_path: Path, suffix: str, share: float) -> None:
    options = {"movflags": "faststart"} if suffix == ".mp4" else {}
    # Larger frames, and each a keyframe: the cut falls into the frames, not into the header.
    whole = make_video(
        tmp_path / f"whole{suffix}", 40, (160, 120), options=options, encoder={"g": "1"}
    )
    assert len(times_of(whole)) == 40
    with pytest.raises(InputError, match=r"is cut short: \d+ of its (about )?40 frames") as caught:
        VideoReader(cut(whole, tmp_path / f"cut{suffix}", share))
    readable = int(str(caught.value).split("cut short: ")[1].split()[0])
    length = int(whole.stat().st_size * share)
    with av.open(str(whole)) as container:
        there = sum(p.pos + p.size <= length for p in container.demux(video=0) if p.size)
    assert abs(readable - there) <= 1  # positions are those of headers in some containers
    assert 5 < readable < 40


def test_mp4_without_its_index(tmp_path: Path) -> None:
    whole = make_video(tmp_path / "whole.mp4")  # the index comes last
    with pytest.raises(InputError, match=r"no index \(moov\)"):
        VideoReader(cut(whole, tmp_path / "cut.mp4", 0.6))


def test_fragmented_mp4_cut_in_a_fragment(tmp_path: Path) -> None:
    whole = make_video(
        tmp_path / "whole.mp4",
        60,
        (160, 120),
        options={"movflags": "frag_keyframe+empty_moov"},
        encoder={"g": "10"},
    )
    assert len(times_of(whole)) == 60
    with pytest.raises(InputError, match=r"is cut short: only \d+ frames"):
        VideoReader(cut(whole, tmp_path / "cut.mp4", 0.6))


def test_a_torn_tail_without_frames_is_harmless(tmp_path: Path) -> None:
    path = make_video(tmp_path / "clip.mp4", 30, options={"movflags": "faststart"})
    with path.open("ab") as file:
        file.write((1000).to_bytes(4, "big") + b"free" + bytes(10))
    assert len(times_of(path)) == 30


def test_download_filled_up_with_zeros(tmp_path: Path) -> None:
    path = make_video(
        tmp_path / "clip.mp4",
        90,
        (160, 120),
        options={"movflags": "faststart"},
        encoder={"g": "10"},
    )
    data = path.read_bytes()
    half = len(data) // 2
    path.write_bytes(data[:half] + bytes(len(data) - half))
    with VideoReader(path) as video:
        frames = list(video)
    assert 30 <= len(frames) < 60
    (warning,) = video.warnings
    assert re.search(
        r"is damaged: its video ends after 1\.\d s \(\d+ frames\) of the 3\.0", warning
    )
    assert video.info.timeline.end == pytest.approx(len(frames) / 30)


def test_one_damaged_frame_is_skipped_and_counted(tmp_path: Path) -> None:
    path = make_video(tmp_path / "clip.mp4", 60, encoder={"g": "10", "bf": "0"})
    with av.open(str(path)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    position, size = packets[25]
    data = bytearray(path.read_bytes())
    data[position : position + size] = bytes(size)
    path.write_bytes(data)
    with VideoReader(path) as video:
        frames = list(video)
    assert 50 <= len(frames) <= 59
    assert video.damaged >= 1
    assert frames[-1].timestamp == pytest.approx(59 / 30)


@pytest.mark.parametrize(
    "stated",
    [
        b"00:00:02.900000000",
        b"00:00:09.000000000",
        b"00:00:00.000000000",
        b"about 1:2:x",
        b"1:nan:inf",
        b"-1:-1:-99",
        b"0:0:1/0",
        b"\xff\xfe:\xff:\xff",
    ],
)
@pytest.mark.parametrize("segment", [None, 9000.0, 0.0, float("nan")])
def test_stated_durations_may_be_anything(
    tmp_path: Path, stated: bytes, segment: float | None
) -> None:
    path = make_video(tmp_path / "clip.mkv", 60)
    data = path.read_bytes()
    assert b"00:00:02.000000000" in data
    data = data.replace(b"00:00:02.000000000", stated.ljust(18))
    if segment is not None:  # the segment's own duration, milliseconds
        duration = b"\x44\x89\x88"
        assert data.count(duration + struct.pack(">d", 2000)) == 1
        data = data.replace(
            duration + struct.pack(">d", 2000), duration + struct.pack(">d", segment)
        )
    path.write_bytes(data)
    with VideoReader(path) as video:
        assert len(list(video)) == 60
    assert video.warnings == ()
    # All frames came at the stated rate: nobody means that the last one lasts seconds.
    assert video.info.timeline.end == pytest.approx(2, abs=0.001)


def test_a_stale_tag_does_not_lengthen_the_last_frame(tmp_path: Path) -> None:
    times = [Fraction(n, 1000) for n in (0, 33, 40, 200, 201, 1500, 1533)]
    path = make_video(tmp_path / "clip.mkv", len(times), times=times)
    with av.open(str(path)) as container:
        tag = container.streams.video[0].metadata["DURATION"].encode()
        whole = container.duration / av.time_base
    path.write_bytes(path.read_bytes().replace(tag, b"00:00:09.000000000"))
    with VideoReader(path) as video:
        assert len(list(video)) == len(times)
    assert video.info.timeline.end == pytest.approx(whole, abs=0.001)


def test_titles_in_any_encoding(tmp_path: Path) -> None:
    path = make_video(tmp_path / "clip.mkv", 5, metadata={"title": "Video de Rene"})
    path.write_bytes(path.read_bytes().replace(b"Video de Rene", b"Vid\xe9o de Ren\xe9"))
    assert len(times_of(path)) == 5


def test_source_of_a_user(tmp_path: Path) -> None:
    assert camera_index("0") == 0
    assert camera_index(2) == 2
    assert camera_index("/dev/video3") == 3
    assert camera_index("clip0.mp4") is None
    assert camera_index(Path("0")) is None
    with pytest.raises(InputError, match="'gopher' is no kind of stream"):
        open_source("gopher://camera/stream")
    with open_source(str(make_video(tmp_path / "a:b %d.mp4", 3))) as video:
        assert len(list(video)) == 3


def test_expected_frames() -> None:
    info = VideoInfo("x", None, 8, 8, rate=NTSC, duration=2.002)
    assert info.expected_frames == 60
    assert VideoInfo("x", None, 8, 8, rate=NTSC).expected_frames is None


def test_clips_of_the_data_set(data_root: Path) -> None:
    # Frame counts of the clips' own README, counted by decoding with another program.
    for name, count in {"intel_asl_brother.mkv": 65, "carphone_pristine.mp4": 120}.items():
        assert len(times_of(data_root / "video" / name)) == count
