"""Tracking what is no face: boxes, the whole frame, a detector; tables with names."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.box_onnx import box_onnx
from tests.support.commands import Run
from tests.support.own_files import NAMES, arrow_markup
from tests.support.template_onnx import template_onnx
from tests.support.video_files import make_video

# In the box around them.
TEMPLATE = np.array([[0.5, 0.0], [0.0, 1.0], [1.0, 1.0]])


@pytest.fixture
def arrow(tmp_path: Path) -> Path:
    """A network that sees an arrow wherever it looks."""
    return template_onnx(tmp_path / "arrow.onnx", markup=arrow_markup(), template=TEMPLATE)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A bright square of 80 pixels that goes to the right, 4 pixels a frame."""
    images = []
    for index in range(8):
        image = np.full((240, 320, 3), 30, dtype=np.uint8)
        image[80:160, 60 + 4 * index : 140 + 4 * index] = 240
        images.append(image)
    return make_video(tmp_path / "clip.mp4", pictures=images)


def test_a_box_by_hand_and_names_in_the_tables(
    run: Run, arrow: Path, clip: Path, tmp_path: Path
) -> None:
    table, lines = tmp_path / "a.csv", tmp_path / "a.jsonl"
    result = run(
        clip, "--weights", arrow, "--box", "60,80,80,80", "--names", "--save", table, "--save",
        lines, "--out", tmp_path / "a.mp4", "--smooth", "off",
    )  # fmt: skip
    assert result.code == 0, result.err
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert len(rows) == 8
    # Where the box was, but for what three looks of such a network add.
    first = np.array([[float(rows[0][f"{axis}_{name}"]) for axis in "xy"] for name in NAMES])
    np.testing.assert_allclose(first, [60, 80] + 79 * TEMPLATE, atol=4)
    assert rows[0]["eye_left"] == rows[0]["mouth"] == rows[0]["interocular"] == "nan"
    face = json.loads(lines.read_text().splitlines()[0])["faces"][0]
    assert list(face["landmarks"]) == list(NAMES)
    assert face["mouth"] is None
    assert face["pose_Rx"] is None


def test_a_detector_of_ones_own(run: Run, arrow: Path, clip: Path, tmp_path: Path) -> None:
    detector, table = box_onnx(tmp_path / "boxes.onnx", "yolo8"), tmp_path / "a.csv"
    result = run(clip, "--weights", arrow, "--detector", detector, "--save", table)
    assert result.code == 0, result.err
    row = next(csv.DictReader(table.read_text().splitlines()))
    found = np.array([[float(row[f"{axis}_{point}"]) for axis in "xy"] for point in range(3)])
    np.testing.assert_allclose(found, [60, 80] + 79 * TEMPLATE, atol=4)
    dark = make_video(tmp_path / "dark.mp4", pictures=[np.full((240, 320, 3), 30, np.uint8)] * 3)
    result = run(dark, "--weights", arrow, "--detector", detector, "--save", tmp_path / "b.csv")
    assert result.code == 2
    assert "nothing was found in any of its 3 frames" in result.err
    assert "arrow.onnx does not know them: judge it" in result.err
    assert not (tmp_path / "b.csv").exists()
    result = run(dark, "--weights", arrow, "--save", tmp_path / "b.csv")
    assert result.code == 2
    assert "if arrow.onnx knows other things, say where they are with --box" in result.err


def test_the_whole_frame(run: Run, arrow: Path, clip: Path, tmp_path: Path) -> None:
    result = run(clip, "--weights", arrow, "--detector", "frame", "--save", tmp_path / "a.csv")
    assert result.code == 0, result.err
    row = next(csv.DictReader((tmp_path / "a.csv").read_text().splitlines()))
    assert 100 < float(row["x_0"]) < 220


def test_one_point_cannot_be_followed(run: Run, clip: Path, tmp_path: Path) -> None:
    point = arrow_markup(points=["tip"], curves={}, mirror=[])
    weights = template_onnx(tmp_path / "tip.onnx", markup=point, template=TEMPLATE[:1])
    result = run(clip, "--weights", weights, "--detector", "frame", "--save", tmp_path / "a.csv")
    assert result.code == 2
    assert "the markup arrow has one point" in result.err


BOX = ("--box", "60,80,80,80")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((*BOX, "--draw", "pose", "--out", "a.mp4"), "not say where on a head its points are"),
        ((*BOX, "--opensee", "11573"), "needs 68 or 98 landmarks, not those of arrow"),
        (("--box", "1,2,3", "--save", "a.csv"), "--box 1,2,3: it must be X,Y,WIDTH,HEIGHT"),
        (("--detector", "none.onnx", "--save", "a.csv"), "none.onnx cannot be read"),
        (("--detector", "yolo", "--save", "a.csv"), "detector must be one of auto, short, full"),
        ((*BOX, "--detector", "frame", "--save", "a.csv"), "contradict each other: drop one"),
    ],
)
def test_what_cannot_be(
    run: Run, arrow: Path, clip: Path, options: tuple[str, ...], words: str
) -> None:
    folder = clip.parent
    given = [folder / option if option.startswith("a.") else option for option in options]
    result = run(clip, "--weights", arrow, *given)
    assert result.code == 2
    assert words in result.err
    assert {path.name for path in folder.iterdir()} == {"arrow.onnx", "clip.mp4"}
