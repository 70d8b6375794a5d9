"""A program that uses the tracker, type-checked against the installed package; see .ci/run."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tracker import FaceMeasurer, InputError, Tracker, TrackerOptions


def noses(video: Path) -> list[tuple[float, NDArray[np.float32]]]:
    """Time and tip of the nose of every face in a video."""
    found: list[tuple[float, NDArray[np.float32]]] = []
    with Tracker("propnet-s", options=TrackerOptions(max_faces=2)) as tracker:
        measure = FaceMeasurer(tracker.markup.name)
        for frame in tracker.track(video):
            for face, measures in zip(frame.faces, measure(frame), strict=True):
                found.append((frame.timestamp, face.landmarks[54]))
                if measures.blink is not None:
                    print(face.id, measures.blink.start)
    return found


try:
    noses(Path("video.mp4"))
except InputError as error:
    print(error)
