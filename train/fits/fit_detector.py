"""Fit the constants of `tracker.detection.detection_region`: from its box to a crop region.

`python -m train.fits.fit_detector --data ROOT` pastes labelled training faces into pictures of a
webcam's size, runs both face detectors, compares what they find with the region of the true
landmarks, and prints the constants and what scatter is left: the jitter to train with.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import atan2
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from model.crop import region_from_landmarks, warp_image, wrap_angle
from model.errors import run_command
from model.shipped_markups import WFLW
from tracker.detection.blazeface import BlazeFace
from tracker.detection.detection import Detection, DetectorModel
from train.data.sample import Sample
from train.data.wflw import read_wflw

# A webcam's picture. Faces from the smallest the detectors see to one that fills the picture.
WIDTH, HEIGHT = 640, 480
SMALLEST, LARGEST = 45.0, 300.0
# Roll added to the natural one: the constants are in the face's own axes and must hold when turned.
ROLL_DEGREES = 15.0
# A detection further from the true centre, in landmark boxes, is of something else.
SAME = 0.5
MODELS: tuple[DetectorModel, ...] = ("short", "full")

app = typer.Typer(add_completion=False)


@dataclass(frozen=True)
class Offsets:
    """The true region seen from a detection: x, y in the face's axes, in sides of the box."""

    ears: float
    x: float
    y: float
    scale: float
    angle: float


@app.command()
def main(
    data: Annotated[Path, typer.Option(help="WFLW layout: WFLW_annotations and WFLW_images.")],
    count: Annotated[int, typer.Option(min=20, help="Faces to use, half of them YTF.")] = 3000,
    seed: Annotated[int, typer.Option(help="Choice, size, place and roll of the faces.")] = 0,
) -> None:
    """Print the constants of tracker/detection/detection_region.py, fitted on training faces."""
    rng = np.random.default_rng(seed)
    samples = _choose(read_wflw(data, "train"), count, rng)
    detectors = {model: BlazeFace(model) for model in MODELS}
    found: dict[DetectorModel, list[Offsets]] = {model: [] for model in MODELS}
    for sample in track(samples, description="detecting"):
        picture, points = paste(sample.load(), sample.points, rng)
        for model, detector in detectors.items():
            detection = nearest(detector(picture), points)
            if detection is not None:
                found[model].append(offsets(detection, points))
    _report(found, len(samples))


def _choose(samples: list[Sample], count: int, rng: np.random.Generator) -> list[Sample]:
    """As many faces from YTF as from elsewhere: their annotation styles differ by 5 % in size."""
    groups = [s for s in samples if s.source == "ytf"], [s for s in samples if s.source != "ytf"]
    filled = [group for group in groups if group]
    size = min(count // len(filled), *(len(group) for group in filled), len(samples))
    return [group[i] for group in filled for i in rng.permutation(len(group))[:size]]


def paste(
    image: NDArray[np.uint8], points: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Put a face somewhere into a webcam's picture, at a random size and roll.

    Args:
        image: [H, W, 3].
        points: [K, 2], pixels of `image`.
        rng: source of the randomness.

    Returns:
        The picture and the points in it.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    side = float((high - low).max())
    # Faces are never enlarged much: that would be sharper than nothing but not a real close-up.
    scale = min(np.exp(rng.uniform(np.log(SMALLEST), np.log(LARGEST))) / side, 1.5)
    angle = np.deg2rad(rng.normal(0, ROLL_DEGREES))
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    margin = 0.75 * scale * side
    size = np.array([WIDTH, HEIGHT])
    centre = size / 2 + rng.uniform(-1, 1, 2) * np.maximum(size / 2 - margin, 0)
    matrix = np.column_stack([turn, centre - turn @ ((low + high) / 2)])
    # A square canvas through the project's own sampler, which does not alias; then cut.
    picture = warp_image(image, matrix, WIDTH)[:HEIGHT]
    return picture, points @ turn.T + matrix[:, 2]


def nearest(detections: list[Detection], points: NDArray[np.float64]) -> Detection | None:
    """The detection of the face with these landmarks, None if it was missed."""
    low, high = points.min(axis=0), points.max(axis=0)
    limit = SAME * (high - low).max()
    for detection in detections:
        middle = (detection.box[:2] + detection.box[2:]) / 2
        if np.linalg.norm(middle - (low + high) / 2) < limit:
            return detection
    return None


def offsets(detection: Detection, points: NDArray[np.float64]) -> Offsets:
    """Where the region of the true landmarks sits, relative to a detection."""
    region = region_from_landmarks(points, WFLW.roll(points))
    middle = (detection.box[:2] + detection.box[2:]) / 2
    side = float((detection.box[2:] - detection.box[:2]).mean())
    eyes = detection.keypoints[1] - detection.keypoints[0]
    angle = atan2(eyes[1], eyes[0])
    axes = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    ears = axes @ (detection.keypoints[4:6].mean(axis=0) - middle) / side
    x, y = axes @ (np.array([region.x, region.y]) - middle) / side
    turn = wrap_angle(region.angle - angle)
    return Offsets(float(ears[0]), float(x), float(y), region.size / side, turn)


def _report(found: dict[DetectorModel, list[Offsets]], count: int) -> None:
    table = Table(
        title=f"{count} faces of {SMALLEST:.0f} to {LARGEST:.0f} px in {WIDTH} x {HEIGHT}",
        caption="std: of the centre in sides of the region, of the logarithm of the side, of the "
        "roll in degrees",
    )
    columns = ("model", "found", "across", "down", "scale")
    scatter = ("std x", "std y", "std side", "std roll")
    for name in (*columns, *scatter):
        table.add_column(name, justify="right")
    for model, rows in found.items():
        ears, x, y, scale, angle = np.array(
            [(row.ears, row.x, row.y, row.scale, row.angle) for row in rows]
        ).T
        across = float(ears @ x / (ears @ ears))
        side = float(np.exp(np.log(scale).mean()))
        table.add_row(
            model,
            f"{len(rows) / count:.1%}",
            *(f"{value:.3f}" for value in (across, y.mean(), side)),
            # Scatter in sides of the region, as training states its jitter.
            *(f"{value:.4f}" for value in ((x - across * ears).std() / side, y.std() / side)),
            f"{np.log(scale).std():.4f}",
            f"{np.rad2deg(angle.std()):.1f}",
        )
    Console().print(table)


if __name__ == "__main__":
    run_command(app)
