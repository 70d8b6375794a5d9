from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from tests.support.video_files import make_video
from tracker.video.deinterlacing import Deinterlacer
from tracker.video.video_reader import VideoReader

FRAMES, WIDTH, HEIGHT = 8, 160, 120
CODERS = {
    "libx264": {"crf": "4", "x264-params": "tff=1"},
    "mpeg2video": {"flags": "+ildct+ilme", "b": "8M"},
}


def moment(field: int) -> np.ndarray:
    """A bright block that moves by 4 pixels from field to field."""
    image = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
    cv2.rectangle(image, (20 + 4 * field, 30), (60 + 4 * field, 90), (220, 220, 220), cv2.FILLED)
    return image


def interlaced(path: Path, codec: str, times: list[Fraction] | None = None) -> Path:
    """Frames of two moments each; these coders store the lower lines as the first ones."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=25, options=CODERS[codec])
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        if times:
            stream.codec_context.time_base = Fraction(1, 1000)
        for index in range(FRAMES):
            image = moment(2 * index)
            image[0::2] = moment(2 * index + 1)[0::2]
            frame = av.VideoFrame.from_ndarray(image)
            frame.pts, frame.time_base = index, Fraction(1, 25)
            if times:
                frame.pts, frame.time_base = round(times[index] * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("codec", "suffix"), [("libx264", ".mp4"), ("libx264", ".mkv"), ("mpeg2video", ".ts")]
)
def test_each_frame_becomes_its_first_moment(tmp_path: Path, codec: str, suffix: str) -> None:
    path = interlaced(tmp_path / f"clip{suffix}", codec)
    with av.open(str(path)) as container:
        raw = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    with VideoReader(path) as video:
        assert video.notes == ("interlaced frames deinterlaced",)
        frames = list(video)
    assert len(frames) == len(raw) == FRAMES
    np.testing.assert_allclose(
        [frame.timestamp for frame in frames], np.arange(FRAMES) / 25, atol=1e-4
    )
    for index, (frame, combed) in enumerate(zip(frames, raw, strict=True)):
        wanted = moment(2 * index).astype(int)
        # The first frame has no one before it to look at.
        assert np.abs(frame.image - wanted).mean() < (0.4 if index else 0.7)
        assert np.abs(combed - wanted).mean() > 1.0


def test_uneven_times_stay(tmp_path: Path) -> None:
    times = [Fraction(n, 1000) for n in (0, 40, 41, 120, 300, 340, 1000, 1040)]
    path = interlaced(tmp_path / "clip.mkv", "libx264", times)
    with VideoReader(path) as video:
        found = [frame.timestamp for frame in video]
    np.testing.assert_allclose(found, [float(time) for time in times], atol=1e-9)


def test_progressive_frames_pass_untouched_until_the_first_interlaced_one(tmp_path: Path) -> None:
    parts = (
        make_video(tmp_path / "a.mp4", 3, (WIDTH, HEIGHT)),
        interlaced(tmp_path / "b.mp4", "libx264"),
    )
    frames: list[av.VideoFrame] = []
    for part in parts:
        with av.open(str(part)) as container:
            frames += container.decode(video=0)
    tiny = av.VideoFrame(2, 2, "yuv420p")
    deinterlacer = Deinterlacer()
    passed = deinterlacer(iter([tiny, *frames, *frames[:3]]))
    assert [next(passed) for _ in range(4)] == [tiny, *frames[:3]]
    assert not deinterlacer.used
    rest = list(passed)
    assert deinterlacer.used
    assert len(rest) == FRAMES + 3
    # Progressive ones after it, too, come out as they were.
    for ours, own in zip(rest[FRAMES:], frames[:3], strict=True):
        np.testing.assert_array_equal(ours.to_ndarray(), own.to_ndarray())


def test_a_size_that_changes_midway(tmp_path: Path) -> None:
    with av.open(str(interlaced(tmp_path / "b.mp4", "libx264"))) as container:
        frames = list(container.decode(video=0))
    with av.open(str(make_video(tmp_path / "a.mp4", 2, (64, 48)))) as container:
        frames += container.decode(video=0)
    sizes = [(frame.width, frame.height) for frame in Deinterlacer()(frames)]
    assert sizes == [(WIDTH, HEIGHT)] * FRAMES + [(64, 48)] * 2
