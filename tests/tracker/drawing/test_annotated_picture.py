"""Layers, styles, comparison and codecs through the commands themselves."""

from dataclasses import make_dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from model.errors import InputError
from model.shipped_markups import WFLW
from tests.support.commands import Run
from tests.support.drawn_face import face
from tests.support.paths import PORTRAIT_CLIP
from tests.support.picture_files import portrait
from tests.support.video_files import make_video
from tracker.assets.portrait import portrait_image
from tracker.bench.moving_portrait import portrait_frame, portrait_motion
from tracker.drawing.annotated_picture import Painter, parse_comparison
from tracker.drawing.draw_faces import LAYERS
from tracker.measures.intrinsics import Intrinsics
from tracker.runs.file_series import plan_jobs
from tracker.runs.job import Job
from tracker.video.video_reader import VideoReader

ALL = ",".join(LAYERS)
CURVES = frozenset({"curves"})


def frames(path: Path) -> list[NDArray[np.int_]]:
    with VideoReader(path) as video:
        return [frame.image.astype(int) for frame in video]


def odd_portrait(path: Path, width: int = 321, height: int = 241, count: int = 4) -> Path:
    """The portrait clip at an odd size (in lossless RGB, which has odd sizes)."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264rgb", rate=30, options={"crf": "0"})
        stream.width, stream.height, stream.pix_fmt = width, height, "rgb24"
        for matrix in portrait_motion(count):
            image = cv2.resize(portrait_frame(portrait_image(), matrix), (width, height))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def test_painting_side_by_side() -> None:
    image = np.random.default_rng(0).integers(0, 256, (300, 401, 3), dtype=np.uint8)
    shown = face(150)
    alone = Painter(WFLW)(image, [shown], CURVES)
    source = Painter(WFLW, compare="source")(image, [shown], CURVES)
    assert source.shape == (300, 802, 3)
    np.testing.assert_array_equal(source[:, :401], image)
    np.testing.assert_array_equal(source[:, 401:], alone)


def test_raw_beside_smoothed() -> None:
    kind = make_dataclass("Shown", ["id", "landmarks", "raw"])
    smooth, raw = face(150, 200).landmarks, face(150, 230).landmarks
    image = np.full((300, 400, 3), 60, np.uint8)
    shown = kind(0, smooth, raw)
    both = Painter(WFLW, compare="raw")(image, [shown], CURVES)
    assert both.shape == (300, 800, 3)
    below = slice(60, None)  # the captions are above
    for half, points in ((both[:, :400], raw), (both[:, 400:], smooth)):
        expected = Painter(WFLW)(image, [kind(0, points, points)], CURVES)
        np.testing.assert_array_equal(half[below], expected[below])
        assert (half[:60, :200] != 60).any()


def test_the_camera_reaches_the_axes() -> None:
    cameras: list[tuple[int, int]] = []

    def camera(width: int, height: int) -> Intrinsics:
        cameras.append((width, height))
        return Intrinsics.from_fov(width, height)

    paint = Painter(WFLW, camera=camera, compare="source")
    paint(np.zeros((30, 40, 3), np.uint8), [], frozenset({"pose"}))
    assert set(cameras) == {(40, 30)}


def test_names_of_comparisons() -> None:
    assert parse_comparison(None) is None
    assert parse_comparison("raw") == "raw"
    with pytest.raises(InputError, match=r"compare with 'both': use source .* or raw"):
        parse_comparison("both")


def test_all_layers_beside_the_source_at_an_odd_size(
    run: Run, map_network: Path, tmp_path: Path
) -> None:
    clip, out = odd_portrait(tmp_path / "in.mkv"), tmp_path / "out.mp4"
    result = run(
        clip, "--out", out, "--weights", map_network, "--draw", ALL, "--compare", "source",
        "--color", "white", "--point-size", "200%", "--line-width", "2", "--crf", "5",
    )  # fmt: skip
    assert result.code == 0, result.err
    original, made = frames(clip), frames(out)
    assert len(made) == len(original) == 4
    for before, after in zip(original, made, strict=True):
        assert after.shape == (242, 642, 3)
        assert np.abs(after[:241, :321] - before).mean() < 4
        changed = np.abs(after[:241, 321:] - before).max(axis=2) > 40
        assert 0.05 < changed.mean() < 0.6


@pytest.mark.parametrize("layer", ["attention", "boundaries"])
def test_maps_with_offline_smoothing(
    run: Run, map_network: Path, tmp_path: Path, layer: str
) -> None:
    made = []
    for name, more in (("online", ()), ("offline", ("--offline-smooth",))):
        out = tmp_path / f"{name}.mkv"
        result = run(
            PORTRAIT_CLIP, "--out", out, "--weights", map_network, "--draw", layer,
            "--max-frames", 3, "--crf", 0, *more,
        )  # fmt: skip
        assert result.code == 0, result.err
        made.append(frames(out))
    # The network reads the same regions; their maps know nothing of smoothing.
    np.testing.assert_array_equal(made[0], made[1])
    assert (np.abs(made[0][0] - frames(PORTRAIT_CLIP)[0]).max(axis=2) > 40).mean() > 0.01


def test_raw_and_smoothed_in_another_codec(run: Run, network: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.webm"
    result = run(
        PORTRAIT_CLIP, "--out", out, "--weights", network, "--compare", "raw", "--max-frames", 3,
        "--codec", "av1",
    )  # fmt: skip
    assert result.code == 0, result.err
    with VideoReader(out) as video:
        assert (video.info.width, video.info.height) == (1280, 480)


def test_pictures_and_folders_side_by_side(run: Run, map_network: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    portrait(folder / "photo.png")
    odd_portrait(folder / "clip.mkv", 161, 121, 2)
    original = cv2.imread(str(folder / "photo.png"))
    options = ("--draw", "attention,points", "--compare", "source", "--weights", map_network)
    result = run(folder, "--out", tmp_path / "series", *options)
    assert result.code == 0, result.err
    batch = run("batch", folder, "--out-dir", tmp_path / "batch", "--codec", "av1", *options)
    assert batch.code == 0, batch.err
    for made in (tmp_path / "series", tmp_path / "batch"):
        picture = cv2.imread(str(made / "photo.png"))
        height, width = original.shape[:2]
        assert picture.shape == (height, 2 * width, 3)
        np.testing.assert_array_equal(picture[:, :width], original)
        assert (picture[:, width:] != original).any()
        assert frames(made / "clip.mkv")[0].shape == (122, 322, 3)
    with av.open(str(tmp_path / "batch" / "clip.mkv")) as container:
        assert container.streams.video[0].codec_context.name.endswith(("av1", "dav1d"))
    # A change of what is drawn is another result, the same command is none.
    again = run("batch", folder, "--out-dir", tmp_path / "batch", "--codec", "av1", *options)
    assert again.out.startswith("0 of 2 files tracked")
    other = run(
        "batch", folder, "--out-dir", tmp_path / "batch", "--codec", "av1", *options,
        "--line-width", "3",
    )  # fmt: skip
    assert other.out.startswith("2 of 2 files tracked")


def test_series_keep_a_container_that_holds_the_codec(tmp_path: Path) -> None:

    inputs = [Path(f"{name}{suffix}") for name, suffix in (("a", ".mov"), ("b", ".webm"))]
    for codec, expected in (("auto", ["a.mov", "b.mp4"]), ("av1", ["a.mp4", "b.webm"])):
        jobs = plan_jobs(Job("", codec=codec), inputs, tmp_path / "out", None)
        assert [job.out.name for job in jobs if job.out] == expected


def test_mistakes_are_one_sentence(
    run: Run, network: Path, map_network: Path, tmp_path: Path
) -> None:
    clip = make_video(tmp_path / "in.mp4", 2, (160, 120))
    out = ("--out", tmp_path / "out.mp4", "--weights", network)
    cases: list[tuple[tuple[object, ...], str]] = [
        ((clip, *out, "--draw", "boundaries"), "has no boundary and attention maps"),
        ((clip, *out, "--draw", "attention", "--engine", "tensorrt"), "use one of openvino"),
        ((clip, *out, "--compare", "both"), "cannot compare with 'both'"),
        ((clip, *out, "--compare", "raw", "--smooth", "off"), "same points twice"),
        ((clip, "--save", tmp_path / "o.csv", "--compare", "source"), "add --out or --show"),
        ((clip, *out, "--color", "mauve"), "no colour 'mauve'"),
        ((clip, *out, "--point-color", "red,blue"), "one colour"),
        ((clip, *out, "--point-size", "big"), "--point-size big is no size"),
        ((clip, *out, "--line-width", "0"), "--line-width 0 is no size"),
        ((clip, *out, "--codec", "xvid"), "no codec 'xvid'"),
        ((clip, *out, "--crf", "52"), "--crf 52 is out of range: H.264"),
        ((clip, "--out", tmp_path / "o.webm", "--codec", "hevc"), "cannot hold HEVC"),
        (("batch", clip, "--out-dir", tmp_path / "b", "--no-video", "--compare", "raw"), "drop"),
        (("batch", clip, "--out-dir", tmp_path / "b", "--codec", "xvid"), "no codec 'xvid'"),
    ]
    before = sorted(path.name for path in tmp_path.iterdir())
    for arguments, words in cases:
        result = run(*arguments)
        assert result.code == 2, (arguments, result)
        assert words in result.err, (arguments, result)
        assert result.err.count("\n") == 1
        assert sorted(path.name for path in tmp_path.iterdir()) == before
