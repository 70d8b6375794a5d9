"""`python -m train.recall`: which faces are found, by their size and roll, and what else is.

Labelled faces are put into pictures of several sizes, made of what surrounds the faces of other
photographs. Each is searched in one look of a detector (the whole picture, upright) and by the
tracker, which looks further as long as its network has not confirmed a face.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, cast

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from model.crop import Region, region_from_landmarks, wrap_angle
from model.errors import InputError, run_command
from model.files import write_json
from model.zoo import DEFAULT_WEIGHTS
from tracker.bench.bench_clip import clip_size
from tracker.detection.detection import DETECTORS, DetectorChoice
from tracker.detection.detection_region import region_from_detection
from tracker.detection.face_detector import FaceDetector
from tracker.system.number_list import parse_numbers
from tracker.tracking.face_tracker import Tracker
from tracker.tracking.options import TrackerOptions
from train.data.datasets import read_dataset
from train.data.option_choice import check_choice
from train.data.sample import Sample
from train.evaluation.engine_choice import check_outputs
from train.evaluation.predict import MIN_OVERLAP, overlap
from train.evaluation.scenes import background, put_face

# Found is what also has the right roll, within half of what lies between two turns of the search.
_ROLL = np.pi / 4
_SIZES = "12,16,20,28,40,80,160,320"
WAYS = ("one look", "tracker")
_Way = Callable[[NDArray[np.uint8]], list[Region]]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass
class Row:
    """What one way of searching found in pictures of one kind.

    Attributes:
        width: of the pictures, pixels.
        height: the same.
        size: of the faces, long side of the box of their landmarks, pixels; 0 for none.
        degrees: roll added to them.
        way: one of `WAYS`.
        pictures: how many.
        found: in how many of them the face was found.
        others: what else was found in them.
        milliseconds: median time of a picture.
    """

    width: int
    height: int
    size: int
    degrees: int
    way: str
    pictures: int
    found: int
    others: int
    milliseconds: float


@app.command()
def main(  # noqa: PLR0917 (a command's options)
    data: Annotated[Path, typer.Option(help="Labelled faces in WFLW's layout.")],
    split: Annotated[str, typer.Option(help="Of these faces.")] = "test",
    detector: Annotated[str, typer.Option(help=f"One of {', '.join(DETECTORS)}.")] = "auto",
    weights: Annotated[str, typer.Option(help="Network that confirms.")] = DEFAULT_WEIGHTS,
    frames: Annotated[str, typer.Option(help="Sizes of the pictures.")] = "640x480,1920x1080",
    sizes: Annotated[str, typer.Option(help="Sizes of the faces, pixels.")] = _SIZES,
    rolls: Annotated[str, typer.Option(help="Degrees added to the faces.")] = "0",
    count: Annotated[int, typer.Option(min=1, help="Pictures of each kind.")] = 100,
    min_detection: Annotated[float, typer.Option(min=0, max=1, help="Detector's threshold.")] = 0.5,
    seed: Annotated[int, typer.Option(help="Of places and backgrounds.")] = 0,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures here; replaces the file.")
    ] = None,
) -> None:
    """Print which faces are found by size and roll, what else is found, and how long it takes."""
    check_choice("detector", detector, DETECTORS)
    check_outputs(json_file, None)
    samples = read_dataset("wflw", data, split)
    wanted = parse_numbers(sizes, "--sizes", "numbers of pixels", "20,80")
    # Each kind of picture also without a face.
    cases = [(0, 0), *((size, degrees) for degrees in _degrees(rolls) for size in wanted)]
    kinds = [(*clip_size(frame.strip()), *case) for frame in frames.split(",") for case in cases]
    options = TrackerOptions(detector=detector, min_detection=min_detection, max_faces=8)
    rows = []
    with (
        Tracker(weights, options=options) as tracker,
        FaceDetector(cast("DetectorChoice", detector), min_detection) as finder,
    ):
        ways = {"one look": partial(_one_look, finder), "tracker": partial(_tracked, tracker)}
        for kind in kinds:
            rows += _measure(samples, kind, ways, count, seed)
    Console(width=None if sys.stdout.isatty() else 120, highlight=False).print(
        _table(rows, detector)
    )
    if json_file is not None:
        write_json(json_file, {"detector": detector, "rows": [asdict(row) for row in rows]})


def _measure(
    samples: Sequence[Sample],
    kind: tuple[int, int, int, int],
    ways: Mapping[str, _Way],
    count: int,
    seed: int,
) -> list[Row]:
    """The rows of one kind of picture."""
    width, height, size, degrees = kind
    rng = np.random.default_rng(seed)
    rows = {way: Row(*kind, way, count, 0, 0, 0.0) for way in ways}
    times: dict[str, list[float]] = {way: [] for way in ways}
    chosen = rng.permutation(len(samples))
    name = f"{width}x{height}, {size} px, {degrees} degrees"
    for number in track(
        range(count), description=name, transient=True, disable=not sys.stderr.isatty()
    ):
        picture = background(samples, width, height, rng)
        sample = samples[chosen[number % len(samples)]]
        points = put_face(picture, sample, size, degrees, rng) if size else None
        true = _true(points, sample) if points is not None else None
        for way, search in ways.items():
            begin = time.perf_counter()
            found = search(picture)
            times[way].append(time.perf_counter() - begin)
            right = [true is not None and _same(region, true) for region in found]
            rows[way].found += any(right)
            rows[way].others += len(found) - sum(right)
    for way, row in rows.items():
        row.milliseconds = 1e3 * float(np.median(times[way]))
    return list(rows.values())


def _one_look(finder: FaceDetector, picture: NDArray[np.uint8]) -> list[Region]:
    return [region_from_detection(found) for found in next(finder.looks(picture), [])]


def _tracked(tracker: Tracker, picture: NDArray[np.uint8]) -> list[Region]:
    tracker.reset()
    return [face.region for face in tracker(picture, 0.0)]


def _true(points: NDArray[np.float64], sample: Sample) -> Region:
    return region_from_landmarks(points, sample.markup.roll(points))


def _same(region: Region, true: Region) -> bool:
    turn = abs(wrap_angle(region.angle - true.angle))
    return overlap(region, true) >= MIN_OVERLAP and turn < _ROLL


def _degrees(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"--rolls: {text!r} is no list of whole degrees such as 0,90.") from None


def _table(rows: Sequence[Row], detector: str) -> Table:
    table = Table(
        title=f"detector {detector}: faces found, and what else is found in 100 pictures",
        caption="size: long side of the box of the landmarks, pixels; ms: median of a picture",
    )
    for name in (
        "frame",
        "size",
        "roll",
        *(f"{way}{end}" for way in WAYS for end in ("", " else", " ms")),
    ):
        table.add_column(name, justify="right")
    for first in range(0, len(rows), len(WAYS)):
        group = rows[first : first + len(WAYS)]
        row = group[0]
        cells = [
            f"{row.width}x{row.height}",
            str(row.size) if row.size else "none",
            str(row.degrees),
        ]
        for row in group:
            cells += [
                f"{row.found / row.pictures:.0%}" if row.size else "",
                f"{100 * row.others / row.pictures:.0f}",
                f"{row.milliseconds:.0f}",
            ]
        table.add_row(*cells)
    return table


if __name__ == "__main__":
    run_command(app)
