"""`python -m train.relabel`: a dataset whose labels trained networks have looked over.

Labels made by programs are worse than a good network's estimates, and people's scatter by about
what such a network does: the mean of both is nearer to the truth than either. What is common to a
source's labels (an offset that people or programs put into all of them) is taken out first. Where
network and label are far apart, one of them is wrong, and the face teaches nothing.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from model.crop import Region, region_from_box
from model.errors import InputError, run_command
from model.files import replacing, reserve_output
from model.shipped_markups import WFLW
from tracker.engines.create import create_engine
from train.data.datasets import read_dataset
from train.data.sample import Sample, tight_box
from train.data.wflw import IMAGES, format_line, list_path, write_list
from train.evaluation.predict import predict
from train.learning.feed import without_offsets
from train.recipes.recipe import load_recipe

# How the views of one face differ from its box: scale, and shift in sides of the crop. What a
# network answers depends a little on where the face lies between the cells of its heatmaps.
_VIEWS = ((1.0, 0.0, 0.0), (1.06, 0.017, -0.011), (0.95, -0.013, 0.019), (1.02, 0.008, 0.027))
# Digits behind the point: labels are pixels, estimates are good to a few hundredths of one.
_DIGITS = 3

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Share:
    """How much of a label is the networks' estimate.

    Attributes:
        source: what the source of a face starts with; empty for all.
        share: 0 keeps the label, 1 replaces it.
    """

    source: str
    share: float

    @classmethod
    def parse(cls, text: str) -> Share:
        """From "SOURCE=SHARE", or "SHARE" for all sources.

        Raises:
            InputError: the share is not a number from 0 to 1.
        """
        source, _, number = text.rpartition("=")
        try:
            share = float(number)
        except ValueError:
            share = -1.0
        if not 0 <= share <= 1:
            raise InputError(f"--share {text}: write SOURCE=SHARE with a share from 0 to 1.")
        return cls(source, share)


@app.command()
def main(
    *,
    data: Annotated[Path, typer.Option(help="Folder in WFLW's layout.")],
    out: Annotated[Path, typer.Option(help="Folder to make; must not exist.")],
    weights: Annotated[
        list[str], typer.Option(help="Networks that look, by name or .onnx file; repeat for more.")
    ],
    share: Annotated[
        list[str] | None,
        typer.Option(
            help="SOURCE=SHARE: how much of a label becomes the estimate, 0 to 1; the last one "
            "that fits counts."
        ),
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(help="Recipe whose sources' offsets are taken out first.")
    ] = None,
    views: Annotated[
        int, typer.Option(min=1, max=len(_VIEWS), help="Crops of each face, each also mirrored.")
    ] = 1,
    most: Annotated[
        float,
        typer.Option(
            min=0, help="Faces further off their label, in long sides of its box, are left out."
        ),
    ] = 0.05,
    threads: Annotated[int | None, typer.Option(min=1, help="Processor threads.")] = None,
) -> None:
    """Write a copy of a dataset whose training labels networks have looked over.

    Faces to judge by keep their labels: these are to be nobody's opinion but their maker's.
    """
    if out.exists():
        raise InputError(f"{out} exists: name a new folder, or remove it.")
    reserve_output(out)
    shares = [Share.parse(text) for text in share or ["0.5"]]
    samples = read_dataset("wflw", data, "train")
    labels = without_offsets(samples, load_recipe(recipe)) if recipe else samples
    estimates = estimate(labels, weights, views, threads)
    apart = distances(labels, estimates)
    kept = [not distance > most for distance in apart]  # a face without a label has none
    moved = [
        relabelled(sample, points, share_of(sample, shares))
        for sample, points in zip(labels, estimates, strict=True)
    ]
    splits = {"train": [s for s, keep in zip(moved, kept, strict=True) if keep]}
    if not splits["train"]:
        raise InputError("no face is left: allow more by --most, or use better networks.")
    if list_path(data, "test").is_file():
        splits["test"] = read_dataset("wflw", data, "test")
    _write(splits, data, out)
    _report(labels, apart, kept)
    typer.echo(f"{sum(kept)} of {len(samples)} faces in {out}")


def estimate(
    samples: Sequence[Sample], weights: Sequence[str], views: int, threads: int | None = None
) -> NDArray[np.float64]:
    """Mean landmarks of networks over views and their mirror images.

    Args:
        samples: the faces.
        weights: names or .onnx files of networks with 98 points.
        views: crops of each face.
        threads: of the processor, None for all.

    Returns:
        [N, 98, 2], pixels of the pictures.

    Raises:
        InputError: an unusable network, one with other points, or an unreadable picture.
    """
    total = np.zeros((len(samples), WFLW.points, 2))
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("looking", total=len(samples) * len(weights) * views)
        for name in weights:
            with closing(create_engine("auto", name, threads)) as engine:
                if engine.info.markup != WFLW:
                    raise InputError(f"{name} finds the points of {engine.info.markup}, not 98.")
                for view in _VIEWS[:views]:
                    total += predict(
                        engine,
                        samples,
                        locate=partial(_view_region, view=view),
                        flip=True,
                        progress=lambda done: bar.advance(task, done),
                    )
    return total / (len(weights) * views)


def _view_region(
    sample: Sample, image: NDArray[np.uint8], view: tuple[float, float, float]
) -> Region:
    """A `Locator` once its view is given."""
    del image
    scale, right, down = view
    region = region_from_box(sample.box)
    return replace(
        region,
        x=region.x + right * region.size,
        y=region.y + down * region.size,
        size=scale * region.size,
    )


def distances(samples: Sequence[Sample], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """[N] mean distance of points [N, K, 2] from the labels, in long sides of the label's box.

    Not in distances of the eyes, which a profile has next to none of. NaN for a face without a
    label.
    """
    apart = [
        np.linalg.norm(own - sample.points, axis=-1).mean()
        / np.ptp(sample.box.reshape(2, 2), axis=0).max()
        for sample, own in zip(samples, points, strict=True)
    ]
    return np.array(apart)


def share_of(sample: Sample, shares: Sequence[Share]) -> float:
    """The last share whose source fits; 0, which keeps the label, where none does."""
    fitting = [share.share for share in shares if sample.source.startswith(share.source)]
    return fitting[-1] if fitting else 0.0


def relabelled(sample: Sample, points: NDArray[np.float64], share: float) -> Sample:
    """A face with its label moved towards an estimate; the box follows.

    Args:
        sample: the face; one without a label takes the estimate.
        points: [K, 2], the estimate.
        share: how far, 0..1.
    """
    own = sample.points + share * (points - sample.points) if sample.has_points else points
    return replace(sample, points=own, box=tight_box(own))


def _write(splits: Mapping[str, Sequence[Sample]], data: Path, out: Path) -> None:
    """The copy: pictures as they are, by a link where the file system has one."""
    with replacing(out, folder=True) as unready:
        for split, samples in splits.items():
            lines = []
            for sample in samples:
                name = sample.image.relative_to(data / IMAGES)
                target = unready / IMAGES / name
                target.parent.mkdir(parents=True, exist_ok=True)
                if not target.exists():
                    _link(sample.image, target)
                lines.append(format_line(sample, name.as_posix(), _DIGITS))
            write_list(unready, split, lines)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source.resolve(), target)
    except OSError:  # another disk, or a file system without links
        shutil.copyfile(source, target)


def _report(samples: Sequence[Sample], apart: NDArray[np.float64], kept: Sequence[bool]) -> None:
    table = Table(
        "source", "faces", "kept", "median distance %", "90 %", title="Labels and networks"
    )
    sources = np.array([sample.source for sample in samples])
    for source in sorted(set(sources)):
        own = apart[sources == source]
        known = 100 * own[np.isfinite(own)]
        numbers = [f"{np.quantile(known, q):.2f}" for q in (0.5, 0.9)] if len(known) else ["-", "-"]
        left = int(np.array(kept)[sources == source].sum())
        table.add_row(source, str(len(own)), str(left), *numbers)
    Console().print(table)


if __name__ == "__main__":
    run_command(app)
