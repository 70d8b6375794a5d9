"""From an image and regions to landmarks: crop, network, decoder. No memory of earlier frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.confidence import UNCALIBRATED
from model.heatmap import Decoder, decode
from model.markup import MARKUPS
from tracker.crop import Region, crop_image, crop_matrix, from_crop, region_from_landmarks
from tracker.engines import Engine
from tracker.look import face_look
from tracker.stopwatch import Stopwatch


@dataclass(frozen=True, eq=False)
class Measurement:
    """What the network says about one region of one image.

    Attributes:
        landmarks: [K, 2], float64, image pixels.
        scores: [K], float32 in 0..1, how likely each point is right; see `model.confidence`.
        confidence: 0..1, how likely it is a face whose landmarks were found.
        region: what the network looked at.
        next_region: the region around the landmarks, turned by the eye line: where to look next.
        look: [432], float32, what the region looks like; see `tracker.look.face_look`.
    """

    landmarks: NDArray[np.float64]
    scores: NDArray[np.float32]
    confidence: float
    region: Region
    next_region: Region
    look: NDArray[np.float32]


class LandmarkNetwork:
    """An engine together with the crop before and the decoder behind it.

    Args:
        engine: the network.
        decoder: "dark" or "quarter"; see `model.heatmap.decode`.
        stopwatch: gets the stages "crop", "engine" and "decode".
    """

    def __init__(
        self, engine: Engine, decoder: Decoder = "dark", stopwatch: Stopwatch | None = None
    ) -> None:
        self._engine = engine
        self._markup = MARKUPS[engine.info.markup]
        self._calibration = engine.info.calibration or UNCALIBRATED
        self._decoder = decoder
        self._stopwatch = stopwatch or Stopwatch()

    def __call__(self, image: NDArray[np.uint8], regions: list[Region]) -> list[Measurement]:
        """Find the landmarks in regions of an image.

        Args:
            image: [H, W, 3], uint8, RGB.
            regions: where to look.

        Returns:
            One measurement per region.
        """
        if not regions:
            return []
        size = self._engine.info.input_size
        with self._stopwatch("crop"):
            crops = np.stack([crop_image(image, region, size) for region in regions])
        with self._stopwatch("engine"):
            heatmaps = self._engine(crops)
        with self._stopwatch("decode"):
            points, peaks = decode(heatmaps, self._decoder)
            found = [
                self._measurement(
                    from_crop(crop_points, crop_matrix(region, size)), scores, region, crop
                )
                for crop_points, scores, region, crop in zip(
                    points, peaks, regions, crops, strict=True
                )
            ]
        return found

    def _measurement(
        self,
        landmarks: NDArray[np.float64],
        peaks: NDArray[np.float32],
        region: Region,
        crop: NDArray[np.uint8],
    ) -> Measurement:
        return Measurement(
            landmarks=landmarks,
            scores=self._calibration.point_scores(peaks),
            confidence=float(self._calibration.face_confidence(peaks)),
            region=region,
            next_region=region_from_landmarks(landmarks, self._markup.roll(landmarks)),
            look=face_look(crop),
        )
