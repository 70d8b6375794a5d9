"""`python -m train.ablate`: the paper's ablations at equal budgets, and their report.

Each variant and seed is a run of `train.run` in a folder of its own, OUT/VARIANT-SEED. All see the
same views in the same order, so that a difference is the variant's. The last epoch's averaged
weights are scored, not the best epoch's: to choose on the dev split would flatter all of them.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, cast

import torch
import typer
from rich.console import Console

from model.config import get_variant
from model.errors import InputError, run_command
from model.files import replacing
from model.weights import load_network
from tracker.engines.torch import open_torch_engine
from train.ablation import Variant, network_of, recipe_of, variants_of
from train.ablationreport import RESULT, read_results, to_json, to_tables
from train.data import DEFAULT_SPLITS, MARKUP_OF, Sample, read_dataset
from train.distributed import World, join_world
from train.evaluation import evaluate
from train.interrupt import Interrupted
from train.metrics import summarize
from train.recipe import Recipe, Stage, load_recipe
from train.schedule import epoch_order
from train.settings import Precision, RunConfig
from train.shown import run_shown

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
    precision: Annotated[str, typer.Option(help="bf16 (mixed) or f32.")] = "bf16",
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
    tables = _numbers("--table", table)
    variants = variants_of(tables)
    if report:
        results = read_results(out, variants)
        if as_json:
            typer.echo(json.dumps(to_json(results, tables), indent=2))
            return
        console = Console(highlight=False)
        for shown in to_tables(results, tables):
            console.print(shown)
        return
    if as_json:
        raise InputError("--json is for the report: add --report.")
    if not data:
        raise InputError("give the folder of the faces: --data.")
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("no CUDA device is visible to torch: use --device cpu.")
    if threads is not None:
        torch.set_num_threads(threads)
    training = [sample for root in data for sample in read_dataset("wflw", root, "train")]
    dev = read_dataset("wflw", data[0], DEFAULT_SPLITS["wflw"])
    basis = replace(load_recipe(recipe), stages=(Stage(1.0, size, batch),))
    length = _epochs(epochs, views, training, basis)
    configs = [
        (
            variant,
            RunConfig(
                name=f"{model}, {variant.name}",
                network=network_of(variant, replace(get_variant(model), markup=MARKUP_OF["wflw"])),
                recipe=recipe_of(variant, basis),
                out=out / f"{variant.name}-{seed}",
                epochs=length,
                max_minutes=None,
                seed=seed,
                workers=workers,
                precision=cast(Precision, precision),
                recipe_name=Path(recipe).stem,
            ),
        )
        for seed in _numbers("--seeds", seeds)
        for variant in variants
    ]
    with join_world(device) as world:
        try:
            for number, (variant, config) in enumerate(configs, start=1):
                Console(quiet=not world.leads).print(f"run {number} of {len(configs)}")
                _one(variant, config, training, dev, world)
        except Interrupted as error:
            if world.leads:
                Console(stderr=True).print(f"{error}; the same command resumes the run.")
            raise typer.Exit(128 + error.number) from error


def _one(
    variant: Variant, config: RunConfig, training: list[Sample], dev: list[Sample], world: World
) -> None:
    """Train one run to its end and score it; a finished one is left as it is."""
    if world.leads:
        try:
            config.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"cannot make the folder {config.out}: {error.strerror or error}."
            ) from error
    # A finished run checks its settings and returns at once.
    progress = run_shown(config, training, dev, world)
    path = config.out / RESULT
    if path.is_file() or not world.leads:
        return
    weights = str(config.out / "last.safetensors")
    stage = config.recipe.stages[-1]
    result = {
        "variant": variant.name,
        "seed": config.seed,
        "views": progress.images,
        "epochs": progress.epoch,
        "size": stage.size,
        "batch": stage.batch,
        "recipe": config.recipe_name,
        "training_faces": len(training),
        "parameters": sum(p.numel() for p in load_network(weights)[0].parameters()),
        **asdict(summarize(evaluate(open_torch_engine(weights, str(world.device)), dev).errors)),
    }
    with replacing(path) as partial:
        partial.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def _epochs(epochs: int | None, views: int | None, samples: list[Sample], recipe: Recipe) -> int:
    """Length of every run."""
    if (epochs is None) == (views is None):
        raise InputError("give the length of the runs: either --epochs or --views.")
    if epochs is not None:
        return epochs
    assert views is not None
    if views < 1:
        raise InputError("--views must be at least 1.")
    # Any seed's first epoch will do: they differ by a few faces where a source is served in part.
    batch = recipe.stages[-1].batch
    served = len(epoch_order(samples, recipe, 0, 0)) // batch * batch
    return max(1, math.ceil(views / max(1, served)))


def _numbers(option: str, text: str) -> tuple[int, ...]:
    """Whole numbers of a comma-separated list, each once, in its order."""
    try:
        numbers = tuple(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError as error:
        raise InputError(f"{option} is {text!r}; give whole numbers, as in 0,1.") from error
    if min(numbers) < 0:
        raise InputError(f"{option} is {text!r}; the numbers must not be negative.")
    return numbers


if __name__ == "__main__":
    run_command(app)
