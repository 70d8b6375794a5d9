"""From an image and regions to landmarks: crop, network, decoder. No memory of earlier frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.heatmap import Decoder, decode
from model.markup import MARKUPS
from tracker.crop import Region, crop_image, crop_matrix, from_crop, region_from_landmarks
from tracker.engines import Engine
from tracker.engines.base import PointEngine, Points
from tracker.look import face_look
from tracker.stopwatch import Stopwatch


@dataclass(frozen=True, eq=False)
class Measurement:
    """What the network says about one region of one image.

    Attributes:
        landmarks: [K, 2], float64, image pixels.
        scores: [K], float32 in 0..1, heatmap peaks.
        confidence: 0..1.
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


def confidence(peaks: NDArray[np.floating]) -> NDArray[np.float64]:
    """How sure the network is that it sees a face: the mean of its heatmap peaks.

    Args:
        peaks: [..., K], as decoded.

    Returns:
        [...], 0..1.
    """
    return np.asarray(np.clip(peaks, 0, 1).mean(axis=-1), dtype=np.float64)


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
        return self.start(image, regions)()

    def start(
        self, image: NDArray[np.uint8], regions: list[Region]
    ) -> Callable[[], list[Measurement]]:
        """Begin to look, as far as the engine works by itself; on a processor, only cut the crops.

        Args:
            image: [H, W, 3], uint8, RGB.
            regions: where to look.

        Returns:
            Gives one measurement per region. To be called at most once, and before the next look.
        """
        if not regions:
            return list
        size = self._engine.info.input_size
        with self._stopwatch("crop"):
            crops = np.stack([crop_image(image, region, size) for region in regions])
        decoded = self._decoded(crops)
        with self._stopwatch("decode"):
            looks = [face_look(crop) for crop in crops]

        def finish() -> list[Measurement]:
            points, peaks = decoded()
            with self._stopwatch("decode"):
                return [
                    self._measurement(
                        from_crop(crop_points, crop_matrix(region, size)), scores, region, look
                    )
                    for crop_points, scores, region, look in zip(
                        points, peaks, regions, looks, strict=True
                    )
                ]

        return finish

    def _decoded(self, crops: NDArray[np.uint8]) -> Callable[[], Points]:
        """Points and peaks of crops; a GPU begins with them at once."""
        engine = self._engine
        if isinstance(engine, PointEngine):
            with self._stopwatch("engine"):
                wait = engine.start(crops, self._decoder)

            def arrived() -> Points:
                with self._stopwatch("engine"):
                    return wait()

            return arrived

        def computed() -> Points:
            with self._stopwatch("engine"):
                heatmaps = engine(crops)
            with self._stopwatch("decode"):
                return decode(heatmaps, self._decoder)

        return computed

    def _measurement(
        self,
        landmarks: NDArray[np.float64],
        peaks: NDArray[np.float32],
        region: Region,
        look: NDArray[np.float32],
    ) -> Measurement:
        return Measurement(
            landmarks=landmarks,
            scores=np.clip(peaks, 0, 1),
            confidence=float(confidence(peaks)),
            region=region,
            next_region=region_from_landmarks(landmarks, self._markup.roll(landmarks)),
            look=look,
        )
