"""Videos as they come from phones, cameras, editors and screens."""

import re
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.support.commands import Run
from tests.support.video_files import make_video, picture
from tracker.assets.portrait import portrait_image
from tracker.bench.moving_portrait import portrait_frame, portrait_motion
from tracker.commands.progress_bars import FrameBar
from tracker.runs.job import Job
from tracker.runs.run_job import run_job
from tracker.sources.open_source import open_source
from tracker.video.video_reader import VideoReader


def coded(
    path: Path, codec: str, layout: str, size: tuple[int, int], frames: int = 4, **options: str
) -> list[np.ndarray]:
    """Write a video; returns its frames before coding."""
    images = [picture(*size, 70 + 10 * index) for index in range(frames)]
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, layout
        for index, image in enumerate(images):
            if layout in ("yuva420p", "argb", "rgba"):
                alpha = np.full((*image.shape[:2], 1), 255, np.uint8)
                frame = av.VideoFrame.from_ndarray(np.dstack([image, alpha]), format="rgba")
            else:
                frame = av.VideoFrame.from_ndarray(image)
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return images


@pytest.mark.parametrize(
    ("name", "codec", "layout", "size", "tolerance"),
    [
        ("hevc-10bit.mp4", "libx265", "yuv420p10le", (96, 64), 6),
        ("h264-10bit.mp4", "libx264", "yuv420p10le", (96, 64), 6),
        ("grey.mkv", "ffv1", "gray", (96, 64), 1.5),
        ("grey16.mkv", "ffv1", "gray16le", (96, 64), 1.5),
        ("vp9-alpha.webm", "libvpx-vp9", "yuva420p", (96, 64), 8),
        ("qtrle-alpha.mov", "qtrle", "argb", (96, 64), 0),
        ("png-alpha.mov", "png", "rgba", (96, 64), 0),
        ("odd.mkv", "ffv1", "yuv444p", (97, 61), 1.5),
        ("odd-rgb.mov", "qtrle", "rgb24", (97, 61), 0),
        ("portrait.mp4", "libx264", "yuv420p", (90, 160), 6),
        ("422.mov", "prores_ks", "yuv422p10le", (96, 64), 6),
    ],
)
def test_kinds_of_pixels(  # noqa: PLR0917 (one column of the table each)
    tmp_path: Path, name: str, codec: str, layout: str, size: tuple[int, int], tolerance: float
) -> None:
    if codec not in av.codecs_available:
        pytest.skip(f"this build of PyAV has no {codec}")
    more = {"crf": "8"} if codec.startswith("libx26") else {}
    if codec == "libx265":
        more["x265-params"] = "log-level=none"
    images = coded(tmp_path / name, codec, layout, size, **more)
    with open_source(tmp_path / name) as source:
        assert (source.info.width, source.info.height) == size
        frames = [frame.image for frame in source]
    assert len(frames) == len(images)
    for frame, original in zip(frames, images, strict=True):
        image = original
        if layout.startswith("gray"):
            weights = np.array([0.299, 0.587, 0.114])
            image = np.repeat(np.round(image @ weights)[..., None], 3, axis=2)
        assert frame.dtype == np.uint8
        # Chroma is smeared over the edges of the coloured corners: those are left out.
        inner = np.abs(frame.astype(float) - image)[2:14, 2:14]
        middle = np.abs(frame.astype(float) - image)[28:36, 40:56]
        assert max(inner.mean(), middle.mean()) <= tolerance + 0.5


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_turned_video_is_tracked_and_written_upright(
    run: Run,
    network: Path,
    tmp_path: Path,
    rotation: int,
) -> None:
    """A phone stores what its sensor saw, and notes by how much to turn it."""
    image, moves = portrait_image(), portrait_motion(4)
    path, out = tmp_path / "in.mp4", tmp_path / "out.mp4"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=30, options={"crf": "12"})
        # The matrix says how the decoder has to turn, counter-clockwise.
        upright = [portrait_frame(image, move) for move in moves]
        stored = [np.ascontiguousarray(np.rot90(frame, rotation // 90)) for frame in upright]
        stream.height, stream.width = stored[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        if rotation:
            stream.set_display_rotation(-rotation)
        for index, frame in enumerate(stored):
            coded_frame = av.VideoFrame.from_ndarray(frame)
            coded_frame.pts, coded_frame.time_base = index, Fraction(1, 30)
            container.mux(stream.encode(coded_frame))
        container.mux(stream.encode(None))
    with open_source(path) as source:
        assert source.info.rotation == rotation
        for frame, wanted in zip(source, upright, strict=True):
            assert np.abs(frame.image.astype(float) - wanted).mean() < 4
    result = run(path, "--out", out, "--weights", network)
    assert result.code == 0, result.err
    with VideoReader(out) as video:
        assert video.info.rotation == 0
        assert (video.info.height, video.info.width) == upright[0].shape[:2]
        for frame, wanted in zip(video, upright, strict=True):
            assert np.abs(frame.image.astype(float) - wanted).mean() < 8


def test_variable_rate_keeps_every_time(run: Run, network: Path, tmp_path: Path) -> None:
    steps = [0, 1, 1, 4, 1, 10, 2, 1, 1, 3]
    times = [Fraction(int(tick), 30) for tick in np.cumsum(steps)]
    path = make_video(tmp_path / "in.mp4", 10, (160, 120), times=times)
    out = tmp_path / "out"
    result = run("--source", f"{tmp_path}/*.mp4", "--out", out, "--save", out, "--weights", network)
    assert result.code == 0, result.err
    wanted = [float(time) for time in times]
    for video in (path, out / "in.mp4"):
        with open_source(video) as source:
            assert [frame.timestamp for frame in source] == pytest.approx(wanted, abs=1e-4)
    lines = (out / "in.csv").read_text().splitlines()[1:]
    assert [float(line.split(",")[2]) for line in lines] == pytest.approx(wanted, abs=1e-6)


def test_film_rate_stays_exact(run: Run, network: Path, tmp_path: Path) -> None:
    path = make_video(tmp_path / "in.mp4", 24, (160, 120), rate=Fraction(24000, 1001))
    run("--source", f"{tmp_path}/*.mp4", "--out", tmp_path / "out", "--weights", network)
    for video in (path, tmp_path / "out" / "in.mp4"):
        with open_source(video) as source:
            assert source.info.rate == Fraction(24000, 1001)
            times = [frame.timestamp for frame in source]
        assert times == pytest.approx([n * 1001 / 24000 for n in range(24)], abs=2e-5)


def test_4k(run: Run, network: Path, tmp_path: Path) -> None:
    small = portrait_frame(portrait_image(), portrait_motion(1)[0])
    image = np.zeros((2160, 3840, 3), np.uint8)
    image[600 : 600 + small.shape[0] * 2, 1000 : 1000 + small.shape[1] * 2] = np.kron(
        small, np.ones((2, 2, 1), np.uint8)
    )
    path, out = tmp_path / "in.mp4", tmp_path / "out.mp4"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=30, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 3840, 2160, "yuv420p"
        for index in range(2):
            frame = av.VideoFrame.from_ndarray(image)
            frame.pts, frame.time_base = index, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    result = run(path, "--out", out, "--weights", network)
    assert result.code == 0, result.err
    assert "1 face, a face in 100.0 %" in result.out
    with open_source(out) as source:
        assert (source.info.width, source.info.height) == (3840, 2160)
        assert len(list(source)) == 2


def test_files_never_drop_a_frame(tmp_path: Path) -> None:
    """Each of 150 frames tells its number, and the reader is faster or slower by turns."""
    import time

    from tracker.system.background_threads import ReadAhead

    path = make_video(tmp_path / "in.mp4", 150, (64, 48), encoder={"crf": "1"})
    with open_source(path) as source, ReadAhead(source) as frames:
        for count, frame in enumerate(frames):
            assert frame.number == count
            assert abs(int(frame.image[24, 32, 0]) - (60 + 4 * count % 128)) <= 2
            if count % 20 == 0:
                time.sleep(0.05)
    assert count == 149


@pytest.mark.parametrize(("stated", "shown"), [(3, 30), (45, 45), (0, None)])
def test_a_header_with_a_wrong_frame_count(
    *,
    network: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    stated: int,
    shown: int | None,
) -> None:
    """The bar of a real AVI file that lies about its 30 frames, or does not know them."""
    path = make_video(tmp_path / "in.avi", 30, (160, 120))
    data = bytearray(path.read_bytes())
    for chunk, offset in ((b"avih", 16), (b"strh", 32)):
        place = data.index(chunk) + 8 + offset
        assert struct.unpack_from("<I", data, place) == (30,)
        struct.pack_into("<I", data, place, stated)
    path.write_bytes(data)
    monkeypatch.setenv("FORCE_COLOR", "1")  # drawn as on a terminal
    job = Job(path, save=tmp_path / "out.csv", weights=str(network), faceless=True)
    with FrameBar() as bar:
        summary = run_job(job, bar.start, bar.advance)
        assert bar.state == (30, shown)
    assert summary.frames == 30
    drawn = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", capfd.readouterr().err)
    total = r"\?" if shown is None else shown
    assert re.search(rf"in\.avi.*30/{total}", drawn)


def test_an_odd_deep_video_becomes_one_that_plays(run: Run, network: Path, tmp_path: Path) -> None:
    """10 bits and odd sizes from the file to the annotated file, which most players could not."""
    path, out = tmp_path / "in.mkv", tmp_path / "out.mp4"
    image = portrait_frame(portrait_image(), portrait_motion(1)[0])[:479, :637]
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 637, 479, "yuv444p10le"
        for index in range(3):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image))
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    result = run(path, "--out", out, "--draw", "box", "--weights", network)
    assert result.code == 0, result.err
    assert result.out.startswith("3 frames, 1 face, a face in 100.0 %")
    with av.open(str(out)) as container:
        context = container.streams.video[0].codec_context
        assert (context.width, context.height, context.pix_fmt) == (638, 480, "yuv420p")
    with VideoReader(out) as video:
        for frame in video:
            difference = np.abs(frame.image[:479, :637].astype(float) - image)
            assert difference[:100].mean() < 4  # above the box
