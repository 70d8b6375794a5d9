"""Finding faces in a picture: look after look, from the likeliest one on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import ceil

import numpy as np
from numpy.typing import NDArray

from model.crop import Region
from model.errors import InputError
from tracker.detection.blazeface import BlazeFace
from tracker.detection.detection import DETECTORS, Detection, DetectorChoice, DetectorModel
from tracker.detection.mediapipe_detector import MediaPipeDetector
from tracker.detection.search_plan import tile_sides, tiles, turned_views
from tracker.detection.suppression import nested
from tracker.system.closing import Closing

# "auto": the full-range network first. Of labelled faces of 55-75 px in a 640x480 picture it finds
# 90 % (short range: 32 %), and it does not take a print on a shirt for a face, as the other does.
# But of faces over three quarters of the picture's height it misses up to half, the short-range one
# none: that one looks next.
_ORDER: dict[DetectorChoice, tuple[DetectorModel, ...]] = {
    "auto": ("full", "short"),
    "short": ("short",),
    "full": ("full",),
    "mediapipe": ("full", "short"),
}
# The second thread takes a third off the time and adds a sixth to the processor's; more add most to
# the latter.
_THREADS = 2
# Boxes from different views are one face if they share this much of the smaller one: a tile's
# border cuts faces, and what is left of them lies within the whole one's box.
_SAME = 0.5
# Of the side of what is looked at: of faces of this height the tracker finds about half
# (docs/detection.md).
_SMALLEST: dict[DetectorModel, float] = {"full": 0.05, "short": 0.125}
# Fewer pixels show no landmarks, however close one looks.
_FEWEST = 12
# Sides of a region: a view in which its face is neither small nor cut off.
_AROUND = 2.5


class FaceDetector(Closing):
    """Finds faces in single images, or in the frames of a video.

    Not safe to call from two threads at once.

    Args:
        model: "full" sees faces down to a 20th of what it looks at, "short" misses those under an
            8th but sees faces that fill the picture; "auto" is full, then short where full is not
            enough; "mediapipe" is the same two, run by the package mediapipe on the whole
            upright picture only.
        min_score: detections under it are dropped, 0..1.
        threads: CPU threads; None for what suits these networks.

    Raises:
        InputError: there is no such model, or mediapipe is asked for and missing.
    """

    def __init__(
        self, model: DetectorChoice = "auto", min_score: float = 0.5, threads: int | None = None
    ) -> None:
        if model not in _ORDER:
            raise InputError(f"no face detector {model!r}; choose one of {', '.join(DETECTORS)}")
        self._networks: list[BlazeFace | MediaPipeDetector]
        # Those that can look at a part of a picture, or at one that is turned.
        self._searching: list[BlazeFace] = []
        if model == "mediapipe":
            self._networks = [MediaPipeDetector(name, min_score) for name in _ORDER[model]]
        else:
            count = min(threads or _THREADS, _THREADS)
            self._searching = [BlazeFace(name, min_score, count) for name in _ORDER[model]]
            self._networks = [*self._searching]
        self._call = 0

    def __call__(self, image: NDArray[np.uint8]) -> list[Detection]:
        """Find faces, searching until there are any.

        Args:
            image: [H, W, 3], uint8, RGB.

        Returns:
            What the first look that found something found, best score first.
        """
        return next((found for found in self.looks(image) if found), [])

    def looks(
        self, image: NDArray[np.uint8], *, thorough: bool = True
    ) -> Iterator[list[Detection]]:
        """Look again and again; take from it what is needed, each look costs time.

        The whole picture first, by each network; then turned by a half and by a quarter; then in
        tiles, large ones before small ones. So a face may be found more than once.

        Args:
            image: [H, W, 3], uint8, RGB.
            thorough: all of that. Otherwise only one look follows the first network's at the whole
                picture: that of the second network, and at every other call one turn or tile, each
                time the next one. For a video, where a search may take some frames but not the time
                between two.

        Yields:
            The faces of each look, best score first; those of one face are merged.
        """
        for network in self._networks[:1]:
            yield network(image)
        self._call += 1
        turn_of_others = bool(self._call % 2) or not self._searching
        if thorough or turn_of_others:
            for network in self._networks[1:]:
                yield network(image)
        if thorough:
            for searching, views in self._further(image):
                yield _merged([found for view in views for found in searching(image, view)])
        elif not turn_of_others:
            # Every group at a pace of its own: the few large tiles do not wait for all small ones.
            groups = self._further(image)
            number, turn = divmod(self._call // 2, len(groups))
            searching, views = groups[turn]
            yield searching(image, views[number % len(views)])

    def near(self, image: NDArray[np.uint8], region: Region) -> list[Detection]:
        """Look at a region and around it, for faces that stand upright in it.

        Args:
            image: [H, W, 3], uint8, RGB.
            region: where a face may be, and its roll.

        Returns:
            Detections, best score first.
        """
        view = replace(region, size=_AROUND * region.size)
        return next((found for net in self._searching if (found := net(image, view))), [])

    def smallest_face(self, width: int, height: int) -> int:
        """Height of the smallest faces that a thorough search finds, about, pixels.

        Args:
            width: of the picture, pixels.
            height: the same.
        """
        limits = [_SMALLEST[network.model] * max(width, height) for network in self._networks]
        for network in self._searching[:1]:
            limits += [_SMALLEST[network.model] * side for side in tile_sides(width, height)]
        return max(ceil(min(limits)), _FEWEST)

    def close(self) -> None:
        """Release the networks."""
        for network in self._networks:
            network.close()
        self._networks, self._searching = [], []

    def _further(self, image: NDArray[np.uint8]) -> list[tuple[BlazeFace, list[Region]]]:
        """Views beyond the whole upright picture, in groups, and the network for each group."""
        height, width = image.shape[:2]
        turned = turned_views(image)
        groups = [(network, turned) for network in self._searching]
        # The first network is the one for small faces, where there is a choice.
        for network in self._searching[:1]:
            sides = tile_sides(width, height)
            groups += [(network, tiles(width, height, side)) for side in sides]
        return groups


def _merged(found: list[Detection]) -> list[Detection]:
    """One detection, the best, of each face that several views have found."""
    kept: list[Detection] = []
    for detection in sorted(found, key=lambda detection: -detection.score):
        boxes = np.array([other.box for other in kept]).reshape(-1, 4)
        if not (nested(detection.box, boxes) > _SAME).any():
            kept.append(detection)
    return kept
