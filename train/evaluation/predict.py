"""From annotated faces to predicted landmarks: where to cut, the network, the decoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from model.crop import Region, crop_image, crop_matrix, from_crop, region_from_box
from model.decoder import DEFAULT_DECODER, Decoder, decode
from tracker.detection.detection_region import region_from_detection
from tracker.detection.face_detector import FaceDetector
from tracker.detection.suppression import overlaps
from tracker.engines.base import Engine
from train.data.sample import Sample

# A face counts as found if the best detection's crop overlaps the true one this much (intersection
# over union). The crop of a neighbour one face width away overlaps by 0.13; a crop on the right
# face that is off by a factor of 1.8 in size, by 0.3.
MIN_OVERLAP = 0.3

# What finds the face of a sample in its picture: a region of the picture, or None if it fails.
Locator = Callable[[Sample, NDArray[np.uint8]], Region | None]


def true_region(sample: Sample, image: NDArray[np.uint8]) -> Region:
    """The crop of the ground-truth box, upright as in training. The picture is not looked at."""
    del image
    return region_from_box(sample.box)


class DetectorLocator:
    """Finds faces with the tracker's detector.

    Several faces in a picture: the detection whose crop overlaps the true one best is taken, as a
    tracker that follows this face would.

    Args:
        detector: the detector.
    """

    def __init__(self, detector: FaceDetector) -> None:
        self._detector = detector

    def __call__(self, sample: Sample, image: NDArray[np.uint8]) -> Region | None:
        """Region of the sample's face, or None if the detector misses it (see MIN_OVERLAP)."""
        true = true_region(sample, image)
        regions = [region_from_detection(detection) for detection in self._detector(image)]
        best = max(regions, key=lambda region: overlap(region, true), default=None)
        return best if best is not None and overlap(best, true) >= MIN_OVERLAP else None


def overlap(first: Region, second: Region) -> float:
    """Intersection over union of two regions taken as upright squares, 0..1."""
    return float(overlaps(_square(first), _square(second)[None])[0])


def _square(region: Region) -> NDArray[np.float64]:
    half = region.size / 2
    return np.array([region.x - half, region.y - half, region.x + half, region.y + half])


def predict(
    engine: Engine,
    samples: Sequence[Sample],
    *,
    locate: Locator = true_region,
    decoder: Decoder = DEFAULT_DECODER,
    flip: bool = False,
    batch: int = 32,
    progress: Callable[[int], object] | None = None,
) -> NDArray[np.float64]:
    """Predict the landmarks of every sample.

    Args:
        engine: the network.
        samples: the faces.
        locate: where to cut; the default is the ground-truth box.
        decoder: how heatmaps become points.
        flip: average the heatmaps with those of the mirrored crop.
        batch: crops given to the network at once.
        progress: called with the number of faces just done.

    Returns:
        [N, K, 2] in the network's markup, pixels of each sample's picture; NaN for faces that
        `locate` did not find.

    Raises:
        InputError: a picture cannot be read.
    """
    size = engine.info.input_size
    points = np.full((len(samples), engine.info.markup.points, 2), np.nan)
    # Reading pictures releases Python's lock; detectors and engines stay on this thread.
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(samples), batch):
            part = samples[start : start + batch]
            crops, matrices, places = [], [], []
            for place, (sample, image) in enumerate(
                zip(part, pool.map(Sample.load, part), strict=True), start=start
            ):
                region = locate(sample, image)
                if region is not None:
                    crops.append(crop_image(image, region, size))
                    matrices.append(crop_matrix(region, size))
                    places.append(place)
            if crops:
                found = _run(engine, np.stack(crops), decoder, flip)
                for place, face, matrix in zip(places, found, matrices, strict=True):
                    points[place] = from_crop(face, matrix)
            if progress is not None:
                progress(len(part))
    return points


def _run(
    engine: Engine, crops: NDArray[np.uint8], decoder: Decoder, flip: bool
) -> NDArray[np.float64]:
    """Corrected points [N, K, 2] in crop pixels."""
    heatmaps = engine(crops)
    if flip:
        mirrored = engine(np.ascontiguousarray(crops[:, :, ::-1]))
        heatmaps += mirrored[:, engine.info.markup.flip, :, ::-1]
        heatmaps /= 2
    return engine.info.corrected(decode(heatmaps, decoder)[0])
