"""`python -m tracker.bench.detector_speed`: what one look of a face detector takes, on one core.

Beside it, where the package mediapipe is installed, the same networks run by MediaPipe, in the same
minute: looks take turns. (That package reports its use to its maker.)
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from importlib.util import find_spec
from typing import Annotated, get_args

import cv2
import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from model.errors import run_command
from tracker.assets.portrait import portrait_image
from tracker.bench.bench_clip import clip_size
from tracker.detection.blazeface import BlazeFace
from tracker.detection.detection import DetectorModel
from tracker.detection.mediapipe_detector import MediaPipeDetector

# The first looks pay for caches and memory.
_WARM_UP = 5

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    frames: Annotated[str, typer.Option(help="Sizes of the pictures.")] = "640x480,1280x720",
    looks: Annotated[int, typer.Option(min=1, help="Looks to time, each.")] = 100,
) -> None:
    """Print the time of a look for both networks, beside MediaPipe's if that is installed."""
    sizes = [clip_size(text.strip()) for text in frames.split(",")]
    if hasattr(os, "sched_setaffinity"):
        # MediaPipe takes no number of threads.
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    table = Table(title="One look on one core, median of milliseconds (of them processor's)")
    for name in ("network", "frame", "here", "mediapipe"):
        table.add_column(name, justify="right")
    for model in get_args(DetectorModel):
        for width, height in sizes:
            image = np.asarray(cv2.resize(portrait_image(), (width, height)), dtype=np.uint8)
            table.add_row(model, f"{width}x{height}", *_times(model, image, looks))
    Console().print(table)


def _times(model: DetectorModel, image: NDArray[np.uint8], looks: int) -> list[str]:
    with ExitStack() as stack:
        detectors: list[Callable[[NDArray[np.uint8]], object]] = [BlazeFace(model, threads=1)]
        if find_spec("mediapipe"):
            theirs = MediaPipeDetector(model)
            stack.callback(theirs.close)
            detectors.append(theirs)
        wall = np.zeros((looks + _WARM_UP, len(detectors)))
        busy = np.zeros_like(wall)
        for row in range(len(wall)):
            for column, detect in enumerate(detectors):
                begin, worked = time.perf_counter(), time.process_time()
                detect(image)
                wall[row, column] = time.perf_counter() - begin
                busy[row, column] = time.process_time() - worked
    medians = zip(
        1e3 * np.median(wall[_WARM_UP:], axis=0), 1e3 * np.median(busy[_WARM_UP:], axis=0),
        strict=True,
    )  # fmt: skip
    cells = [f"{total:.2f} ({own:.2f})" for total, own in medians]
    return [*cells, "not installed"][:2]


if __name__ == "__main__":
    run_command(app)
