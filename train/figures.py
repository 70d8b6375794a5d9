"""`python -m train.figures`: pictures like the paper's, from any weights and faces."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import torch
import typer
from numpy.typing import NDArray

from model.crop import Region, crop_image, crop_matrix, region_from_box, to_crop
from model.errors import InputError, run_command
from model.files import reserve_output
from model.markup import Markup
from model.weights import load_network
from tracker.detection.face_detector import FaceDetector
from tracker.drawing.draw_faces import DEFAULT_LAYERS, draw_faces
from tracker.engines.base import normalize
from tracker.engines.torch import open_torch_engine
from train.data.datasets import DEFAULT_SPLITS, MARKUP_OF, read_dataset
from train.data.option_choice import check_choice
from train.data.sample import Sample
from train.drawing.ced_curve import plot_ced
from train.drawing.face_sheet import sheet, write_png
from train.drawing.training_views import view_tiles
from train.evaluation.landmark_errors import Evaluation, evaluate
from train.evaluation.predict import DetectorLocator, true_region
from train.recipes.recipe import load_recipe

# Side of a face in a sheet, pixels; drawn at twice that and shrunk, for fine strokes.
_TILE = 240
_ZOOM = 2
# Of drawn faces: their numbers pick draw_faces' colours.
_FOUND, _TRUE = 0, 2
_KEY = "teal: network, pink: labels"
# Boundary maps are laid over the face in this colour, RGB.
_BOUNDARY = np.array([64, 236, 220], dtype=np.float32)
_BATCH = 16

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

Data = Annotated[Path, typer.Option(help="The dataset's folder.")]
Out = Annotated[Path, typer.Option(help="The picture (.png); replaces the file.")]
Weights = Annotated[str, typer.Option(help="Shipped name or .safetensors file.")]
Dataset = Annotated[str, typer.Option(help="wflw, 300w or cofw.")]
Split = Annotated[str | None, typer.Option(help="Default: what papers report.")]
Count = Annotated[int, typer.Option("--n", min=1, help="Faces.")]
Columns = Annotated[int, typer.Option(min=1, help="Faces in a row.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]


@dataclass(frozen=True)
class _Drawn:
    """A face as `draw_faces` wants it."""

    id: int
    landmarks: NDArray[np.float32]
    region: Region
    maps: None = None


@app.command()
def boundaries(
    *,
    data: Data,
    out: Out,
    weights: Weights = "propnet-s",
    dataset: Dataset = "wflw",
    split: Split = None,
    n: Count = 12,
    columns: Columns = 6,
) -> None:
    """Predicted boundary maps over faces, as in the paper's Fig. 8."""
    samples = spaced(_samples(data, dataset, split, out), n)
    network, metadata = load_network(weights)
    if not metadata.config.propagation:
        raise InputError(f"{weights} has no propagation module, so it predicts no boundaries.")
    tiles = []
    for start in range(0, len(samples), _BATCH):
        part = samples[start : start + _BATCH]
        crops = np.stack([_crop(sample, metadata.input_size) for sample in part])
        with torch.inference_mode():
            maps = network(torch.from_numpy(normalize(crops)))[-1].boundaries
        assert maps is not None
        tiles += [
            overlay(_crop(sample, _TILE), found)
            for sample, found in zip(part, maps.numpy(), strict=True)
        ]
    write_png(out, sheet(tiles, columns=columns))


@app.command()
def samples(
    *,
    data: Data,
    out: Out,
    weights: Weights = "propnet-s",
    dataset: Dataset = "wflw",
    split: Split = None,
    n: Count = 12,
    columns: Columns = 6,
    device: Device = "auto",
) -> None:
    """Predicted points and curves over the labels, as in the paper's Fig. 4 and 5."""
    chosen = spaced(_samples(data, dataset, split, out), n)
    result = _evaluate(weights, chosen, device)
    tiles = [_compare(s, p, result.markup) for s, p in zip(chosen, result.points, strict=True)]
    write_png(out, sheet(tiles, columns=columns, heading=_KEY))


@app.command()
def views(
    *,
    data: Data,
    out: Out,
    recipe: Annotated[str, typer.Option(help="Name in train/recipes, or a .yaml file.")] = "cpu",
    dataset: Dataset = "wflw",
    split: Annotated[str, typer.Option(help="As for train.evaluate.")] = "train",
    seed: Annotated[int, typer.Option(min=0, help="Of the augmentation.")] = 0,
    n: Count = 24,
    columns: Columns = 6,
) -> None:
    """Faces as a recipe serves them, with the points of their targets: what is learned from."""
    settings = load_recipe(recipe)
    chosen = spaced([s for s in _samples(data, dataset, split, out) if s.has_points], n)
    if not chosen:
        raise InputError(f"no face of {data} has landmarks.")
    write_png(out, sheet(view_tiles(chosen, settings, _TILE, seed), columns=columns))


@app.command()
def worst(
    *,
    data: Data,
    out: Out,
    weights: Weights = "propnet-s",
    dataset: Dataset = "wflw",
    split: Split = None,
    n: Count = 20,
    columns: Columns = 5,
    device: Device = "auto",
) -> None:
    """The faces with the largest errors, the worst first."""
    every = _samples(data, dataset, split, out)
    result = _evaluate(weights, every, device)
    order = np.argsort(-result.errors, kind="stable")[:n]
    tiles = [_compare(every[i], result.points[i], result.markup) for i in order]
    captions = [f"{100 * result.errors[i]:.2f} %  {_short(every[i])}" for i in order]
    heading = f"the {len(order)} worst of {len(every)} faces by NME; {_KEY}"
    write_png(out, sheet(tiles, captions, columns=columns, heading=heading))


@app.command()
def ced(
    *,
    data: Data,
    out: Out,
    weights: Annotated[list[str], typer.Option(help="As above; repeat for several curves.")],
    dataset: Dataset = "wflw",
    split: Split = None,
    box: Annotated[
        list[str] | None, typer.Option(help="gt or detector; repeat for both. Default: gt.")
    ] = None,
    n: Annotated[int | None, typer.Option("--n", min=1, help="Only the first N faces.")] = None,
    device: Device = "auto",
) -> None:
    """Cumulative error curves of several weights in one plot, as in the paper's Fig. 7."""
    boxes = box or ["gt"]
    for name in boxes:
        if name not in ("gt", "detector"):
            raise InputError(f"--box is {name!r}; choose gt or detector.")
    faces = _samples(data, dataset, split, out)[:n]
    errors = {
        f"{_label(name)}, {kind} box" if len(boxes) > 1 else _label(name): _evaluate(
            name, faces, device, kind
        ).errors
        for name in weights
        for kind in boxes
    }
    where = f"{len(faces)} faces of {dataset} {split or DEFAULT_SPLITS[dataset]}"
    plot_ced(errors, out, where if len(boxes) > 1 else f"{where}, {boxes[0]} box")


def spaced(samples: Sequence[Sample], count: int) -> list[Sample]:
    """At most `count` samples, evenly spaced over all of them."""
    count = min(count, len(samples))
    return [samples[int(i)] for i in np.linspace(0, len(samples) - 1, count).round()]


def overlay(crop: NDArray[np.uint8], maps: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Boundary maps [M, h, h] laid over a crop [S, S, 3] of the same region."""
    strength = np.clip(maps.max(axis=0), 0, 1)
    # Both grids count from the centre of their first pixel, as cv2.resize does.
    grown = cv2.resize(strength, crop.shape[:2], interpolation=cv2.INTER_CUBIC)
    share = np.clip(grown, 0, 1)[..., None].astype(np.float32)
    # A darker face lets the curves stand out.
    mixed = (0.6 + 0.4 * share) * ((1 - share) * crop + share * _BOUNDARY)
    return np.rint(mixed).astype(np.uint8)


def _samples(data: Path, dataset: str, split: str | None, out: Path) -> list[Sample]:
    if out.suffix.lower() != ".png":
        raise InputError(f"--out {out}: the picture is written as .png; choose such a name.")
    reserve_output(out, overwrite=True)
    check_choice("dataset", dataset, tuple(MARKUP_OF))
    return read_dataset(dataset, data, split or DEFAULT_SPLITS[dataset])


def _evaluate(weights: str, samples: list[Sample], device: str, box: str = "gt") -> Evaluation:
    with closing(open_torch_engine(weights, device)) as engine:
        if box == "gt":
            return evaluate(engine, samples, locate=true_region)
        with FaceDetector() as detector:
            return evaluate(engine, samples, locate=DetectorLocator(detector))


def _crop(sample: Sample, size: int) -> NDArray[np.uint8]:
    return crop_image(sample.load(), region_from_box(sample.box), size)


def _compare(sample: Sample, points: NDArray[np.float64], markup: Markup) -> NDArray[np.uint8]:
    """A tile with the labels and, over them, what was found."""
    size = _ZOOM * _TILE
    region = region_from_box(sample.box)
    matrix = crop_matrix(region, size)
    large = _crop(sample, size)
    # The labels' dots would hide which curve is whose.
    for number, placed, layers in (
        (_TRUE, sample.points, frozenset({"curves"})),
        (_FOUND, points, DEFAULT_LAYERS),
    ):
        if np.isfinite(placed).all():
            face = _Drawn(number, to_crop(placed, matrix).astype(np.float32), region)
            large = draw_faces(large, [face], markup, layers)
    return np.asarray(cv2.resize(large, (_TILE, _TILE), interpolation=cv2.INTER_AREA), np.uint8)


def _short(sample: Sample) -> str:
    """Source and file of a face, for a caption."""
    name = sample.image.name if sample.entry is None else str(sample.entry[1])
    return f"{sample.source.rpartition('/')[2]}/{name}"


def _label(weights: str) -> str:
    """A curve's name: files of several runs are called alike, their folders are not."""
    path = Path(weights)
    return "/".join([*path.parts[-2:-1], path.stem]) if path.suffix else weights


if __name__ == "__main__":
    run_command(app)
