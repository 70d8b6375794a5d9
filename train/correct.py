"""`python -m train.correct`: where labels lie beside what a network sees, fitted and put into it.

Fits on the training faces of the given folders, and judges on faces left out and on the evaluation
faces of the first. `model.shape_correction` says what is fitted; docs/training.md, when it pays.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from model.errors import InputError, run_command
from model.files import reserve_output, write_json
from model.weights import save_corrected
from tracker.engines.base import Engine
from tracker.engines.torch import open_torch_engine
from train.data.datasets import DATASET_HELP
from train.data.network_faces import (
    DEV_SEED_HELP,
    DEV_SHARE_HELP,
    HIDDEN_HELP,
    NetworkFaces,
    whole,
)
from train.data.sample import Sample
from train.data.split import DEV_SHARE
from train.evaluation.metrics import face_errors
from train.evaluation.predict import predict
from train.fits.fit_shape import FOLDS, Faces, Fit, fit_shape, relative_errors
from train.learning.feed import without_offsets
from train.recipes.recipe import Recipe, load_recipe

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    *,
    weights: Annotated[str, typer.Option(help="Shipped name, or a .safetensors file.")],
    dataset: Annotated[str, typer.Option(help=DATASET_HELP)],
    data: Annotated[
        list[Path],
        typer.Option(help="Folder in the official layout; more for more training faces."),
    ],
    out: Annotated[Path, typer.Option(help="The corrected copy of the .safetensors file.")],
    recipe: Annotated[
        str | None,
        typer.Option(
            help="Recipe whose sources' weights, rates and offsets count [default: all alike]."
        ),
    ] = None,
    dev_share: Annotated[float, typer.Option(help=DEV_SHARE_HELP)] = DEV_SHARE,
    dev_seed: Annotated[int, typer.Option(help=DEV_SEED_HELP)] = 0,
    hidden_points: Annotated[bool, typer.Option("--hidden-points", help=HIDDEN_HELP)] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda.")] = "auto",
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures here; replaces the file.")
    ] = None,
) -> None:
    """Fit where a network's labels lie beside its points, and write a copy that has them there."""
    given = NetworkFaces(dataset, data, dev_share, dev_seed, hidden_points)
    if out.suffix != ".safetensors":
        raise InputError(f"--out {out}: a correction goes into a copy of the .safetensors file.")
    reserve_output(out, overwrite=overwrite)
    if json_file is not None:
        reserve_output(json_file, overwrite=True)
    settings = load_recipe(recipe) if recipe else Recipe()
    with closing(open_torch_engine(weights, device, "f32")) as engine:
        info = engine.info
        # What it would see without the correction that it may have.
        engine.info = replace(info, correction=None)
        dev = whole(given.dev(info.name, info.markup), "judge by")
        training = [
            sample
            for sample in given.training(info.name, info.markup)
            if _count(sample, settings) > 0
        ]
        training = whole(without_offsets(training, settings), "fit on")
        points, judged = (_see(engine, part) for part in (training, dev))
    faces = _faces(training, points, settings)
    fit = fit_shape(faces, info.markup)
    moved, labels = fit.correction(judged), _labels(dev)
    _say_rows(training, faces, fit)
    before, after = (
        100 * float(face_errors(found, labels, info.markup).mean()) for found in (judged, moved)
    )
    console = Console(highlight=False)
    console.print(f"{len(dev)} dev faces: NME {before:.3f} %, corrected {after:.3f} %")
    if json_file is not None:
        figures = {
            "weights": info.name,
            "weights_sha256": info.weights_sha256,
            "fitted_on": len(training),
            "ridge": fit.ridge,
            "training_error": [_mean_error(faces.points, faces), _mean_error(fit.held_out, faces)],
            "dev_nme": [before, after],
        }
        write_json(json_file, figures)
    if not _mean_error(fit.held_out, faces) < _mean_error(faces.points, faces):
        raise InputError(
            f"{out} was not written: on training faces left out the corrected points are no nearer "
            "to their labels. The labels lie nowhere that a network does not see, or there are too "
            "few faces to tell."
        )
    save_corrected(out, weights, fit.correction)
    console.print(f"{out}: corrected, ridge {fit.ridge:g}", soft_wrap=True)
    if info.calibration is not None:
        console.print("Its confidences were fitted before: fit them anew with train.calibrate.")


def _count(sample: Sample, recipe: Recipe) -> float:
    """How much a face counts: as much as in an epoch of training."""
    source = recipe.source(sample.source)
    return source.rate * source.weight * source.labels


def _labels(samples: Sequence[Sample]) -> NDArray[np.float64]:
    return np.stack([sample.points for sample in samples])


def _see(engine: Engine, samples: Sequence[Sample]) -> NDArray[np.float64]:
    """Points [N, K, 2] behind a progress bar."""
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("looking", total=len(samples))
        return predict(engine, samples, progress=lambda done: bar.advance(task, done))


def _faces(samples: Sequence[Sample], points: NDArray[np.float64], recipe: Recipe) -> Faces:
    pictures = [sample.name for sample in samples]
    groups = np.unique(pictures, return_inverse=True)[1]
    if len(set(pictures)) < FOLDS:
        raise InputError(f"a correction needs faces of {FOLDS} training pictures or more.")
    weights = np.array([_count(sample, recipe) for sample in samples])
    return Faces(points, _labels(samples), weights, groups)


def _mean_error(points: NDArray[np.float64], faces: Faces) -> float:
    """Weighted mean of relative errors, percent."""
    errors = relative_errors(points, faces.labels)
    return 100 * float(np.average(errors, weights=faces.weights))


def _say_rows(samples: Sequence[Sample], faces: Faces, fit: Fit) -> None:
    """Print what the correction is worth by source, on faces left out."""
    table = Table(
        *("source", "faces", "share of the fit %", "off by, % of the face", "corrected"),
        title=f"Training faces, each left out of the fit (ridge {fit.ridge:g})",
    )
    sources = np.array([sample.source for sample in samples])
    for source in sorted(set(sources)):
        own = sources == source
        share = 100 * faces.weights[own].sum() / faces.weights.sum()
        part = faces.only(own)
        errors = (_mean_error(found, part) for found in (part.points, fit.held_out[own]))
        table.add_row(source, str(own.sum()), f"{share:.1f}", *(f"{error:.3f}" for error in errors))
    Console(highlight=False).print(table)


if __name__ == "__main__":
    run_command(app)
