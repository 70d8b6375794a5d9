"""`python -m train.robustness`: where a network is weak.

Labelled faces are made hard to follow in one way at a time, in steps; see
`train.robustness_probe.conditions`. The rows say how the errors grow and whether the network's
confidence notices. docs/training.md explains what is changed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from model.errors import run_command
from model.files import write_json
from tracker.engines.base import Engine
from train.data.datasets import DEFAULT_SPLITS, MARKUP_OF, read_dataset
from train.data.option_choice import check_choice
from train.data.sample import Sample
from train.evaluation.engine_choice import ENGINES, check_outputs, open_engine
from train.robustness_probe.probe import Probe, probe
from train.robustness_probe.robustness_report import report, to_json, to_table

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    *,
    dataset: Annotated[str, typer.Option(help="wflw, 300w or cofw.")],
    data: Annotated[Path, typer.Option(help="The dataset's folder, in its official layout.")],
    weights: Annotated[
        str, typer.Option(help="Shipped name, or a .safetensors (torch) or .onnx file.")
    ],
    split: Annotated[
        str | None, typer.Option(help="As for train.evaluate. Default: what papers report.")
    ] = None,
    engine: Annotated[str, typer.Option(help="torch, openvino or onnxruntime.")] = "torch",
    device: Annotated[str, typer.Option(help="For torch: auto, cpu, cuda.")] = "auto",
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N faces.")] = None,
    batch: Annotated[int, typer.Option(min=1, help="Crops run at once.")] = 32,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures here; replaces the file.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the figures here (.png); replaces the file.")
    ] = None,
) -> None:
    """Print the errors of a network on faces that are made hard in one way at a time."""
    check_choice("dataset", dataset, tuple(MARKUP_OF))
    check_choice("engine", engine, ENGINES)
    check_outputs(json_file, plot)
    split = split or DEFAULT_SPLITS[dataset]
    samples = read_dataset(dataset, data, split)[:limit]
    with closing(open_engine(engine, weights, device)) as network:
        result = _run(network, samples, batch)
        settings = {
            "dataset": dataset,
            "split": split,
            "limit": limit,
            "normalizer": result.markup.default_normalizer,
            "weights": network.info.name,
            "weights_sha256": network.info.weights_sha256,
            "engine": network.description,
            "input_size": network.info.input_size,
            "markup": result.markup.name,
        }
    blocks = report(result, samples)
    title = f"{settings['weights']} on {dataset} {split}, {settings['normalizer']}"
    # Without a terminal rich assumes 80 columns.
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    console.print(to_table(f"{title}, {settings['engine']}", blocks))
    if json_file is not None:
        write_json(json_file, to_json(settings, blocks))
    if plot is not None:
        from train.drawing.robustness_plot import plot_robustness  # noqa: PLC0415  (matplotlib is slow)

        plot_robustness(blocks, plot, f"{title}, {len(samples)} faces")


def _run(network: Engine, samples: Sequence[Sample], batch: int) -> Probe:
    """Measure behind a progress bar."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("faces", total=len(samples))
        return probe(network, samples, batch=batch, progress=lambda count: bar.advance(task, count))


if __name__ == "__main__":
    run_command(app)
