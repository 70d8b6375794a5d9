"""Videos whose pixels are not square give what the same clip with square ones gives."""

import csv
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tests.support.commands import Run
from tests.support.portrait_scene import portrait_scene
from tests.support.video_files import encode

FRAMES = 3


def table(path: Path) -> list[dict[str, float]]:
    with path.open(newline="") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def points(rows: list[dict[str, float]]) -> np.ndarray:
    return np.array([[[row[f"x_{k}"], row[f"y_{k}"]] for k in range(98)] for row in rows])


@pytest.mark.parametrize(
    ("stored", "aspect"), [((320, 480), Fraction(2)), ((640, 360), Fraction(3, 4))]
)
def test_the_same_faces_as_with_square_pixels(
    run: Run, tmp_path: Path, stored: tuple[int, int], aspect: Fraction
) -> None:
    square = portrait_scene(180)[0]
    narrow = cv2.resize(square, stored, interpolation=cv2.INTER_AREA)
    for name, image in (("square", square), ("narrow", narrow)):
        shape = Fraction(1) if name == "square" else aspect
        clip = encode(
            tmp_path / f"{name}.mp4", [np.asarray(image, np.uint8)] * FRAMES, aspect=shape
        )
        found = run(
            clip, "--out", tmp_path / f"{name}-out.mp4", "--save", tmp_path / f"{name}.csv",
            "--crops", tmp_path / name, "--intrinsics",
            "600,600,319.5,239.5" if name == "square" else
            f"{600 * stored[0] / 640},{600 * stored[1] / 480},{stored[0] / 2 - 0.5},"
            f"{stored[1] / 2 - 0.5}",
        )  # fmt: skip
        assert found.code == 0, found.err
    wanted, got = table(tmp_path / "square.csv"), table(tmp_path / "narrow.csv")
    share = np.array([640 / stored[0], 480 / stored[1]])
    distance = np.linalg.norm((points(got) + 0.5) * share - 0.5 - points(wanted), axis=-1)
    eyes = wanted[0]["interocular"]
    assert distance.mean() < 0.015 * eyes
    assert np.linalg.norm(points(got) - points(wanted), axis=-1).mean() > 0.2 * eyes
    for name, near in {"mouth": 0.02, "eye_left": 0.03, "eye_right": 0.03}.items():
        assert got[-1][name] == pytest.approx(wanted[-1][name], abs=near)
    assert got[-1]["interocular"] == pytest.approx(eyes, rel=0.02)
    for axis in "xyz":
        assert got[-1][f"pose_R{axis}"] == pytest.approx(wanted[-1][f"pose_R{axis}"], abs=0.04)
        assert got[-1][f"pose_T{axis}"] == pytest.approx(wanted[-1][f"pose_T{axis}"], abs=12)
    crops = [cv2.imread(str(tmp_path / name / "000001_0.jpg")) for name in ("square", "narrow")]
    assert np.abs(crops[0].astype(float) - crops[1]).mean() < 6
    with (
        av.open(str(tmp_path / "narrow-out.mp4")) as container,
        av.open(str(tmp_path / "square-out.mp4")) as other,
    ):
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.sample_aspect_ratio) == (*stored, aspect)
        shown = next(container.decode(stream)).to_ndarray(format="rgb24", width=640, height=480)
        twin = next(other.decode(video=0)).to_ndarray(format="rgb24")
    # Strokes as well: as wide on the screen as in the other clip.
    assert np.abs(shown.astype(float) - twin).mean() < 4


def test_side_by_side(run: Run, network: Path, tmp_path: Path) -> None:
    clip = encode(tmp_path / "in.mp4", [portrait_scene(180, 320, 480)[0]] * 2, aspect=Fraction(2))
    out = tmp_path / "out.mp4"
    found = run(clip, "--out", out, "--compare", "source", "--weights", network)
    assert found.code == 0, found.err
    with av.open(str(out)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.sample_aspect_ratio) == (640, 480, 2)
