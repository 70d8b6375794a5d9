"""The command that times training."""

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from model.config import VARIANTS
from model.errors import InputError
from tests.support.face_files import RECIPE, TINY, write_faces
from train.learning import step_speed
from train.learning.processes import World
from train.learning.step_speed import measure_steps
from train.recipes.recipe import Stage
from train.recipes.run_config import RunConfig
from train.speed import app

CPU = World(0, 1, torch.device("cpu"))


def config() -> RunConfig:
    return RunConfig("tiny", TINY, RECIPE, Path(), epochs=1, max_minutes=None, precision="f32")


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VARIANTS, "propnet-s", TINY)
    data, figures = write_faces(tmp_path / "faces"), tmp_path / "speed.json"
    arguments = ["--data", str(data), "--input-size", "64", "--batch", "2,4", "--seconds", "0"]
    done = CliRunner().invoke(
        app, [*arguments, "--workers", "1", "--precision", "f32", "--json", str(figures)]
    )
    assert done.exit_code == 0, done.output
    assert "views/s by 1 processes" in done.output
    found = json.loads(figures.read_text())
    assert [step["batch"] for step in found["steps"]] == [2, 4]
    for step in found["steps"]:
        assert step["views_per_second"] > 0
        assert not step["problem"]
        assert not step["compiled"]
    assert found["loading_views_per_second"] > 0
    assert found["device"] == "cpu"


def test_what_does_not_fit_is_a_line_and_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate\nmuch")

    monkeypatch.setattr(step_speed.Learner, "step", full)
    speed = measure_steps(config(), Stage(1.0, 64, 2), CPU, 0)
    assert speed.problem == "OutOfMemoryError: CUDA out of memory. Tried to allocate"
    assert speed.views_per_second == 0


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--batch", "8,x"], "must be numbers of views"),
        (["--dataset", "lfw"], "unknown dataset 'lfw'"),
        (["--device", "tpu"], "unknown device 'tpu': use auto, cpu or cuda."),
    ],
)
def test_wrong_arguments(arguments: list[str], problem: str) -> None:
    done = CliRunner().invoke(app, arguments)
    assert isinstance(done.exception, InputError)
    assert problem in str(done.exception)


def test_too_few_faces_to_time_their_loading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(VARIANTS, "propnet-s", TINY)
    data = write_faces(tmp_path / "faces", train=4)
    arguments = ["--data", str(data), "--input-size", "64", "--batch", "4", "--seconds", "0"]
    done = CliRunner().invoke(app, [*arguments, "--precision", "f32"])
    assert "fill one batch only" in str(done.exception)
