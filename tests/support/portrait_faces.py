"""The portrait under known motion as a dataset, labelled by a shipped network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from model.crop import Region
from tests.support.face_files import LIST
from tracker.assets.portrait import portrait_image
from tracker.bench.moving_portrait import portrait_frame, portrait_motion
from tracker.engines.create import create_engine
from tracker.tracking.landmark_network import LandmarkNetwork

Label = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def write_portraits(
    root: Path, train: int = 4, test: int = 3, label: Label = lambda points: points
) -> Path:
    """Write it in WFLW's layout.

    Args:
        root: an empty folder.
        train: training faces.
        test: faces to judge by.
        label: from the points that `propnet-s` finds, [98, 2] pixels, to a face's label.
    """
    image = portrait_image()
    engine = create_engine("onnxruntime", "propnet-s", 1)
    network = LandmarkNetwork(engine)
    (first,) = network(image, [Region(224, 125, 150)])
    (seen,) = network(image, [first.next_region])
    engine.close()
    (root / "WFLW_images").mkdir()
    (root / LIST.format("train")).parent.mkdir(parents=True)
    for split, count in (("train", train), ("test", test)):
        lines = []
        for number, matrix in enumerate(portrait_motion(count)):
            points = label(seen.landmarks @ matrix[:, :2].T + matrix[:, 2])
            name = f"{split}_{number}.png"
            frame = portrait_frame(image, matrix)
            cv2.imwrite(str(root / "WFLW_images" / name), frame[..., ::-1])
            numbers = [*points.ravel(), *points.min(axis=0), *points.max(axis=0)]
            lines.append(" ".join([*(f"{n:.3f}" for n in numbers), *"000000", name]))
        (root / LIST.format(split)).write_text("\n".join(lines) + "\n")
    return root
