"""Sweeps: how changes apply to a recipe, the command from end to end, the report."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from model.config import VARIANTS
from model.errors import InputError
from tests.support.commands import module_command
from tests.support.face_files import TINY, read_faces, write_faces
from tracker.engines.torch import open_torch_engine
from train.evaluation.landmark_errors import evaluate
from train.recipes.recipe import Recipe, Source, Stage, load_recipe
from train.sweep import app, score_weights
from train.trials.recipe_changes import BASE, SWEEPS, Change, load_changes
from train.trials.sweep_report import RESULT, SweepResult, read_results, to_rows, to_table


def test_a_change_replaces_what_it_names_and_nothing_else() -> None:
    basis = load_recipe("cpu-128")
    assert Change(BASE).apply(basis) == basis
    changed = Change("a", {"loss": {"beta": 1.0}, "learning_rate": 1}).apply(basis)
    assert changed == replace(basis, learning_rate=1.0, loss=replace(basis.loss, beta=1.0))
    # One setting of one source; a list as a whole; a source that the base does not have.
    wild = Change("b", {"sources": {"wild": {"rate": 0.0}, "mine": {"weight": 2.0}}}).apply(basis)
    assert wild.sources == {
        **basis.sources,
        "wild": replace(basis.sources["wild"], rate=0.0),
        "mine": Source(weight=2.0),
    }
    stages = Change("c", {"stages": [{"until": 1.0, "size": 192, "batch": 4}]}).apply(basis)
    assert stages == replace(basis, stages=(Stage(1.0, 192, 4),))


def test_wrong_changes_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^change a, loss: unknown setting 'beat'; known are"):
        Change("a", {"loss": {"beat": 1.0}}).apply(Recipe())
    with pytest.raises(InputError, match="use lower-case letters, digits, dots, dashes"):
        Change("../a")
    with pytest.raises(InputError, match="no list of changes nosuch: give a"):
        load_changes("nosuch")
    for text, message in (
        ("- name: a\n- name: a", "names two changes 'a'"),
        ("- name: base", "names two changes 'base'"),
        ("[]", "holds no list of changes"),
        ("- {name: a, lr: 1}", "unknown setting 'lr'"),
        ("- {recipe: {}}", "the setting 'name' is missing"),
        ("a: [", "is not a YAML file"),
    ):
        (path := tmp_path / "changes.yaml").write_text(text)
        with pytest.raises(InputError, match=message):
            load_changes(str(path))


@pytest.mark.parametrize("path", sorted(SWEEPS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_change_changes_its_recipe(path: Path) -> None:
    first, *others = load_changes(path.stem)
    assert first == Change(BASE)
    basis = load_recipe("cpu-128")
    recipes = [change.apply(basis) for change in others]
    assert basis not in recipes
    assert len({json.dumps(recipe.to_dict()) for recipe in recipes}) == len(recipes)


def result(change: str, seed: int, nme: float, **changes: Any) -> SweepResult:
    basis = SweepResult(
        change,
        seed,
        480,
        1.5,
        2,
        128,
        "cpu-128",
        24,
        6,
        nme,
        [nme - 1, nme + 1],
        nme + 0.5,
        nme / 2,
        nme / 50,
        None,
    )
    return replace(basis, **changes)


def write_results(root: Path, *results: SweepResult) -> Path:
    for one in results:
        folder = root / f"{one.change}-{one.seed}"
        folder.mkdir(parents=True)
        (folder / RESULT).write_text(json.dumps(asdict(one)))
    return root


def test_the_report_compares_within_seeds_and_sorts(tmp_path: Path) -> None:
    root = write_results(
        tmp_path,
        result("base", 0, 5.0),
        result("base", 1, 6.0),
        result("worse", 0, 6.5),
        result("better", 0, 4.0, views=500, nme_detector=None),
        result("better", 1, 5.5, views=520, nme_detector=7.0),
        result("unseen", 7, 9.0, nme_detector=None),
    )
    rows = to_rows(read_results(root))
    assert [row["change"] for row in rows] == ["base", "better", "worse", "unseen"]
    base, better, worse, unseen = rows
    assert base["nme"] == {"mean": 5.5, "deviation": pytest.approx(np.sqrt(0.5))}
    assert base["difference"] is None
    assert better["seeds"] == [0, 1]
    assert better["views"] == 510
    assert better["difference"]["mean"] == pytest.approx(-0.75)
    assert better["difference"]["deviation"] == pytest.approx(np.std([-1.0, -0.5], ddof=1))
    assert better["nme_detector"] == {"mean": 7.0, "deviation": None}
    assert better["halves"] == [3.75, 5.75]
    assert worse["difference"] == {"mean": 1.5, "deviation": None}
    assert (unseen["difference"], unseen["nme_detector"]) == (None, None)
    table = to_table(read_results(root))
    assert [[*column.cells][1] for column in table.columns] == [
        "better", "2", "128", "510", "1.5", "4.750 ± 1.061", "-0.750 ± 0.354", "3.75 5.75",
        "7.000", "2.375 ± 0.530", "0.095 ± 0.021", "",
    ]  # fmt: skip


def test_runs_that_cannot_be_compared_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no finished run: run the sweep first"):
        read_results(tmp_path)
    write_results(tmp_path, result("base", 0, 5.0), result("a", 0, 5.0, epochs=3))
    with pytest.raises(InputError, match=r"differ in 'epochs' \(2, 3\)"):
        read_results(tmp_path)
    (tmp_path / "a-0" / RESULT).write_text("{}")
    with pytest.raises(InputError, match="is damaged: delete it and run the sweep again"):
        read_results(tmp_path)


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., SimpleNamespace]:
    return module_command(app, monkeypatch, capsys)


def test_the_command_from_end_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[..., SimpleNamespace]
) -> None:
    monkeypatch.setitem(VARIANTS, "tiny", TINY)
    data, out = write_faces(tmp_path / "faces"), tmp_path / "runs"
    (recipe := tmp_path / "mine.yaml").write_text("stages: [{until: 1.0, size: 64, batch: 8}]")
    start = tmp_path / "start" / f"{BASE}-0" / "last.safetensors"
    (changes := tmp_path / "changes.yaml").write_text(
        "- {name: fast, recipe: {learning_rate: 0.01}}\n"
        f"- {{name: taught, teachers: ['{start}']}}\n"
    )
    options = (
        "--data", data, "--recipe", recipe, "--changes", changes, "--model", "tiny",
        "--threads", 1, "--views", 24,
    )  # fmt: skip
    assert command(*options, "--only", "base", "--out", tmp_path / "start").returncode == 0
    done = command(*options, "--init", start, "--seeds", "2", "--out", out)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in out.iterdir()) == ["base-2", "fast-2", "taught-2"]
    weights = [(out / name / "last.safetensors").read_bytes() for name in ("base-2", "fast-2")]
    assert weights[0] != weights[1]
    # Scored as everywhere else.
    engine = open_torch_engine(str(out / "taught-2" / "last.safetensors"), "cpu")
    dev = read_faces(data)[1]
    errors = 100 * evaluate(engine, dev).errors
    values = json.loads((out / "taught-2" / RESULT).read_text())
    assert values["nme"] == pytest.approx(errors.mean(), rel=1e-5)
    assert np.mean(values["halves"]) == pytest.approx(errors.mean(), rel=1e-5)
    assert (values["views"], values["epochs"], values["n"]) == (24, 1, len(dev))
    assert values == {**values, **score_weights(engine, dev)}
    written = {path: path.stat().st_mtime_ns for path in out.glob("*/*")}
    again = command(*options, "--init", start, "--seeds", "2", "--out", out)
    assert again.returncode == 0, again.stderr
    assert {path: path.stat().st_mtime_ns for path in out.glob("*/*")} == written
    report = command("--report", "--out", out, "--json")
    assert report.returncode == 0, report.stderr
    rows = json.loads(report.stdout)
    assert {row["change"] for row in rows} == {"base", "fast", "taught"}
    shown = command("--report", "--out", out)
    assert "changes to mine, one at a time" in shown.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--epochs", 1], "give the folder of the faces: --data."),
        (["--data", "DATA", "--epochs", 1, "--only", "base,fsat"], "names no change 'fsat'"),
        (["--data", "DATA"], "either --epochs or --views"),
        (["--json"], "--json is for the report: add --report."),
        (["--report"], "holds no finished run"),
    ],
)
def test_wrong_arguments(
    tmp_path: Path,
    command: Callable[..., SimpleNamespace],
    options: list[object],
    message: str,
) -> None:
    data = write_faces(tmp_path / "faces", train=8, test=2)
    arguments = [str(data) if option == "DATA" else str(option) for option in options]
    done = command("--out", tmp_path / "runs", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / "runs").exists()
