"""Pictures of results: what is drawn is where it should be, and the commands write it."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from model.crop import crop_image, crop_matrix, region_from_box, to_crop
from model.errors import run_command
from model.heatmap import crop_to_heatmap, encode_boundaries
from model.network.propnet import PropNet
from model.weights import Metadata, save_network
from tests.support.face_files import TINY, read_faces, write_faces
from tracker.engines.torch import open_torch_engine
from train import figures
from train.drawing.face_sheet import sheet
from train.drawing.training_views import view_tiles
from train.evaluation.landmark_errors import evaluate
from train.recipes.recipe import load_recipe


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_faces(tmp_path_factory.mktemp("faces"), train=4, test=6)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("run") / "best.safetensors"
    save_network(path, PropNet(TINY).eval(), Metadata("tiny", TINY, 64))
    return path


def command(monkeypatch: pytest.MonkeyPatch, *options: object) -> int:
    monkeypatch.setattr(sys, "argv", ["figures", *map(str, options)])
    with pytest.raises(SystemExit) as left:
        run_command(figures.app)
    assert isinstance(left.value.code, int)
    return left.value.code


def test_boundaries_lie_over_the_crop_where_they_are_in_it() -> None:
    # A horizontal line through the crop pixels of row 99.5.
    points = np.array([[40.0, 99.5], [150.0, 99.5]])
    maps = encode_boundaries(crop_to_heatmap(points), [[0, 1]], 48)
    crop = np.full((192, 192, 3), 100, dtype=np.uint8)
    laid = figures.overlay(crop, maps).astype(int)
    column = laid[:, 96, 1]
    assert column.argmax() in (98, 99, 100, 101)
    rows = np.arange(192)
    excess = np.clip(column - 60, 0, None)
    assert (excess * rows).sum() / excess.sum() == pytest.approx(99.5, abs=0.6)
    assert tuple(laid[10, 10]) == (60, 60, 60)
    # Drawn at twice the size, the same place.
    twice = figures.overlay(np.full((384, 384, 3), 100, dtype=np.uint8), maps).astype(int)
    excess = np.clip(twice[:, 192, 1] - 60, 0, None)
    assert (excess * np.arange(384)).sum() / excess.sum() == pytest.approx(199.5, abs=1.2)


def test_a_sheet_holds_every_tile() -> None:
    tiles = [np.full((30, 30, 3), shade, dtype=np.uint8) for shade in (10, 60, 110, 160, 210)]
    whole = sheet(tiles, ["a"] * 5, columns=3, heading="five")
    found = [(np.all(whole == shade, axis=2)).sum() for shade in (10, 60, 110, 160, 210)]
    assert found == [900] * 5
    at = [np.argwhere(np.all(whole == tile[0, 0], axis=2)).min(axis=0) for tile in tiles]
    assert at[0][0] == at[2][0] < at[3][0] == at[4][0]
    assert at[0][1] == at[3][1] < at[1][1] == at[4][1] < at[2][1]
    assert sheet(tiles[:1]).shape == (38, 38, 3)


def test_faces_are_spread_over_the_split(data: Path) -> None:
    faces = read_faces(data)[1]
    assert figures.spaced(faces, 3) == [faces[0], faces[2], faces[5]]
    assert figures.spaced(faces, 99) == faces


def test_the_worst_come_first(
    data: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces = read_faces(data)[1]
    result = evaluate(open_torch_engine(str(weights), "cpu"), faces)
    captions: list[str] = []

    def spy(tiles: list[np.ndarray], texts: list[str], **rest: object) -> np.ndarray:
        captions.extend(texts)
        return sheet(tiles, texts)

    monkeypatch.setattr(figures, "sheet", spy)
    out = tmp_path / "worst.png"
    options = ("--weights", weights, "--data", data, "--out", out, "--n", 4, "--device", "cpu")
    assert command(monkeypatch, "worst", *options) == 0
    order = np.argsort(-result.errors)[:4]
    assert captions == [
        f"{100 * result.errors[i]:.2f} %  {faces[i].source}/{faces[i].image.name}" for i in order
    ]
    assert cv2.imread(str(out)) is not None


@pytest.mark.parametrize("kind", ["boundaries", "samples"])
def test_sheets_show_each_face(
    data: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    out = tmp_path / "sheet.png"
    options = ("--weights", weights, "--data", data, "--out", out, "--n", 3, "--columns", 2)
    assert command(monkeypatch, kind, *options) == 0
    image = cv2.imread(str(out))
    assert image is not None
    assert image.shape[1] == 4 + 2 * 244
    # Two rows, the second with one face and white beside it.
    assert (image[-100, -100] == 255).all()
    assert not (image[-100, 100] == 255).all()


def test_curves_are_named_and_drawn_together(
    data: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[str, np.ndarray] = {}
    monkeypatch.setattr(figures, "plot_ced", lambda errors, *_: drawn.update(errors))
    options = ("--weights", weights, "--weights", "propnet-s", "--data", data)
    out = ("--out", tmp_path / "ced.png", "--n", 2)
    assert command(monkeypatch, "ced", *options, *out) == 0
    assert list(drawn) == [f"{weights.parent.name}/best", "propnet-s"]
    assert [len(errors) for errors in drawn.values()] == [2, 2]
    expected = evaluate(open_torch_engine(str(weights), "cpu"), read_faces(data)[1][:2]).errors
    np.testing.assert_allclose(drawn[f"{weights.parent.name}/best"], expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["samples", "--out", "a.jpg"], "--out a.jpg: the picture is written as .png"),
        (["samples", "--out", "a.png", "--dataset", "coco"], "--dataset is 'coco'; choose one of"),
        (
            ["samples", "--out", "a.png", "--dataset", "aflw"],
            "--dataset is 'aflw'; choose one of wflw, 300w, cofw",
        ),
        (["ced", "--out", "a.png", "--weights", "x", "--box", "b"], "--box is 'b'; choose gt or"),
        (["boundaries", "--out", "a.png", "--weights", "none.safetensors"], "no weights file none"),
    ],
)
def test_wrong_arguments(
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    message: str,
) -> None:
    assert command(monkeypatch, *options, "--data", data) == 2
    assert message in capsys.readouterr().err


def test_training_views_show_what_is_learned(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (recipe := tmp_path / "still.yaml").write_text(
        "stages: [{until: 1.0, size: 128, batch: 8}]\n"
        "augment: {rotation: 0, scale: 0, translation: 0, flip: 0, p_wide: 0, p_color: 0, "
        "p_gray: 0, p_blur: 0, p_resolution: 0, p_noise: 0, p_jpeg: 0, p_occlusion: 0}"
    )
    samples = read_faces(data)[0]
    tiles = view_tiles(samples, load_recipe(str(recipe)), 256)
    for tile, sample in zip(tiles, samples, strict=True):
        region = region_from_box(sample.box)
        plain = cv2.resize(
            crop_image(sample.load(), region, 128), (256, 256), interpolation=cv2.INTER_CUBIC
        )
        # Without chance: the plain crop with dots, and these on the labels.
        changed = np.abs(tile.astype(int) - plain).max(axis=-1) > 40
        assert 0.003 < changed.mean() < 0.05
        points = (to_crop(sample.points, crop_matrix(region, 128)) + 0.5) * 2 - 0.5
        rows, columns = np.nonzero(changed)
        away = np.linalg.norm(np.stack([columns, rows], axis=1)[:, None] - points, axis=-1)
        assert away.min(axis=1).max() < 3.5
        # Nearly every label has its dot; lips and lids share theirs.
        assert (away.min(axis=0) < 2).mean() > 0.9
    out = tmp_path / "views.png"
    assert command(monkeypatch, "views", "--data", data, "--recipe", recipe, "--out", out) == 0
    assert cv2.imread(str(out)).shape == (4 + 244, 4 + 4 * 244, 3)
    other = tmp_path / "other.png"
    options = ("views", "--data", data, "--recipe", "cpu-blink", "--seed", 3, "--out", other)
    assert command(monkeypatch, *options) == 0
    assert other.read_bytes() != out.read_bytes()
    assert command(monkeypatch, *options[:-1], tmp_path / "views.jpg") == 2
