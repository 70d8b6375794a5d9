"""What the tracker gives back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.crop import Region
from tracker.engines.base import Maps


@dataclass(frozen=True, eq=False)
class Face:
    """One face in one frame.

    Attributes:
        id: number of the track, from 0, never used again in the same source.
        landmarks: [K, 2], float32, smoothed; image pixels, (0, 0) is the centre of the top left
            pixel. May lie outside the image.
        raw: [K, 2], float32, the same without smoothing.
        scores: [K], float32 in 0..1, for every landmark how likely it is where it belongs: within a
            tenth of the eye distance. Of `raw`; see `model.confidence`.
        confidence: 0..1, how likely this is a face whose landmarks were found.
        region: the square of the image that the network read for these landmarks.
        maps: what the network saw in the region, if `TrackerOptions.maps` asks for it.
    """

    id: int
    landmarks: NDArray[np.float32]
    raw: NDArray[np.float32]
    scores: NDArray[np.float32]
    confidence: float
    region: Region
    maps: Maps | None = None


@dataclass(frozen=True, eq=False)
class TrackedFrame:
    """One frame of a source and the faces in it.

    Attributes:
        index: number of the frame in its source, from 0.
        timestamp: presentation time in seconds.
        image: [H, W, 3], uint8, RGB, without any drawing.
        faces: the faces, oldest track first; empty where none was found.
        source: what the frame comes from: a path, "camera 0", an address.
    """

    index: int
    timestamp: float
    image: NDArray[np.uint8]
    faces: tuple[Face, ...]
    source: str = ""
