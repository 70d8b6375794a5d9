"""`python -m train.evaluate`: accuracy of a network on a dataset.

Two boxes: `gt` cuts the crop from the ground-truth box, as papers do; `detector` lets the tracker's
face detector find the face first. A face the detector misses has no landmarks: NME and median are
over the faces found, FR and AUC count it as a failure, and `detected` is the share found.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated, cast

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from model.decoder import DECODERS, DEFAULT_DECODER, Decoder
from model.errors import InputError, run_command
from model.files import write_json
from tracker.detection.face_detector import FaceDetector
from tracker.engines.base import Engine
from train.data.datasets import DATASET_HELP, DEFAULT_SPLITS, SPLITS, OwnPoints, read_dataset
from train.data.network_faces import DEV_SEED_HELP, DEV_SHARE_HELP
from train.data.option_choice import check_choice
from train.data.sample import Sample
from train.data.select_by_name import select_named
from train.data.split import DEV_SHARE
from train.drawing.ced_curve import plot_ced
from train.evaluation.engine_choice import ENGINES, check_outputs, open_engine
from train.evaluation.landmark_errors import Evaluation, evaluate
from train.evaluation.metrics import summarize
from train.evaluation.predict import DetectorLocator, true_region
from train.evaluation.report import (
    attribute_subsets,
    by_source,
    offset_figures,
    offset_sentence,
    summaries,
    to_json,
    to_table,
)

BOXES = ("gt", "detector")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    *,
    dataset: Annotated[str, typer.Option(help=DATASET_HELP)],
    data: Annotated[
        Path, typer.Option(help="Folder in the official layout; of coco, dlib, csv also the file.")
    ],
    weights: Annotated[
        str, typer.Option(help="Shipped name, or a .safetensors (torch) or .onnx file.")
    ],
    split: Annotated[
        str | None,
        typer.Option(
            help="wflw: train, test. 300w: train, common, challenge, full, private. cofw: train, "
            "test. Default: what papers report (test, full, test). coco, dlib, csv: train, dev, "
            "all; dev by default, as train.run splits them."
        ),
    ] = None,
    dev_share: Annotated[float, typer.Option(help=DEV_SHARE_HELP)] = DEV_SHARE,
    dev_seed: Annotated[int, typer.Option(help=DEV_SEED_HELP)] = 0,
    hidden_points: Annotated[
        bool, typer.Option("--hidden-points", help="coco: judge points marked as hidden too.")
    ] = False,
    box: Annotated[str, typer.Option(help="Where the crop comes from: gt or detector.")] = "gt",
    engine: Annotated[str, typer.Option(help="torch, openvino or onnxruntime.")] = "torch",
    device: Annotated[str, typer.Option(help="For torch: auto, cpu, cuda.")] = "auto",
    decoder: Annotated[
        str, typer.Option(help="centroid, dark or quarter (the paper's).")
    ] = DEFAULT_DECODER,
    flip: Annotated[bool, typer.Option("--flip", help="Average with the mirrored crop.")] = False,
    normalizer: Annotated[
        str | None,
        typer.Option(help="For example inter-ocular. Default: the first one of the markup."),
    ] = None,
    names: Annotated[
        Path | None,
        typer.Option(
            "--list",
            help="Only the faces whose picture this file names: one a line, the last field of the "
            "line, so a WFLW list will do.",
        ),
    ] = None,
    zero_based: Annotated[
        bool,
        typer.Option(
            "--zero-based",
            help="300w: the .pts files count pixels from 0. The official ones count from 1.",
        ),
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N faces.")] = None,
    batch: Annotated[int, typer.Option(min=1, help="Crops run at once.")] = 32,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures here; replaces the file.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the CED curve here (.png); replaces the file.")
    ] = None,
) -> None:
    """Print NME, failure rate and AUC of a network on a dataset."""
    check_choice("dataset", dataset, tuple(SPLITS))
    check_choice("box", box, BOXES)
    check_choice("engine", engine, ENGINES)
    check_choice("decoder", decoder, DECODERS)
    check_outputs(json_file, plot)
    split = split or DEFAULT_SPLITS[dataset]
    with closing(open_engine(engine, weights, device)) as network:
        if flip and network.info.markup.pairs is None:
            raise InputError(
                f"--flip: the points of {network.info.markup} are not mirrored ('mirror: none'), "
                "so the mirrored crop shows another thing: leave it out."
            )
        own = OwnPoints(network.info.markup, dev_share, dev_seed, hidden_points)
        samples = read_dataset(dataset, data, split, one_based=not zero_based, own=own)
        if names is not None:
            samples = select_named(samples, names)
        samples = samples[:limit]
        result = _run(
            network,
            samples,
            box=box,
            normalizer=normalizer,
            decoder=cast(Decoder, decoder),
            flip=flip,
            batch=batch,
        )
        settings = {
            "dataset": dataset,
            "split": split,
            "list": names.name if names else None,
            "limit": limit,
            "box": box,
            "normalizer": result.normalizer,
            "weights": network.info.name,
            "weights_sha256": network.info.weights_sha256,
            "engine": network.description,
            "input_size": network.info.input_size,
            "network_markup": network.info.markup.name,
            "markup": result.markup.name,
            "decoder": decoder,
            "flip": flip,
            **offset_figures(result),
        }
    total = summarize(result.errors)
    subsets = summaries(attribute_subsets(samples, result.errors)) if dataset == "wflw" else {}
    sources = summaries(by_source(samples, result.errors))
    title = (
        f"{network.info.name} on {dataset} {split}, {box} box, {result.normalizer}, "
        f"{network.description}"
    )
    # Without a terminal rich assumes 80 columns, too few for the table.
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    shown = sources if len(sources) > 1 else {}
    console.print(to_table(title, {"all": total, **subsets, **shown}))
    console.print(offset_sentence(result))
    if json_file is not None:
        write_json(json_file, to_json(settings, total, subsets, sources))
    if plot is not None:
        plot_ced({network.info.name: result.errors}, plot, f"{dataset} {split}, {box} box")


def _run(
    network: Engine,
    samples: Sequence[Sample],
    *,
    box: str,
    normalizer: str | None,
    decoder: Decoder,
    flip: bool,
    batch: int,
) -> Evaluation:
    """Evaluate behind a progress bar."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    detector = FaceDetector() if box == "detector" else None
    try:
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("faces", total=len(samples))
            return evaluate(
                network,
                samples,
                normalizer=normalizer,
                locate=DetectorLocator(detector) if detector else true_region,
                decoder=decoder,
                flip=flip,
                batch=batch,
                progress=lambda count: bar.advance(task, count),
            )
    finally:
        if detector:
            detector.close()


if __name__ == "__main__":
    run_command(app)
