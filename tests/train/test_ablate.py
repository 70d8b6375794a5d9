"""The ablations: what differs between the runs, the command from end to end, the report."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from model.config import VARIANTS, PropNetConfig
from model.errors import InputError
from model.weights import load_network
from tests.support.commands import module_command
from tests.support.face_files import TINY, read_faces, write_faces
from tracker.engines.torch import open_torch_engine
from train.ablate import app
from train.evaluation.landmark_errors import evaluate
from train.recipes.recipe import Recipe, Stage
from train.trials.ablation_report import RESULT, AblationResult, read_results, to_json, to_tables
from train.trials.paper_variants import TABLES, network_of, recipe_of, variants_of
from train.trials.paper_variants import VARIANTS as RUNS
from train.trials.trial_runs import trial_epochs

ALL = variants_of((4, 5, 6, 7))


def test_every_table_compares_with_the_baseline_and_every_run_belongs_to_one() -> None:
    assert {variant.name for variant in ALL} == set(RUNS)
    assert all(entries[0].variant == "baseline" for _, entries in TABLES.values())
    assert [variant.name for variant in ALL][:2] == ["baseline", "propagation"]
    assert [variant.name for variant in variants_of((7,))] == ["baseline", "focal"]
    with pytest.raises(InputError, match="table 8 holds no ablation: use some of 4, 5, 6, 7"):
        variants_of((4, 8))


def test_a_variant_differs_from_the_baseline_in_what_its_table_says() -> None:
    small = VARIANTS["propnet-s"]
    plain = network_of(RUNS["baseline"], small)
    assert plain == PropNetConfig(
        2, 64, block="bottleneck", propagation=False, coord_conv=False, blur_kernel=0
    )

    def changed(name: str) -> dict[str, Any]:
        ours, base = (asdict(c) for c in (network_of(RUNS[name], small), plain))
        return {key: value for key, value in ours.items() if value != base[key]}

    assert changed("propagation") == {"propagation": True}
    assert changed("hpm") == {"block": "hpm"}
    assert changed("mhm") == {"block": "hpm", "blur_kernel": 3}
    assert [changed(f"blur{n}") for n in (2, 3, 5)] == [{"blur_kernel": n} for n in (2, 3, 5)]
    assert changed("focal") == {}
    recipe = Recipe()
    assert not recipe_of(RUNS["baseline"], recipe).loss.focal
    assert recipe_of(RUNS["focal"], recipe) == recipe


def result(variant: str, seed: int, nme: float, **changes: Any) -> AblationResult:
    basis = AblationResult(
        variant, seed, 480, 2, 64, 8, "cpu", 24, 1_234_567, 6, nme, 2 * nme, nme / 10
    )
    return replace(basis, **changes)


def write_results(root: Path, *results: AblationResult) -> Path:
    for one in results:
        folder = root / f"{one.variant}-{one.seed}"
        folder.mkdir(parents=True)
        (folder / RESULT).write_text(json.dumps(asdict(one)))
    return root


def test_the_report_means_over_seeds_and_compares_within_them(tmp_path: Path) -> None:
    root = write_results(
        tmp_path,
        result("baseline", 0, 5.0),
        result("baseline", 1, 6.0),
        result("propagation", 0, 4.5),
        result("propagation", 1, 5.7),
        result("propagation", 2, 9.0),
        result("focal", 0, 5.25),
    )
    found = read_results(root, ALL)
    report = to_json(found, (4, 5, 7))
    base, module = report["tables"]["4"]["rows"]
    assert base["seeds"] == [0, 1]
    assert base["nme"] == {"mean": 5.5, "deviation": pytest.approx(np.sqrt(0.5))}
    assert base["change"] is None
    assert module["seeds"] == [0, 1, 2]
    assert module["nme"]["mean"] == pytest.approx(6.4)
    # -0.5 and -0.3: seed 2 has no baseline.
    assert module["change"]["mean"] == pytest.approx(-0.4)
    assert module["change"]["deviation"] == pytest.approx(np.std([-0.5, -0.3], ddof=1))
    assert module["paper"] == {"nme": 4.48, "fr10": 3.12, "auc10": 0.5421}
    assert [row["seeds"] for row in report["tables"]["5"]["rows"]] == [[0, 1], [], []]
    focal = report["tables"]["7"]["rows"][1]
    assert focal["nme"] == {"mean": 5.25, "deviation": None}
    tables = to_tables(found, (4, 5, 7))
    assert [table.row_count for table in tables] == [2, 3, 2]
    cells = [[*column.cells] for column in tables[0].columns]
    assert [column[1] for column in cells] == [
        "with", "3", "480", "1.23 M", "6.40 ± 2.33", "-0.40 ± 0.14", "12.80 ± 4.66",
        "0.6400 ± 0.2330", "4.48", "-0.33", "3.12", "0.5421",
    ]  # fmt: skip


def test_runs_that_cannot_be_compared_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no finished run of these tables"):
        read_results(tmp_path, ALL)
    write_results(tmp_path, result("baseline", 0, 5.0), result("focal", 0, 5.0, epochs=3))
    with pytest.raises(
        InputError, match=r"differ in 'epochs' \(2, 3\): compare only runs of equal"
    ):
        read_results(tmp_path, ALL)
    # Another table's run does not matter.
    assert len(read_results(tmp_path, variants_of((4,)))) == 1
    (tmp_path / "baseline-0" / RESULT).write_text("{}")
    with pytest.raises(InputError, match="is damaged: delete it and run the ablation again"):
        read_results(tmp_path, ALL)


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
    options = (
        "--data", data, "--out", out, "--table", "7,4", "--seeds", "3", "--size", 64,
        "--batch", 8, "--threads", 1, "--model", "tiny",
    )  # fmt: skip
    done = command(*options, "--views", 12)
    assert done.returncode == 0, done.stderr
    runs = sorted(path.name for path in out.iterdir())
    assert runs == ["baseline-3", "focal-3", "propagation-3"]
    for name in runs:
        with (out / name / "metrics.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        values = json.loads((out / name / RESULT).read_text())
        # cpu.yaml serves a third of the 6 ytf faces and all of the 18 others: one epoch will do, in
        # whole batches.
        assert [int(row["images"]) for row in rows] == [16] == [values["views"]]
        assert values["nme"] == pytest.approx(float(rows[-1]["dev_nme"]), rel=0.02)
    weights = str(out / "propagation-3" / "last.safetensors")
    network, _ = load_network(weights)
    assert network.config == network_of(RUNS["propagation"], TINY)
    errors = evaluate(open_torch_engine(weights, "cpu"), read_faces(data)[1]).errors
    values = json.loads((out / "propagation-3" / RESULT).read_text())
    assert values["nme"] == pytest.approx(100 * errors.mean(), rel=1e-5)
    written = {path: path.stat().st_mtime_ns for path in out.glob("*/*")}
    # A finished run stays, a lost score is taken again, other settings are refused.
    (out / "focal-3" / RESULT).unlink()
    again = command(*options, "--views", 12)
    assert again.returncode == 0, again.stderr
    kept = {path: path.stat().st_mtime_ns for path in out.glob("*/*")}
    assert {path for path in written if kept[path] != written[path]} == {out / "focal-3" / RESULT}
    other = command(*options, "--epochs", 2)
    assert other.returncode == 2
    assert "belongs to a run with another epochs" in other.stderr
    report = command("--report", "--out", out, "--json")
    assert report.returncode == 0, report.stderr
    rows = json.loads(report.stdout)["tables"]["4"]["rows"]
    assert [row["seeds"] for row in rows] == [[3], [3]]
    assert rows[1]["change"]["mean"] == pytest.approx(
        rows[1]["nme"]["mean"] - rows[0]["nme"]["mean"]
    )
    shown = command("--report", "--out", out)
    assert shown.returncode == 0
    assert "Table 6" in shown.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--epochs", 1], "give the folder of the faces: --data."),
        (["--table", "9"], "table 9 holds no ablation"),
        (["--seeds", "a", "--data", "DATA", "--epochs", 1], "--seeds is 'a'; give whole numbers"),
        (["--data", "DATA"], "either --epochs or --views"),
        (["--data", "DATA", "--views", 0], "--views must be at least 1"),
        (["--json"], "--json is for the report: add --report."),
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


def test_the_length_in_faces_is_rounded_up_to_epochs(tmp_path: Path) -> None:
    training = read_faces(write_faces(tmp_path / "faces"))[0]
    recipe = Recipe(stages=(Stage(1.0, 64, 5),))  # 24 faces in batches of 5: 20 an epoch
    assert [trial_epochs(None, views, training, recipe) for views in (1, 20, 21, 60)] == [
        1,
        1,
        2,
        3,
    ]
    assert trial_epochs(7, None, training, recipe) == 7
