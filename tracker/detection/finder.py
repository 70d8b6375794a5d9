"""What finds things in pictures, for a tracker to begin with; it is chosen here alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from model.crop import Region, region_from_box
from tracker.detection.box_detector import BoxDetector
from tracker.detection.detection import Detection, DetectorChoice
from tracker.detection.detection_region import region_from_detection
from tracker.detection.face_detector import FaceDetector
from tracker.detection.given_box import GivenBox
from tracker.detection.view import whole_view

# The whole frame is the box.
WHOLE_FRAME = "frame"
DETECTOR_SUFFIX = ".onnx"
# Smaller things show no landmarks, pixels.
_FEWEST = 12


class Finder(Protocol):
    """Finds the regions of a picture that landmarks may be found in.

    Attributes:
        things: what it finds, in the plural, for messages.
    """

    things: str

    def looks(self, image: NDArray[np.uint8], *, thorough: bool = True) -> Iterator[list[Region]]:
        """Look again and again; take from it what is needed, each look costs time.

        Args:
            image: [H, W, 3], uint8, RGB.
            thorough: take all the time that it takes; otherwise what a frame of a video leaves.

        Yields:
            Regions of each look, likely ones first. One look at least.
        """
        ...

    def near(self, image: NDArray[np.uint8], region: Region) -> list[Region]:
        """Regions in and around one, of things that are turned as it is."""
        ...

    def smallest(self, width: int, height: int) -> int:
        """Height of the smallest things that are found in pictures of a size, about, pixels."""
        ...

    def close(self) -> None:
        """Release what it holds."""
        ...


def open_finder(
    detector: str, boxes: Sequence[GivenBox], min_score: float, threads: int | None
) -> Finder:
    """The finder that a user's words ask for.

    Args:
        detector: a `DetectorChoice`, for faces; "frame"; or the path of an .onnx file, see
            `tracker.detection.box_detector`.
        boxes: where things are at the beginning; they go before the detector.
        min_score: detections under it are dropped, 0..1.
        threads: CPU threads; None for what suits.

    Raises:
        InputError: no such detector, or one that cannot be used.
    """
    if boxes:
        return GivenBoxes(boxes)
    if detector == WHOLE_FRAME:
        return WholeFrame()
    if detector.lower().endswith(DETECTOR_SUFFIX):
        return BoxFinder(BoxDetector(Path(detector), min_score, threads))
    return FaceFinder(FaceDetector(cast("DetectorChoice", detector), min_score, threads))


class FaceFinder:
    """Faces, by a face detector."""

    things = "faces"

    def __init__(self, detector: FaceDetector) -> None:
        self._detector = detector

    def looks(self, image: NDArray[np.uint8], *, thorough: bool = True) -> Iterator[list[Region]]:
        """See `Finder`."""
        for found in self._detector.looks(image, thorough=thorough):
            yield _face_regions(found)

    def near(self, image: NDArray[np.uint8], region: Region) -> list[Region]:
        """See `Finder`."""
        return _face_regions(self._detector.near(image, region))

    def smallest(self, width: int, height: int) -> int:
        """See `Finder`."""
        return self._detector.smallest_face(width, height)

    def close(self) -> None:
        """Release the networks."""
        self._detector.close()


class _UprightFinder:
    """What those have in common that know upright things only, and of no size."""

    def near(self, image: NDArray[np.uint8], region: Region) -> list[Region]:
        """None: nothing is known of things that are turned."""
        del image, region
        return []

    def smallest(self, width: int, height: int) -> int:
        """See `Finder`."""
        del width, height
        return _FEWEST

    def close(self) -> None:
        """Nothing is held."""


class BoxFinder(_UprightFinder):
    """Things, by a detector of boxes."""

    things = "things"

    def __init__(self, detector: BoxDetector) -> None:
        self._detector = detector

    def looks(self, image: NDArray[np.uint8], *, thorough: bool = True) -> Iterator[list[Region]]:
        """See `Finder`; there is one look."""
        del thorough
        yield [region_from_box(box) for box, _ in self._detector(image)]

    def close(self) -> None:
        """Release the network."""
        self._detector.close()


class GivenBoxes(_UprightFinder):
    """Things where somebody has said that they are; there they are looked for again when lost.

    Args:
        boxes: of each, pixels; see `GivenBox`.
    """

    things = "things in the given boxes"

    def __init__(self, boxes: Sequence[GivenBox]) -> None:
        corners = [(x, y, x + width - 1, y + height - 1) for x, y, width, height in boxes]
        self._regions = [region_from_box(box) for box in corners]

    def looks(self, image: NDArray[np.uint8], *, thorough: bool = True) -> Iterator[list[Region]]:
        """See `Finder`."""
        del image, thorough
        yield self._regions


class WholeFrame(_UprightFinder):
    """One thing, which fills the frame."""

    things = "things that fill the frame"

    def looks(self, image: NDArray[np.uint8], *, thorough: bool = True) -> Iterator[list[Region]]:
        """See `Finder`."""
        del thorough
        yield [whole_view(image)]

    def smallest(self, width: int, height: int) -> int:
        """Half of the frame: less is no thing that fills it."""
        return max(min(width, height) // 2, _FEWEST)


def _face_regions(found: list[Detection]) -> list[Region]:
    return [region_from_detection(detection) for detection in found]
