"""The command that fits where labels lie beside a network's points, on real files."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from numpy.typing import NDArray
from typer.testing import CliRunner

from model.errors import InputError
from model.weights import load_network
from tests.support.face_files import LIST
from tests.support.portrait_faces import write_portraits
from tracker.engines.torch import open_torch_engine
from train import correct
from train.data.datasets import read_dataset
from train.evaluation.metrics import face_errors
from train.evaluation.predict import predict


def higher_mouth(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Labels of a style of their own: the mouth a twentieth of the eyes' distance higher."""
    moved = points.copy()
    moved[76:96, 1] -= 0.05 * np.linalg.norm(points[72] - points[60])
    return moved


@pytest.fixture(scope="module")
def portraits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_portraits(tmp_path_factory.mktemp("portraits"), 10, 3, higher_mouth)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(correct.app, [str(argument) for argument in arguments])


def options(root: Path, out: Path) -> tuple[object, ...]:
    return "--weights", "propnet-s", "--dataset", "wflw", "--data", root, "--out", out


def nme(weights: str, root: Path, *, as_seen: bool = False) -> float:
    samples = read_dataset("wflw", root, "test")
    engine = open_torch_engine(weights, "cpu", "f32")
    if as_seen:
        engine.info = replace(engine.info, correction=None)
    labels = np.stack([sample.points for sample in samples])
    return 100 * float(face_errors(predict(engine, samples), labels, engine.info.markup).mean())


def test_the_command_fits_writes_and_measures(portraits: Path, tmp_path: Path) -> None:
    out, table = tmp_path / "out.safetensors", tmp_path / "out.json"
    result = run(*options(portraits, out), "--json", table)
    assert result.exit_code == 0, result.output
    values = json.loads(table.read_text())
    assert values["fitted_on"] == 10
    before, after = values["dev_nme"]
    assert after < 0.6 * before
    assert nme("propnet-s", portraits, as_seen=True) == pytest.approx(before, rel=1e-3)
    # What is written is what was measured.
    assert nme(str(out), portraits) == pytest.approx(after, rel=1e-3)
    assert values["training_error"][1] < 0.6 * values["training_error"][0]
    assert f"NME {before:.3f} %, corrected {after:.3f} %" in result.output
    assert "train.calibrate" in result.output  # its confidences are of before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.json", out.name]
    # A second fit begins with what the network sees, not with what the first has made of it.
    again = tmp_path / "again.safetensors"
    result = run("--weights", out, *options(portraits, again)[2:])
    assert result.exit_code == 0, result.output
    assert load_network(str(again))[1].correction == load_network(str(out))[1].correction


def test_a_recipe_says_what_counts(portraits: Path, tmp_path: Path) -> None:
    """The recipe that shipped networks were made with, and one by which nothing counts."""
    source = read_dataset("wflw", portraits, "train")[0].source
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"sources:\n  {source}: {{weight: 0.0}}\n")
    out = tmp_path / "out.safetensors"
    result = run(*options(portraits, out), "--recipe", recipe)
    assert isinstance(result.exception, InputError)
    assert "none of the 0 to fit on" in str(result.exception)
    # An offset that all labels have is no style: it is taken out first.
    recipe.write_text(f"sources:\n  {source}: {{offset: [0.05, 0.0]}}\n")
    assert run(*options(portraits, out), "--recipe", recipe).exit_code == 0
    samples = read_dataset("wflw", portraits, "test")
    plain = predict(open_torch_engine("propnet-s", "cpu", "f32"), samples)
    moved = predict(open_torch_engine(str(out), "cpu", "f32"), samples)
    eyes = np.linalg.norm(plain[:, 72] - plain[:, 60], axis=1)
    # The jaw, which the labels have where the network has it, moves against the offset.
    assert ((moved - plain)[:, :33, 0].mean(axis=1) / eyes).mean() == pytest.approx(
        -0.05, abs=0.015
    )


def test_labels_that_only_scatter_are_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    root = write_portraits(tmp_path, 6, 2, lambda points: points + rng.normal(0, 2.5, points.shape))
    out = tmp_path / "out.safetensors"
    result = run(*options(root, out))
    assert isinstance(result.exception, InputError)
    assert "the corrected points are no nearer" in str(result.exception)
    assert not out.exists()


def test_what_the_command_refuses(portraits: Path, tmp_path: Path) -> None:
    there = tmp_path / "there.safetensors"
    there.write_text("here")
    for out, message in (
        (tmp_path / "x.onnx", "goes into a copy of the .safetensors"),
        (there, "exists already"),
    ):
        result = run(*options(portraits, out))
        assert isinstance(result.exception, InputError)
        assert message in str(result.exception)
    assert there.read_text() == "here"
    (tmp_path / "few").mkdir()
    few = write_portraits(tmp_path / "few", 4, 2)
    result = run(*options(few, tmp_path / "out.safetensors"))
    assert isinstance(result.exception, InputError)
    assert "faces of 5 training pictures or more" in str(result.exception)


def test_faces_that_lack_landmarks_are_left_out(portraits: Path, tmp_path: Path) -> None:
    path = portraits / LIST.format("train")
    before = path.read_text()
    line = before.splitlines()[0].split()
    try:
        path.write_text(before + " ".join(["nan"] * 196 + line[196:]) + "\n")
        result = run(*options(portraits, tmp_path / "out.safetensors"))
    finally:
        path.write_text(before)
    assert result.exit_code == 0, result.output
    assert "1 of the 11 to fit on lack landmarks and are left out." in result.output
