"""`python -m train.ablate`: the paper's ablations at equal budgets, and their report.

Each variant and seed is a run of `train.run` in a folder of its own, OUT/VARIANT-SEED. All see the
same views in the same order, so that a difference is the variant's.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console

from model.config import get_variant
from model.errors import InputError, run_command
from model.weights import load_network
from tracker.engines.base import Engine
from train.data.datasets import DEFAULT_SPLITS, MARKUP_OF, read_dataset
from train.evaluation.landmark_errors import evaluate
from train.evaluation.metrics import summarize
from train.learning.precision import HELP as PRECISION_HELP
from train.learning.precision import choose_precision
from train.learning.processes import check_device
from train.recipes.recipe import Stage, load_recipe
from train.recipes.run_config import RunConfig
from train.trials.ablation_report import RESULT, read_results, to_json, to_tables
from train.trials.paper_variants import network_of, recipe_of, variants_of
from train.trials.trial_runs import numbers, run_trials, trial_epochs

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    *,
    out: Annotated[Path, typer.Option(help="Folder of the runs.")],
    data: Annotated[
        list[Path] | None, typer.Option(help="Folder in WFLW's layout; repeat to use several.")
    ] = None,
    table: Annotated[str, typer.Option(help="Tables of the paper.")] = "4,5,6,7",
    seeds: Annotated[str, typer.Option(help="One run of every variant for each.")] = "0,1",
    epochs: Annotated[int | None, typer.Option(help="Length of every run, or")] = None,
    views: Annotated[
        int | None, typer.Option(help="its length in faces seen, rounded up to whole epochs.")
    ] = None,
    size: Annotated[int, typer.Option(help="Side of the input, pixels.")] = 128,
    batch: Annotated[int, typer.Option(help="Faces per step.")] = 8,
    model: Annotated[str, typer.Option(help="Stacks and channels of the networks.")] = "propnet-s",
    recipe: Annotated[
        str, typer.Option(help="Name in train/recipes, or a .yaml file; its stages do not count.")
    ] = "cpu",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    precision: Annotated[str, typer.Option(help=PRECISION_HELP)] = "auto",
    workers: Annotated[int, typer.Option(min=0, help="Loading processes.")] = 0,
    threads: Annotated[int | None, typer.Option(min=1, help="Processor threads of torch.")] = None,
    report: Annotated[
        bool, typer.Option("--report", help="Train nothing: print what the runs have found.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Train the paper's ablations, or with --report print them beside the paper's figures.

    Run the same command again to resume. Seeds are the outer loop: after the first, every table
    has one run of every row.
    """
    tables = numbers("--table", table)
    variants = variants_of(tables)
    if report:
        results = read_results(out, variants)
        if as_json:
            typer.echo(json.dumps(to_json(results, tables), indent=2))
            return
        # Without a terminal rich assumes 80 columns, half of what the tables need.
        console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
        for shown in to_tables(results, tables):
            console.print(shown)
        return
    if as_json:
        raise InputError("--json is for the report: add --report.")
    if not data:
        raise InputError("give the folder of the faces: --data.")
    check_device(device)
    if threads is not None:
        torch.set_num_threads(threads)
    training = [sample for root in data for sample in read_dataset("wflw", root, "train")]
    dev = read_dataset("wflw", data[0], DEFAULT_SPLITS["wflw"])
    basis = replace(load_recipe(recipe), stages=(Stage(1.0, size, batch),))
    length = trial_epochs(epochs, views, training, basis)
    configs = {
        f"{variant.name}-{seed}": RunConfig(
            name=f"{model}, {variant.name}",
            network=network_of(variant, replace(get_variant(model), markup=MARKUP_OF["wflw"])),
            recipe=recipe_of(variant, basis),
            out=out / f"{variant.name}-{seed}",
            epochs=length,
            max_minutes=None,
            seed=seed,
            workers=workers,
            precision=choose_precision(precision, device),
            recipe_name=Path(recipe).stem,
        )
        for seed in numbers("--seeds", seeds)
        for variant in variants
    }

    def score(label: str, engine: Engine) -> dict[str, Any]:
        """What the report needs of a finished run, beside what every trial says."""
        network, _ = load_network(str(configs[label].out / "last.safetensors"))
        return {
            "variant": label.rpartition("-")[0],
            "parameters": sum(p.numel() for p in network.parameters()),
            **asdict(summarize(evaluate(engine, dev).errors)),
        }

    run_trials(configs, training, dev, device, file=RESULT, score=score)


if __name__ == "__main__":
    run_command(app)
