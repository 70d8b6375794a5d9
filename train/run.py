"""`python -m train.run`: train a PropNet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console

from model.config import VARIANTS, get_variant
from model.errors import run_command
from model.files import reserve_output
from model.shipped_markups import find_markup
from train.data.datasets import OwnPoints, markup_of
from train.data.split import DEV_SHARE
from train.data.training_sets import read_training_sets
from train.learning.loader_signals import Interrupted
from train.learning.own_points import for_points, limits
from train.learning.precision import HELP as PRECISION_HELP
from train.learning.precision import choose_precision
from train.learning.processes import check_device, join_world
from train.learning.progress_bar import run_shown
from train.recipes.recipe import load_recipe
from train.recipes.run_config import RunConfig

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def train(
    *,
    data: Annotated[list[Path], typer.Option(help="Dataset folder; repeat to train on several.")],
    out: Annotated[Path, typer.Option(help="Folder for weights, checkpoint, metrics, plot.")],
    dataset: Annotated[
        str,
        typer.Option(
            help="Layout: wflw, 300w or cofw; coco, dlib or csv for points of your own (--markup)."
        ),
    ] = "wflw",
    markup: Annotated[
        str | None,
        typer.Option(help="Points of your own: a .yaml file (docs/markups.md), or wflw98, ..."),
    ] = None,
    dev: Annotated[
        list[Path] | None,
        typer.Option(help="Of your own points: label file to judge by, instead of a share."),
    ] = None,
    dev_share: Annotated[
        float, typer.Option(help="Of your own pictures, those to judge by.")
    ] = DEV_SHARE,
    dev_seed: Annotated[int, typer.Option(help="Which of them; another one, another split.")] = 0,
    hidden_points: Annotated[
        bool, typer.Option("--hidden-points", help="Learn points that COCO marks as hidden too.")
    ] = False,
    model: Annotated[str, typer.Option(help=f"One of {', '.join(VARIANTS)}.")] = "propnet-s",
    recipe: Annotated[str, typer.Option(help="Name in train/recipes, or a .yaml file.")] = "cpu",
    epochs: Annotated[int | None, typer.Option(help="Length in epochs.")] = None,
    max_minutes: Annotated[float | None, typer.Option(help="Length in minutes.")] = None,
    judging_counts: Annotated[
        bool, typer.Option("--judging-counts", help="--max-minutes include judging on dev faces.")
    ] = False,
    init: Annotated[
        str | None,
        typer.Option(
            help="Weights to start from, of this network, for these points or others, or of a "
            "narrower one: a shipped name or a .safetensors file."
        ),
    ] = None,
    teacher: Annotated[
        list[str] | None,
        typer.Option(
            help="Learn from the heatmaps of these weights too (a shipped name or a .safetensors "
            "file); repeat for the mean of several."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of weights, order and augmentation.")] = 0,
    workers: Annotated[int, typer.Option(min=0, help="Loading processes.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    precision: Annotated[str, typer.Option(help=PRECISION_HELP)] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="Processor threads of torch.")] = None,
    compile_: Annotated[bool, typer.Option("--compile", help="Use torch.compile.")] = False,
    checkpoint_minutes: Annotated[
        float, typer.Option(min=0, help="Minutes between checkpoints within an epoch.")
    ] = 5.0,
) -> None:
    """Train a PropNet; run the same command again to resume after an interruption.

    The dev NME of each epoch is that of the first --data folder's test split (wflw, cofw) or full
    split (300w); of your own points that of a fifth of the pictures. With several GPUs or machines
    start it by torchrun.
    """
    points = markup_of(dataset, None if markup is None else find_markup(markup))
    check_device(device)
    config = RunConfig(
        name=model,
        network=for_points(get_variant(model), points),
        recipe=load_recipe(recipe),
        out=out,
        epochs=epochs,
        max_minutes=max_minutes,
        seed=seed,
        workers=workers,
        compile=compile_,
        precision=choose_precision(precision, device),
        recipe_name=Path(recipe).stem,
        checkpoint_minutes=checkpoint_minutes,
        init=init,
        teachers=tuple(teacher or ()),
        judging_counts=judging_counts,
    )
    if threads is not None:
        torch.set_num_threads(threads)
    own = OwnPoints(points, dev_share, dev_seed, hidden_points)
    samples, judged = read_training_sets(dataset, data, dev or (), own)
    with join_world(device) as world:
        if world.leads:
            reserve_output(out, folder=True)
            for line in limits(points, samples, judged):
                Console(stderr=True).print(line, soft_wrap=True, highlight=False)
        try:
            run_shown(config, samples, judged, world)
        except Interrupted as error:
            if world.leads:
                Console(stderr=True).print(f"{error}; the same command resumes the run.")
            raise typer.Exit(128 + error.number) from error


def main() -> None:
    """Entry point."""
    run_command(app)


if __name__ == "__main__":
    main()
