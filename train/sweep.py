"""`python -m train.sweep`: changes to a recipe, one at a time at equal lengths, and their report.

Each change and seed is a run of `train.run` in a folder of its own, OUT/CHANGE-SEED.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.console import Console

from model.config import VARIANTS, get_variant
from model.errors import InputError, run_command
from tracker.detection.face_detector import FaceDetector
from tracker.engines.base import Engine
from train.data.datasets import DEFAULT_SPLITS, MARKUP_OF, read_dataset
from train.data.label_groups import EYES_CLOSED, openings
from train.data.sample import Sample
from train.evaluation.landmark_errors import evaluate
from train.evaluation.metrics import summarize
from train.evaluation.predict import DetectorLocator
from train.learning.precision import HELP as PRECISION_HELP
from train.learning.precision import choose_precision
from train.learning.processes import check_device
from train.recipes.recipe import load_recipe
from train.recipes.run_config import RunConfig
from train.trials.recipe_changes import Change, load_changes
from train.trials.sweep_report import RESULT, read_results, to_rows, to_table
from train.trials.trial_runs import numbers, run_trials, trial_epochs

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    *,
    out: Annotated[Path, typer.Option(help="Folder of the runs.")],
    data: Annotated[
        list[Path] | None, typer.Option(help="Folder in WFLW's layout; repeat to use several.")
    ] = None,
    changes: Annotated[
        str, typer.Option(help="Name in train/recipes/sweeps, or a .yaml file.")
    ] = "refine",
    only: Annotated[
        str | None, typer.Option(help="Names of some changes, as in base,sigma-2. Default: all.")
    ] = None,
    recipe: Annotated[
        str, typer.Option(help="What is changed: a name in train/recipes, or a .yaml file.")
    ] = "cpu-128",
    init: Annotated[
        str | None, typer.Option(help="Weights to start from; default: random ones.")
    ] = None,
    model: Annotated[str, typer.Option(help=f"One of {', '.join(VARIANTS)}.")] = "propnet-s",
    seeds: Annotated[str, typer.Option(help="One run of every change for each.")] = "0",
    epochs: Annotated[int | None, typer.Option(help="Length of every run, or")] = None,
    views: Annotated[
        int | None, typer.Option(help="that of the base in faces seen, rounded up to whole epochs.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    precision: Annotated[str, typer.Option(help=PRECISION_HELP)] = "auto",
    workers: Annotated[int, typer.Option(min=0, help="Loading processes.")] = 0,
    threads: Annotated[int | None, typer.Option(min=1, help="Processor threads of torch.")] = None,
    report: Annotated[
        bool, typer.Option("--report", help="Train nothing: print what the runs have found.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Try changes to a recipe one at a time, or with --report print what they did.

    Run the same command again to resume; several may run side by side with other --only. Seeds are
    the outer loop.
    """
    if report:
        results = read_results(out)
        if as_json:
            typer.echo(json.dumps(to_rows(results), indent=2))
        else:
            # Without a terminal rich assumes 80 columns.
            width = None if sys.stdout.isatty() else 160
            Console(width=width, highlight=False).print(to_table(results))
        return
    if as_json:
        raise InputError("--json is for the report: add --report.")
    if not data:
        raise InputError("give the folder of the faces: --data.")
    check_device(device)
    chosen = _chosen(load_changes(changes), only)
    basis = load_recipe(recipe)
    if threads is not None:
        torch.set_num_threads(threads)
    training = [sample for root in data for sample in read_dataset("wflw", root, "train")]
    dev = read_dataset("wflw", data[0], DEFAULT_SPLITS["wflw"])
    length = trial_epochs(epochs, views, training, basis)
    configs = {
        f"{change.name}-{seed}": RunConfig(
            name=model,
            network=replace(get_variant(model), markup=MARKUP_OF["wflw"]),
            recipe=change.apply(basis),
            out=out / f"{change.name}-{seed}",
            epochs=length,
            max_minutes=None,
            seed=seed,
            workers=workers,
            precision=choose_precision(precision, device),
            recipe_name=Path(recipe).stem,
            init=init,
            teachers=change.teachers,
        )
        for seed in numbers("--seeds", seeds)
        for change in chosen
    }
    run_trials(
        configs,
        training,
        dev,
        device,
        file=RESULT,
        score=lambda label, engine: {
            "change": label.rpartition("-")[0],
            **score_weights(engine, dev),
        },
    )


def score_weights(engine: Engine, dev: list[Sample]) -> dict[str, Any]:
    """What a `train.trials.sweep_report.Result` says of weights."""
    upright = evaluate(engine, dev)
    errors = 100 * upright.errors
    found = openings([*upright.points], upright.markup)
    labelled = openings([sample.points for sample in dev], upright.markup)
    closed = labelled < EYES_CLOSED
    with FaceDetector() as detector:
        detected = evaluate(engine, dev, locate=DetectorLocator(detector)).errors
    return {
        "n": len(dev),
        "nme": float(errors.mean()),
        # Faces of one source and one person lie side by side in the lists.
        "halves": [float(np.mean(errors[start::2])) for start in (0, 1)],
        "nme_detector": summarize(detected).nme,
        "nme_flip": float(100 * evaluate(engine, dev, flip=True).errors.mean()),
        "opening": float(np.abs(found - labelled).mean()),
        "closed": float(found[closed].mean()) if closed.any() else None,
    }


def _chosen(changes: list[Change], only: str | None) -> list[Change]:
    """The changes that --only names, in their order."""
    if only is None:
        return changes
    wanted = {name.strip() for name in only.split(",")}
    for name in sorted(wanted - {change.name for change in changes}):
        known = ", ".join(change.name for change in changes)
        raise InputError(f"--only names no change {name!r}: use some of {known}.")
    return [change for change in changes if change.name in wanted]


if __name__ == "__main__":
    run_command(app)
