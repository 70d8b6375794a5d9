"""A campaign from end to end, in an environment that has only what a rented machine has."""

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from model.errors import InputError
from model.weights import load_network
from tests.support.face_files import write_faces
from tests.support.paths import ROOT
from train.campaign import PHASES, _take_last, app
from train.phases.weight_parts import join_weights

RECIPE = """
learning_rate: 0.00001
warmup_steps: 2
stages:
  - {until: 1.0, size: 128, batch: 2}
augment: {p_turn: 0.2, p_blink: 0.2}
"""


def start(folder: Path, *options: str) -> list[str]:
    """The command of a rehearsal: the smallest network that is shipped."""
    if not (folder / "faces").is_dir():
        write_faces(folder / "faces", train=16)
        (folder / "recipe.yaml").write_text(RECIPE)
    words = {
        "data": folder / "faces",
        "out": folder / "out",
        "work": folder / "work",
        "model": "propnet-s",
        "init": "propnet-s",
        "recipe": folder / "recipe.yaml",
        "batch": "2,4",
        "workers": 1,
        "precision": "f32",
        "engine": "onnxruntime-f32",
        "faces": 1,
    }
    flags = [word for name, value in words.items() for word in (f"--{name}", str(value))]
    return [sys.executable, "-m", "train.campaign", *flags, *options]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "tests" / "support" / "bare")}


def test_a_rehearsal(tmp_path: Path) -> None:
    skipped = ("speed-compiled", "engines-m", "engines-s")
    skip = [word for name in skipped for word in ("--skip", name)]
    # Time enough for a busy machine, of which training gets the least.
    command = start(tmp_path, "--minutes", "12", "--after", "12", *skip)
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment()
    )
    assert done.returncode == 0, done.stdout + done.stderr
    out = tmp_path / "out"
    record = json.loads((out / "campaign.json").read_text())
    ended = {name: phase["status"] for name, phase in record["phases"].items()}
    # There is no GPU, and that phase says so.
    assert ended.pop("tensorrt") == "failed", done.stdout
    assert "no NVIDIA driver" in record["phases"]["tensorrt"]["tail"]
    assert {name for name, status in ended.items() if status == "not run"} == set(skipped)
    assert {name for name, status in ended.items() if status == "done"} == {
        "machine", "speed", "train", "evaluate", "export", "agreement", "engines",
        "engines-no-graphs", "tests",
    }, done.stdout  # fmt: skip
    assert "openvino" not in record["phases"]["machine"]["tail"]
    plan = record["facts"]["training"]
    assert plan["batch"] in (2, 4)
    assert plan["learned_views_per_second"] > 0
    assert plan["loaded_views_per_second"] > 0
    # What leaves are a few files, and they are enough.
    join_weights(out.glob("best.part*"), tmp_path / "back.safetensors")
    _, metadata = load_network(str(tmp_path / "back.safetensors"))
    assert metadata.input_size == 128
    assert "from propnet-s" in metadata.notes
    assert record["phases"]["evaluate"]["report"]["weights_sha256"] == metadata.sha256
    assert record["phases"]["agreement"]["report"]["engines"][0]["problems"] == []
    with zipfile.ZipFile(out / "reports.zip") as archive:
        assert {"train.log", "metrics.csv", "recipe.yaml"} <= set(archive.namelist())
    # What is done is not done again.
    again = subprocess.run(
        start(tmp_path, "--minutes", "1", *skip, "--skip", "tensorrt"),
        capture_output=True, text=True, check=False, cwd=ROOT, env=environment(),
    )  # fmt: skip
    assert again.returncode == 0, again.stdout + again.stderr
    assert "begins" not in again.stdout
    assert json.loads((out / "campaign.json").read_text())["phases"]["train"]["status"] == "done"


def test_one_that_is_told_to_end_takes_its_children_along(tmp_path: Path) -> None:
    work = tmp_path / "work"
    command = start(tmp_path, "--minutes", "5", "--skip", "speed", "--skip", "speed-compiled")
    running = subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE)
    log = work / "reports" / "train.log"
    for _ in range(600):
        if log.is_file() and log.stat().st_size:
            break
        time.sleep(0.1)
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=30)
    assert running.returncode == 128 + signal.SIGTERM
    processes = subprocess.run(
        ["ps", "-eo", "args"], capture_output=True, text=True, check=True
    ).stdout
    assert str(work) not in processes


def test_weights_that_were_never_judged_are_better_than_none(tmp_path: Path) -> None:
    best = tmp_path / "best.safetensors"
    _take_last(best)
    assert not best.exists()
    (tmp_path / "last.safetensors").write_text("last")
    _take_last(best)
    assert best.read_text() == "last"
    best.write_text("judged")
    _take_last(best)
    assert best.read_text() == "judged"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--skip", "lunch"], rf"unknown phase 'lunch': use {PHASES[0]}, "),
        (["--model", "propnet-xl"], "unknown model 'propnet-xl'"),
        (["--recipe", "soup"], "soup"),
        (["--data", "nowhere"], "the dataset folder nowhere does not exist"),
        (["--out", "/dev/null/out"], "cannot make the folder"),
    ],
)
def test_wrong_arguments(tmp_path: Path, options: list[str], problem: str) -> None:
    command = start(tmp_path, "--minutes", "1")[3:]
    done = CliRunner().invoke(app, [*command, *options])
    assert isinstance(done.exception, InputError), done.output
    with pytest.raises(InputError, match=problem):
        raise done.exception
