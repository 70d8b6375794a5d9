"""The training loop and its command: learning, resuming bit for bit, stopping, refusing."""

from __future__ import annotations

import csv
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from model.errors import InputError, run_command
from model.output_lock import OutputLock
from model.weights import load_network
from tests.support.face_files import RECIPE, TINY, read_faces, write_faces
from tests.support.paths import ROOT
from tracker.engines.torch import open_torch_engine
from train.data.sample import Sample
from train.evaluation.landmark_errors import evaluate
from train.learning.checkpoint import Progress
from train.learning.loader_signals import Interrupted
from train.learning.processes import World
from train.learning.trainer import Trainer
from train.recipes.augment_config import AugmentConfig
from train.recipes.recipe import Distillation, Source, Stage
from train.recipes.run_config import RunConfig, faces_digest
from train.run import app

STEPS = 6  # 24 faces in batches of 4


class Killed(Exception):
    """What a test raises where a real run would be killed."""


def kill_at(step: int) -> Callable[[Progress, float], None]:
    def report(progress: Progress, done: float) -> None:
        if progress.step == step:
            raise Killed

    return report


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_faces(tmp_path_factory.mktemp("faces"))


@pytest.fixture(scope="module")
def faces(data: Path) -> tuple[list[Sample], list[Sample]]:
    return read_faces(data)


def config(out: Path, **changes: Any) -> RunConfig:
    basis = RunConfig(
        "tiny", TINY, replace(RECIPE, augment=AugmentConfig()), out, epochs=2, max_minutes=None,
        checkpoint_minutes=0, recipe_name="test",
    )  # fmt: skip
    return replace(basis, **changes)


def trainer(
    faces: tuple[list[Sample], list[Sample]],
    settings: RunConfig,
    report: Callable[[Progress, float], object] = lambda progress, done: None,
) -> Trainer:
    return Trainer(settings, *faces, World(0, 1, torch.device("cpu")), report)


def numbers(run: Trainer) -> dict[str, Tensor]:
    """Everything that was learned, flat."""
    found = {}

    def collect(prefix: str, value: object) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                collect(f"{prefix}.{key}", inner)
        elif isinstance(value, Tensor):
            found[prefix] = value.clone()

    collect("", run.learner.state())
    return found


def assert_same_run(first: Trainer, second: Trainer) -> None:
    ours, theirs = numbers(first), numbers(second)
    assert ours.keys() == theirs.keys()
    assert [key for key in ours if not torch.equal(ours[key], theirs[key])] == []
    without_time = [[replace(row, minutes=0) for row in r.progress.rows] for r in (first, second)]
    assert without_time[0] == without_time[1]
    assert first.progress.best == second.progress.best


@pytest.fixture(scope="module")
def whole(
    faces: tuple[list[Sample], list[Sample]], tmp_path_factory: pytest.TempPathFactory
) -> Trainer:
    """A run of two epochs that nothing interrupts."""
    run = trainer(faces, config(tmp_path_factory.mktemp("runs") / "whole"))
    run.run()
    return run


def test_the_average_starts_anew_with_the_input_size(
    faces: tuple[list[Sample], list[Sample]], tmp_path: Path
) -> None:
    stages = (Stage(0.5, 64, 4), Stage(1.0, 128, 4))
    settings = config(tmp_path / "run", recipe=replace(RECIPE, stages=stages))
    run = trainer(faces, settings)
    run.run()
    assert [row.size for row in run.progress.rows] == [64, 128]
    assert run.progress.step == 2 * STEPS
    assert run.learner.average.steps == STEPS


def test_a_run_learns_and_writes_its_record(
    whole: Trainer, faces: tuple[list[Sample], list[Sample]]
) -> None:
    out, rows = whole.config.out, whole.progress.rows
    assert [row.loss for row in rows] == sorted((row.loss for row in rows), reverse=True)
    assert rows[1].loss < 0.8 * rows[0].loss
    assert [(row.epoch, row.step, row.images) for row in rows] == [(1, 6, 24), (2, 12, 48)]
    assert rows[0].minutes < rows[1].minutes < 5
    assert {path.name for path in out.iterdir()} == {
        "best.safetensors", "last.safetensors", "checkpoint.pt", "metrics.csv", "metrics.png",
    }  # fmt: skip
    with (out / "metrics.csv").open(newline="", encoding="utf-8") as file:
        read = list(csv.DictReader(file))
    assert [float(row["dev_nme"]) for row in read] == pytest.approx(
        [row.dev_nme for row in rows], rel=1e-5
    )
    assert cv2.imread(str(out / "metrics.png")) is not None


def test_the_weights_say_where_they_come_from_and_score_what_they_say(
    whole: Trainer, faces: tuple[list[Sample], list[Sample]]
) -> None:
    path = whole.config.out / "last.safetensors"
    _, metadata = load_network(str(path))
    assert (metadata.name, metadata.config, metadata.input_size) == ("tiny", TINY, 64)
    row = whole.progress.rows[-1]
    assert metadata.notes.startswith("recipe test (")
    assert f"24 training faces ({faces_digest(faces[0])[:12]}), seed 0, 48 views" in metadata.notes
    assert metadata.notes.endswith(f"dev NME {row.dev_nme:.3f} % at 64 px")
    errors = evaluate(open_torch_engine(str(path), "cpu"), faces[1]).errors
    # The file is in half precision.
    assert 100 * errors.mean() == pytest.approx(row.dev_nme, rel=0.02)


def test_a_run_starts_from_given_weights(
    faces: tuple[list[Sample], list[Sample]], whole: Trainer, tmp_path: Path
) -> None:
    weights = whole.config.out / "last.safetensors"
    run = trainer(faces, config(tmp_path / "run", epochs=1, init=str(weights)))
    given = load_network(str(weights))[0].state_dict()
    started = run.learner.network.state_dict()
    assert all(torch.equal(started[k], v) for k, v in given.items() if v.is_floating_point())
    assert run.learner.network.training
    run.run()
    # An epoch more than two; started from chance it would be behind where it starts.
    assert run.progress.rows[0].loss < whole.progress.rows[0].loss
    notes = load_network(str(tmp_path / "run" / "last.safetensors"))[1].notes
    assert ", from last.safetensors" in notes
    assert str(tmp_path) not in notes


def test_a_wider_network_starts_where_the_given_one_is(
    faces: tuple[list[Sample], list[Sample]], whole: Trainer, tmp_path: Path
) -> None:
    weights = str(whole.config.out / "last.safetensors")
    wide = replace(TINY, channels=2 * TINY.channels)
    run = trainer(faces, config(tmp_path / "run", network=wide, init=weights))
    narrow = load_network(weights)[0]
    image = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        expected, found = (n.eval().landmarks(image) for n in (narrow, run.learner.network))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


def test_weights_of_another_network_are_refused(
    faces: tuple[list[Sample], list[Sample]], whole: Trainer, tmp_path: Path
) -> None:
    other = replace(TINY, channels=32, depth=TINY.depth + 1)
    weights = str(whole.config.out / "last.safetensors")
    with pytest.raises(InputError, match="other settings than tiny: start from weights of the"):
        trainer(faces, config(tmp_path / "run", network=other, init=weights))


@pytest.mark.parametrize("step", [3, STEPS + 2])
def test_a_killed_run_resumes_to_the_same_bits(
    whole: Trainer, faces: tuple[list[Sample], list[Sample]], tmp_path: Path, step: int
) -> None:
    with pytest.raises(Killed):
        trainer(faces, config(tmp_path), kill_at(step)).run()
    resumed = trainer(faces, config(tmp_path))
    # Killed before this step's checkpoint was written.
    assert resumed.progress.step == step - 1
    resumed.run()
    assert_same_run(resumed, whole)


def test_killed_while_evaluating_and_resumed_with_loading_processes(
    whole: Trainer,
    faces: tuple[list[Sample], list[Sample]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def killed(*_: object) -> float:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "_dev_nme", killed)
        with pytest.raises(Killed):
            trainer(faces, config(tmp_path)).run()
    resumed = trainer(faces, config(tmp_path, workers=2))
    assert (resumed.progress.step, resumed.progress.batch) == (STEPS, STEPS)
    resumed.run()
    assert_same_run(resumed, whole)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_leaves(
    whole: Trainer, faces: tuple[list[Sample], list[Sample]], tmp_path: Path, number: signal.Signals
) -> None:
    def report(progress: Progress, done: float) -> None:
        if progress.step == 3:
            os.kill(os.getpid(), number)

    before = [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)]
    settings = config(tmp_path, checkpoint_minutes=99.0)
    with pytest.raises(Interrupted, match=f"stopped by {number.name}") as caught:
        trainer(faces, settings, report).run()
    assert caught.value.number == number
    # An epoch is longer than that: without a score, but there.
    assert "not judged" in load_network(tmp_path / "last.safetensors")[1].notes
    assert [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)] == before
    resumed = trainer(faces, settings)
    assert resumed.progress.step == 4  # the step after which the signal was seen
    if number == signal.SIGTERM:  # once is enough
        resumed.run()
        assert_same_run(resumed, whole)


def test_a_finished_run_stays_finished(
    whole: Trainer, faces: tuple[list[Sample], list[Sample]]
) -> None:
    written = (whole.config.out / "last.safetensors").stat().st_mtime_ns
    again = trainer(faces, config(whole.config.out))
    assert again.run() == whole.progress
    assert (whole.config.out / "last.safetensors").stat().st_mtime_ns == written


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"seed": 1}, "seed"),
        ({"epochs": 3}, "epochs"),
        ({"epochs": None, "max_minutes": 5.0}, "epochs, max_minutes"),
        ({"recipe": replace(RECIPE, learning_rate=0.1)}, "recipe"),
        ({"network": replace(TINY, blur_kernel=5)}, "network"),
        ({"precision": "bf16"}, "precision"),
    ],
)
def test_other_settings_do_not_resume(
    whole: Trainer,
    faces: tuple[list[Sample], list[Sample]],
    changes: dict[str, Any],
    named: str,
) -> None:
    with pytest.raises(InputError, match=f"belongs to a run with another {named}: give the same"):
        trainer(faces, config(whole.config.out, **changes))


def test_a_checkpoint_from_before_a_setting_existed_resumes(
    faces: tuple[list[Sample], list[Sample]], tmp_path: Path
) -> None:
    recipe = replace(RECIPE, sources={"ytf": Source(weight=0.5)})
    settings = config(tmp_path, epochs=1, recipe=recipe)
    with pytest.raises(Killed):
        trainer(faces, settings, kill_at(3)).run()
    path = tmp_path / "checkpoint.pt"
    content = torch.load(path, weights_only=True)
    for old in (content["settings"]["recipe"], content["settings"]["recipe"]["sources"]["ytf"]):
        old.pop("distillation", None)
        old.pop("labels", None)
    del content["settings"]["teachers"]
    torch.save(content, path)
    assert trainer(faces, settings).progress.step == 2
    other = replace(recipe, distillation=Distillation(weight=2.0))
    with pytest.raises(InputError, match="belongs to a run with another recipe"):
        trainer(faces, replace(settings, recipe=other))


def test_other_data_do_not_resume(
    whole: Trainer, faces: tuple[list[Sample], list[Sample]], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="a run with another training data: "):
        trainer((faces[0][:-1], faces[1]), config(whole.config.out))
    with pytest.raises(InputError, match="a run with another dev data: "):
        trainer((faces[0], faces[1][:-1]), config(whole.config.out))
    # The same faces in another folder are the same data.
    moved = [replace(sample, image=tmp_path / sample.image.name) for sample in faces[0]]
    assert faces_digest(moved) == faces_digest(faces[0])


def test_faces_that_nothing_can_be_judged_by_are_refused_at_once(
    faces: tuple[list[Sample], list[Sample]], tmp_path: Path
) -> None:
    points = faces[1][0].points.copy()
    points[60] = np.nan
    lame = replace(faces[1][0], points=points)
    with pytest.raises(InputError, match="are not labelled; correct the labels"):
        trainer((faces[0], [lame, *faces[1][1:]]), config(tmp_path))
    assert not any(tmp_path.iterdir())


def test_stages_change_the_size_and_start_a_new_contest(
    faces: tuple[list[Sample], list[Sample]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The larger input scores worse at first, and is the one to ship all the same.
    scores = iter([5.0, 7.0])
    monkeypatch.setattr(Trainer, "_dev_nme", lambda trainer, stage: next(scores))
    recipe = replace(RECIPE, stages=(Stage(0.5, 64, 4), Stage(1.0, 128, 8)))
    settings = config(tmp_path, recipe=recipe)
    with pytest.raises(Killed):
        trainer(faces, settings, kill_at(8)).run()
    run = trainer(faces, settings)  # resumed in the second stage's epoch
    rows = run.run().rows
    assert [(row.size, row.step) for row in rows] == [(64, 6), (128, 9)]
    assert run.progress.best == rows[1].dev_nme == 7.0
    assert load_network(str(tmp_path / "best.safetensors"))[1].input_size == 128


def test_a_run_by_time_ends_and_counts_only_training(
    faces: tuple[list[Sample], list[Sample]], tmp_path: Path
) -> None:
    settings = config(tmp_path, epochs=None, max_minutes=1e-6)
    done: list[float] = []
    progress = trainer(faces, settings, lambda _, share: done.append(share)).run()
    # One step is longer than the run; its epoch is evaluated and recorded all the same.
    assert (progress.step, progress.epoch, len(progress.rows)) == (1, 1, 1)
    assert done[0] >= 1
    assert progress.rows[0].minutes == progress.seconds / 60
    assert math.isfinite(progress.rows[0].dev_nme)


def test_time_spent_carries_over_a_kill(
    faces: tuple[list[Sample], list[Sample]], tmp_path: Path
) -> None:
    settings = config(tmp_path, epochs=None, max_minutes=60.0)
    with pytest.raises(Killed):
        trainer(faces, settings, kill_at(3)).run()
    run = trainer(faces, settings)
    spent = run.progress.seconds
    assert 0 < spent < 60
    with pytest.raises(Killed):
        run.report = kill_at(4)
        run.run()
    assert run.progress.seconds > spent


def test_a_run_by_time_can_be_lengthened_and_not_shortened(
    faces: tuple[list[Sample], list[Sample]], tmp_path: Path
) -> None:
    first = trainer(faces, config(tmp_path, epochs=None, max_minutes=1e-6))
    finished = first.run()
    assert (finished.step, finished.epoch) == (1, 1)
    again = trainer(faces, config(tmp_path, epochs=None, max_minutes=1e-6))
    assert again.run().step == 1
    longer = config(tmp_path, epochs=None, max_minutes=finished.seconds / 60 + 1e-6)
    progress = trainer(faces, longer).run()
    assert progress.step > 1
    assert progress.epoch == 2
    with pytest.raises(InputError, match="belongs to a run with another max_minutes"):
        trainer(faces, config(tmp_path, epochs=None, max_minutes=1e-6))
    with pytest.raises(InputError, match="belongs to a run with another epochs, max_minutes"):
        trainer(faces, config(tmp_path, epochs=9))


def test_a_loss_that_is_no_number_ends_the_run(
    faces: tuple[list[Sample], list[Sample]], tmp_path: Path
) -> None:
    recipe = replace(RECIPE, learning_rate=1e30, clip_norm=0.0, warmup_steps=0)
    with pytest.raises(InputError, match=r"the loss became (nan|inf) at step \d: lower the"):
        trainer(faces, config(tmp_path, recipe=recipe)).run()


def _ask_for_256_tib(*_: object) -> None:
    torch.empty(2**48, dtype=torch.uint8)


def _fill_a_list(*_: object) -> None:
    bytearray(2**62)


def _lose_a_loader(*_: object) -> None:
    for child in torch.multiprocessing.active_children():
        child.kill()
        # torch raises from its handler of SIGCHLD: here, and not where the test has ended.
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)


@pytest.mark.parametrize(
    ("exhaust", "workers", "words"),
    [
        (_ask_for_256_tib, 0, "there is not enough memory: give a smaller batch"),
        (_fill_a_list, 0, "there is not enough memory: give a smaller batch"),
        (_lose_a_loader, 1, "a loading process died, most likely for want of memory: give a"),
    ],
)
def test_out_of_memory_is_a_sentence_and_the_run_resumes(
    *,
    faces: tuple[list[Sample], list[Sample]],
    tmp_path: Path,
    exhaust: Callable[..., None],
    workers: int,
    words: str,
) -> None:
    """Real allocations that fail, and a loader that is killed as the system does it."""

    def report(progress: Progress, done: float) -> None:
        if progress.step >= 3:
            exhaust()

    with pytest.raises(InputError, match=words):
        trainer(faces, config(tmp_path, workers=workers, epochs=50), report).run()
    # What was saved before it is whole; a step's checkpoint comes after its report.
    assert trainer(faces, config(tmp_path, workers=workers, epochs=50)).progress.step >= 2
    assert not [path.name for path in tmp_path.iterdir() if "partial" in path.name]


def test_a_run_needs_faces(faces: tuple[list[Sample], list[Sample]], tmp_path: Path) -> None:
    for missing in (([], faces[1]), (faces[0], [])):
        with pytest.raises(InputError, match="a run needs training faces and dev faces"):
            trainer(missing, config(tmp_path))
    assert not list(tmp_path.iterdir())


def recipe_file(folder: Path) -> Path:
    path = folder / "quick.yaml"
    path.write_text("stages: [{until: 1.0, size: 64, batch: 4}]\nwarmup_steps: 2\n")
    return path


def command(*options: object) -> list[str]:
    return [sys.executable, "-m", "train.run", *map(str, options), "--threads", "1"]


def test_the_command_from_end_to_end(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "runs" / "first"
    options = ("--data", data, "--recipe", recipe_file(tmp_path), "--out", out, "--epochs", 1)
    done = subprocess.run(
        command(*options), cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "propnet-s: 24 training faces, 6 dev faces, 1 x cpu" in done.stdout
    assert "finished: dev NME" in done.stdout
    network, metadata = load_network(str(out / "best.safetensors"))
    assert metadata.name == "propnet-s"
    assert network.config.channels == 64
    assert "recipe quick (" in metadata.notes
    assert (out / "metrics.csv").read_text().count("\n") == 2
    assert cv2.imread(str(out / "metrics.png")) is not None


def test_the_command_stops_on_a_signal_to_its_group(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    options = ("--data", data, "--recipe", recipe_file(tmp_path), "--out", out, "--epochs", 500)
    process = subprocess.Popen(
        command(*options, "--workers", 1, "--checkpoint-minutes", 0),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 300
        while not (out / "checkpoint.pt").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGTERM)
        _, errors = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 128 + signal.SIGTERM, errors
    assert errors == "stopped by SIGTERM; the same command resumes the run.\n"
    content = torch.load(out / "checkpoint.pt", weights_only=True)
    assert 0 < content["progress"]["step"] < 500 * STEPS
    assert not [path.name for path in out.iterdir() if "partial" in path.name]


def test_one_run_in_a_folder_and_nothing_of_a_killed_one(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """kill -9 at any moment: loading processes end too, and the last checkpoint is whole."""
    psutil = pytest.importorskip("psutil", reason="looks at processes by psutil")
    out = tmp_path / "run"
    options = ("--data", data, "--recipe", recipe_file(tmp_path), "--out", out, "--epochs", 500)
    process = subprocess.Popen(
        command(*options, "--workers", 1, "--checkpoint-minutes", 0),
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while not (out / "checkpoint.pt").exists() and process.poll() is None:
            time.sleep(0.05)
        assert refusal(monkeypatch, capsys, *options) == (
            f"{out} is in use by another run: wait for its end, or give another name."
        )
        # In the middle of writing, if it is caught there.
        for _ in range(2000):
            if list(out.glob("checkpoint.*.partial.pt")):
                break
            time.sleep(0.005)
        loaders = psutil.Process(process.pid).children(recursive=True)
    finally:
        process.kill()
        process.wait()
    # The folder is free at once, whatever becomes of the loaders.
    OutputLock(out, folder=True).release()
    _, alive = psutil.wait_procs(loaders, timeout=30)
    assert not alive
    content = torch.load(out / "checkpoint.pt", weights_only=True)
    assert 0 < content["progress"]["step"] < 500 * STEPS
    shorter = (*options[:-1], 1)
    assert "belongs to a run with another epochs" in refusal(monkeypatch, capsys, *shorter)
    left = [path.name for path in out.iterdir()]
    assert not [name for name in left if "partial" in name or "lock" in name]


def refusal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *options: object
) -> str:
    """The one line with which the command refuses."""
    monkeypatch.setattr(sys, "argv", ["run", *map(str, options)])
    with pytest.raises(SystemExit) as left:
        run_command(app)
    printed = capsys.readouterr()
    assert left.value.code == 2
    assert printed.err.count("\n") == 1
    assert printed.err.startswith("error: ")
    return printed.err.removeprefix("error: ").strip()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--epochs", 1, "--max-minutes", 2], "give the length of the run: either --epochs or"),
        ([], "give the length of the run: either --epochs or --max-minutes."),
        (["--epochs", 0], "--epochs must be at least 1."),
        (["--max-minutes", 0], "--max-minutes must be a number above 0."),
        (["--max-minutes", "nan"], "--max-minutes must be a number above 0."),
        (["--epochs", 1, "--seed", -1], "--seed must not be negative."),
        (["--epochs", 1, "--dataset", "aflw"], "unknown dataset 'aflw': use one of wflw, 300w"),
        (["--epochs", 1, "--model", "big"], "unknown model 'big': use one of propnet, propnet-m"),
        (
            ["--epochs", 1, "--recipe", "fast"],
            "no recipe fast: give a .yaml file or one of correct, cpu",
        ),
        (["--epochs", 1, "--device", "tpu"], "unknown device 'tpu': use auto, cpu or cuda."),
        (["--epochs", 1, "--precision", "f16"], "unknown precision 'f16': use auto, bf16 or f32."),
        (["--epochs", 1, "--data", "nowhere"], "the dataset folder nowhere does not exist."),
    ],
)
def test_wrong_arguments(
    *,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[object],
    message: str,
) -> None:
    out = tmp_path / "run"
    said = refusal(monkeypatch, capsys, "--data", data, "--out", out, *options)
    assert said.startswith(message)
    assert not out.exists()


def test_an_output_that_cannot_be_a_folder(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "taken"
    out.write_text("a file")
    said = refusal(monkeypatch, capsys, "--data", data, "--out", out, "--epochs", 1)
    assert said == f"cannot make the folder {out}: File exists."
    assert out.read_text() == "a file"


def test_cuda_without_a_gpu(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    options = ("--data", data, "--out", tmp_path / "run", "--epochs", 1, "--device", "cuda")
    said = refusal(monkeypatch, capsys, *options)
    assert said == "no CUDA device is visible to torch: use --device cpu."
