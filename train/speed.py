"""`python -m train.speed`: how fast this machine trains, before hours are spent on it."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from model.config import VARIANTS, get_variant
from model.errors import run_command
from model.files import reserve_output, write_json
from tracker.system.number_list import parse_numbers
from train.data.datasets import markup_of, read_dataset
from train.learning.precision import HELP as PRECISION_HELP
from train.learning.precision import choose_precision
from train.learning.processes import check_device, join_world
from train.learning.step_speed import StepSpeed, measure_loading, measure_steps
from train.recipes.recipe import Stage, load_recipe
from train.recipes.run_config import RunConfig

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def speed(
    *,
    data: Annotated[
        list[Path] | None,
        typer.Option(help="Dataset folder: its loading is measured too; repeat for several."),
    ] = None,
    dataset: Annotated[str, typer.Option(help="Layout: wflw, 300w or cofw.")] = "wflw",
    model: Annotated[str, typer.Option(help=f"One of {', '.join(VARIANTS)}.")] = "propnet-s",
    recipe: Annotated[str, typer.Option(help="Name in train/recipes, or a .yaml file.")] = "cpu",
    size: Annotated[int, typer.Option("--input-size", help="Side of the input, pixels.")] = 256,
    batch: Annotated[str, typer.Option(metavar="N,...", help="Views per step.")] = "8,16",
    compile_: Annotated[
        bool, typer.Option("--compile", help="Compile the network's blocks.")
    ] = False,
    workers: Annotated[int, typer.Option(min=0, help="Loading processes.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    precision: Annotated[str, typer.Option(help=PRECISION_HELP)] = "auto",
    seconds: Annotated[float, typer.Option(min=0, help="Of each measurement.")] = 3.0,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures here; replaces the file.")
    ] = None,
) -> None:
    """Measure training steps by batch size, and with --data the loading of views."""
    markup = markup_of(dataset)
    check_device(device)
    config = RunConfig(
        name=model,
        network=replace(get_variant(model), markup=markup),
        recipe=load_recipe(recipe),
        out=Path(),
        epochs=1,
        max_minutes=None,
        workers=workers,
        compile=compile_,
        precision=choose_precision(precision, device),
    )
    if json_file is not None:
        reserve_output(json_file, overwrite=True)
    counts = parse_numbers(batch, "batch", "numbers of views", "8,16")
    stages = [Stage(1.0, size, count) for count in counts]
    samples = [sample for root in data or () for sample in read_dataset(dataset, root, "train")]
    console = Console()
    results: list[StepSpeed] = []
    loaded: tuple[float, float] | None = None
    with join_world(device) as world:
        figures: dict[str, object] = {
            "model": model,
            "input_size": size,
            "device": str(world.device),
            "workers": workers,
        }

        def keep(**more: object) -> None:
            """As it goes: who stops this has what was measured."""
            figures.update(more)
            if json_file is not None:
                write_json(json_file, figures)

        for stage in stages:
            with console.status(f"steps of {stage.batch} views"):
                results.append(measure_steps(config, stage, world, seconds))
            keep(steps=[asdict(result) for result in results])
        if samples:
            with console.status("loading"):
                loaded = measure_loading(config, stages[0], samples, world, seconds)
            keep(loading_views_per_second=loaded[0], loading_first_batch_seconds=loaded[1])
    console.print(_table(f"{model}, {size} x {size}, on {world.device}", results))
    if loaded:
        console.print(
            f"loading: {loaded[0]:.0f} views/s by {workers or 'no'} processes, the first batch "
            f"after {loaded[1]:.1f} s"
        )


def _table(heading: str, results: list[StepSpeed]) -> Table:
    table = Table(title=heading)
    for column in ("batch", "blocks", "views/s", "warm-up s", "GiB", ""):
        table.add_column(column, justify="right" if column != "" else "left")
    for result in results:
        kind = "compiled" if result.compiled else "eager"
        if result.problem:
            table.add_row(str(result.batch), kind, "-", "-", "-", result.problem)
            continue
        table.add_row(
            str(result.batch),
            kind,
            f"{result.views_per_second:.1f}",
            f"{result.warm_up_seconds:.1f}",
            f"{result.memory_gib:.1f}" if result.memory_gib else "-",
            "",
        )
    return table


def main() -> None:
    """Entry point."""
    run_command(app)


if __name__ == "__main__":
    main()
