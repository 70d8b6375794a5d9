"""From labelled pictures of one's own points to weights, their figures and an ONNX file."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from export.run import app as export_app
from model.config import get_variant
from model.errors import InputError
from model.markup_file import markup_to_dict, read_markup
from model.shipped_markups import WFLW
from model.weights import load_network
from tests.support.face_files import write_faces
from tests.support.own_files import arrow_markup, write_coco_folder
from tracker.engines.onnx_file import read_onnx
from tracker.engines.torch import open_torch_engine
from train.calibrate import app as calibrate_app
from train.data.coco import write_coco
from train.data.datasets import OwnPoints, read_dataset
from train.evaluate import app as evaluate_app
from train.evaluation.landmark_errors import evaluate
from train.learning.feed import epoch_order
from train.learning.own_points import for_points, limits
from train.recipes.recipe import Recipe, load_recipe
from train.run import app as run_app

QUICK = "stages: [{until: 1.0, size: 64, batch: 4}]\nwarmup_steps: 2\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_coco_folder(tmp_path / "data", 12)
    (tmp_path / "arrow.yaml").write_text(yaml.safe_dump(markup_to_dict(arrow_markup())))
    (tmp_path / "quick.yaml").write_text(QUICK)
    return tmp_path


def invoke(app, *options: object) -> str:
    result = CliRunner().invoke(app, [str(option) for option in options], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_one_command_from_pictures_to_a_network(folder: Path) -> None:
    data, markup, out = folder / "data", folder / "arrow.yaml", folder / "run"
    common = ("--dataset", "coco", "--data", data)
    text = invoke(
        run_app, *common, "--markup", markup, "--init", "propnet-s", "--recipe",
        folder / "quick.yaml", "--epochs", 1, "--out", out, "--precision", "f32",
    )  # fmt: skip
    assert "arrow: 3 points, 1 curves; 10 labelled in 10 pictures to learn from, 2 to judge" in text
    assert "2 to judge by are few" in text
    network, metadata = load_network(str(out / "best.safetensors"))
    assert metadata.config.markup == read_markup(markup)
    # What propnet-s had learned is there; two steps have not changed it much.
    old = load_network("propnet-s")[0].stem.conv[0].weight
    assert (network.stem.conv[0].weight - old).abs().max() < 0.02
    figures = folder / "figures.json"
    invoke(evaluate_app, *common, "--weights", out / "best.safetensors", "--json", figures)
    values = json.loads(figures.read_text())
    assert (values["markup"], values["split"], values["n"]) == ("arrow", "dev", 2)
    onnx = folder / "arrow.onnx"
    invoke(export_app, "--weights", out / "best.safetensors", "--out", onnx)
    info = read_onnx(str(onnx)).info
    assert info.markup == read_markup(markup)
    # It finds nothing yet, which is what calibrating needs to know.
    with pytest.raises(InputError, match="train the network longer"):
        invoke(
            calibrate_app, *common, "--weights", onnx, "--views", 100, "--dev-views", 100,
            "--engine", "openvino",
        )  # fmt: skip


def test_a_markup_without_curves_trains_without_propagation(folder: Path) -> None:
    table = markup_to_dict(arrow_markup())
    (folder / "bare.yaml").write_text(
        yaml.safe_dump(table | {"curves": {}, "mirror": "none", "name": "bare"})
    )
    text = invoke(
        run_app, "--dataset", "coco", "--data", folder / "data", "--markup", folder / "bare.yaml",
        "--init", "propnet-s", "--recipe", folder / "quick.yaml", "--epochs", 1, "--out",
        folder / "run", "--precision", "f32",
    )  # fmt: skip
    assert "works without boundary maps" in text
    assert "pictures are not mirrored" in text
    assert not load_network(str(folder / "run" / "best.safetensors"))[1].config.propagation


def test_a_coco_file_gives_the_errors_of_its_wflw_list(tmp_path: Path) -> None:
    faces = read_dataset("wflw", write_faces(tmp_path), "test")
    sizes = [face.load().shape[1::-1] for face in faces]
    write_coco(tmp_path / "faces.json", faces, tmp_path, sizes)
    others = read_dataset("coco", tmp_path / "faces.json", "all", own=OwnPoints(WFLW))
    with closing(open_torch_engine("propnet-s", "cpu")) as engine:
        first, second = evaluate(engine, faces), evaluate(engine, others)
    np.testing.assert_allclose(second.errors, first.errors, atol=1e-6)
    assert first.errors.mean() > 0


def test_what_is_said_of_a_markup() -> None:
    assert not list(limits(WFLW, [], []))
    assert not for_points(get_variant("propnet-s"), arrow_markup(curves={})).propagation
    assert for_points(get_variant("propnet-s"), arrow_markup()).propagation


def test_small_sets_fill_an_epoch(folder: Path) -> None:
    own = OwnPoints(arrow_markup())
    samples = read_dataset("coco", folder / "data", "all", own=own)
    order = epoch_order(samples, Recipe(least_views=60), seed=1, epoch=0)
    assert sorted(order) == sorted(list(range(12)) * 5)
    assert len(epoch_order(samples, Recipe(least_views=5), seed=1, epoch=0)) == 12
    assert load_recipe("own").least_views > 1000
    with pytest.raises(InputError, match="least_views must not be negative"):
        Recipe(least_views=-1)
