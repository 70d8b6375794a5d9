"""From an image and regions to landmarks: crop, network, decoder. No memory of earlier frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from model.confidence import UNCALIBRATED
from model.crop import Region, crop_image, crop_matrix, from_crop, region_from_landmarks
from model.decoder import DEFAULT_DECODER, Decoder, decode
from model.errors import InputError
from tracker.engines.base import Engine, MapEngine, Maps, PointEngine
from tracker.system.stopwatch import Stopwatch
from tracker.tracking.appearance import face_look

# A region narrower than this holds no face that the network could see, pixels.
_SMALLEST = 12.0


def plausible(region: Region, image: NDArray[np.uint8]) -> bool:
    """Whether a region can hold a face in this image.

    Landmarks that run away make regions without end or off the image; a crop of those would be a
    waste of time, and a face in it an accident.

    Args:
        region: the region.
        image: [H, W, 3].

    Returns:
        True if its centre is inside the image and its side between 12 pixels and three times the
        image's long side.
    """
    height, width = image.shape[:2]
    inside = -0.5 <= region.x <= width - 0.5 and -0.5 <= region.y <= height - 0.5
    return inside and _SMALLEST <= region.size <= 3 * max(height, width)


# Points [N, K, 2] in crop pixels, peaks [N, K], and the maps of each crop, where they are wanted.
_Decoded = tuple[NDArray[np.float64], NDArray[np.float32], Sequence[Maps | None]]


@dataclass(frozen=True, eq=False)
class Measurement:
    """What the network says about one region of one image.

    Attributes:
        landmarks: [K, 2], float64, image pixels.
        scores: [K], float32 in 0..1, how likely each point is right; see `model.confidence`.
        confidence: 0..1, how likely it is a face whose landmarks were found.
        region: what the network looked at.
        next_region: the region around the landmarks, turned by the eye line: where to look next.
        look: [432], float32, what the region looks like; see
            `tracker.tracking.appearance.face_look`.
        maps: boundary and attention maps, where they are wanted.
    """

    landmarks: NDArray[np.float64]
    scores: NDArray[np.float32]
    confidence: float
    region: Region
    next_region: Region
    look: NDArray[np.float32]
    maps: Maps | None = None


class LandmarkNetwork:
    """An engine together with the crop before and the decoder behind it.

    Args:
        engine: the network.
        decoder: "centroid", "dark" or "quarter"; see `model.decoder.decode`.
        stopwatch: gets the stages "crop", "engine" and "decode".
        maps: whether measurements come with boundary and attention maps.

    Raises:
        InputError: maps are wanted, and the engine was not made for them.
    """

    def __init__(
        self,
        engine: Engine,
        decoder: Decoder = DEFAULT_DECODER,
        stopwatch: Stopwatch | None = None,
        maps: bool = False,
    ) -> None:
        if maps and not getattr(engine, "maps", False):
            raise InputError(
                f"the engine {engine.description} hands out no boundary and attention maps: make "
                "it by create_engine(..., maps=True)."
            )
        self._maps = maps
        self._engine = engine
        self._markup = engine.info.markup
        self._calibration = engine.info.calibration or UNCALIBRATED
        self._decoder = decoder
        self._stopwatch = stopwatch or Stopwatch()
        # Asked once: the question takes longer than cutting a crop.
        self._starts = engine if isinstance(engine, PointEngine) and not maps else None

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
        self, image: NDArray[np.uint8], regions: list[Region], *, mirror: bool = False
    ) -> Callable[[], list[Measurement]]:
        """Begin to look, as far as the engine works by itself; on a processor, only cut the crops.

        Args:
            image: [H, W, 3], uint8, RGB.
            regions: where to look.
            mirror: let the network see the mirrored crops. What it finds is turned back, but for
                `look` and `maps`.

        Returns:
            Gives one measurement per region. To be called at most once, and before the next look.
        """
        if not regions:
            return list
        size, corrected = self._engine.info.input_size, self._engine.info.corrected
        with self._stopwatch("crop"):
            crops = np.stack([crop_image(image, region, size) for region in regions])
            if mirror:
                crops = np.ascontiguousarray(crops[:, :, ::-1])
        decoded = self._decoded(crops)
        with self._stopwatch("decode"):
            looks = [face_look(crop) for crop in crops]

        def finish() -> list[Measurement]:
            points, peaks, maps = decoded()
            with self._stopwatch("decode"):
                if mirror:
                    flip = self._markup.flip
                    points, peaks = points[:, flip], peaks[:, flip]
                    points[..., 0] = size - 1 - points[..., 0]
                scores = self._calibration.point_scores(peaks)
                confidences = self._calibration.face_confidence(peaks).tolist()
                found = [
                    from_crop(own, crop_matrix(region, size))
                    for own, region in zip(corrected(points), regions, strict=True)
                ]
                return [
                    Measurement(
                        landmarks=landmarks,
                        scores=own_scores,
                        confidence=confidence,
                        region=region,
                        next_region=region_from_landmarks(landmarks, self._markup.roll(landmarks)),
                        look=look,
                        maps=own_maps,
                    )
                    for landmarks, own_scores, confidence, region, look, own_maps in zip(
                        found, scores, confidences, regions, looks, maps, strict=True
                    )
                ]

        return finish

    def _decoded(self, crops: NDArray[np.uint8]) -> Callable[[], _Decoded]:
        """Points, peaks and maps of crops; a GPU begins with them at once."""
        engine = self._engine
        no_maps = [None] * len(crops)
        if self._starts is not None:
            with self._stopwatch("engine"):
                wait = self._starts.start(crops, self._decoder)

            def arrived() -> _Decoded:
                with self._stopwatch("engine"):
                    return *wait(), no_maps

            return arrived

        def computed() -> _Decoded:
            maps: Sequence[Maps | None] = no_maps
            with self._stopwatch("engine"):
                if self._maps:
                    heatmaps, all_maps = cast("MapEngine", engine).with_maps(crops)
                    maps = [Maps(*own) for own in zip(*all_maps, strict=True)]
                else:
                    heatmaps = engine(crops)
            with self._stopwatch("decode"):
                return *decode(heatmaps, self._decoder), maps

        return computed
