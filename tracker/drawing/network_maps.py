"""What the network saw, laid over the picture: its boundary heatmaps and its attention."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from model.crop import Region, crop_matrix, from_crop
from tracker.engines.base import Maps

# Attention covers the whole face: half of it lets the face be seen.
_ATTENTION_OPACITY = 0.5
# Boundaries are thin: where the network is sure they may hide what is under them.
_BOUNDARY_OPACITY = 0.9
# Heat from a faint dark red to a bright yellow, as far from skin as from the strokes' colours.
_HEAT = {0: (170, 0, 40), 110: (240, 70, 0), 255: (255, 245, 120)}  # level: colour


@dataclass(frozen=True, eq=False)
class _Place:
    """Where a map lies in an image.

    Attributes:
        part: [h, w, 3], uint8, a view of the image under the map.
        matrix: [2, 3], from pixels of the part to those of the map.
    """

    part: NDArray[np.uint8]
    matrix: NDArray[np.float64]

    @classmethod
    def of(cls, image: NDArray[np.uint8], region: Region, side: int) -> _Place | None:
        """The place of a map of `side` x `side` pixels; None if it is wholly outside."""
        # A heatmap is a crop of fewer pixels: both count from the centre of their first.
        matrix = crop_matrix(region, side)
        ends = np.array([-1.0, side])  # one pixel around it, in which it fades out
        corners = from_crop(np.stack(np.meshgrid(ends, ends), axis=-1).reshape(-1, 2), matrix)
        height, width = image.shape[:2]
        x0, y0 = np.clip(np.floor(corners.min(0)), 0, [width, height]).astype(int)
        x1, y1 = np.clip(np.ceil(corners.max(0)) + 1, 0, [width, height]).astype(int)
        if x0 >= x1 or y0 >= y1:
            return None
        moved = matrix.copy()
        moved[:, 2] += matrix[:, :2] @ [x0, y0]
        return cls(image[y0:y1, x0:x1], moved)

    def warp(self, values: NDArray[np.uint8], smooth: bool) -> NDArray[np.uint8]:
        """A map [S, S], 0..255, at the size of the part; 0 outside the map."""
        height, width = self.part.shape[:2]
        kind = cv2.INTER_CUBIC if smooth else cv2.INTER_LINEAR
        flags = kind | cv2.WARP_INVERSE_MAP
        return np.asarray(
            cv2.warpAffine(values, self.matrix, (width, height), flags=flags), dtype=np.uint8
        )

    def blend(self, colours: NDArray[np.uint8], weight: NDArray[np.float32]) -> None:
        """Paint colours [h, w, 3] over the part, by their weight [h, w], 0..1."""
        self.part[:] = cv2.blendLinear(
            np.ascontiguousarray(self.part), colours, np.float32(1) - weight, weight
        )


def draw_boundaries(image: NDArray[np.uint8], region: Region, maps: Maps) -> None:
    """Lay the predicted boundary heatmaps over the face, as in the paper's Fig. 8.

    Where boundaries cross, the stronger one shows. Responses are shown from 0 to 1.

    Args:
        image: [H, W, 3], uint8, RGB; is changed.
        region: what the network read.
        maps: of this face.
    """
    strongest = _levels(maps.boundaries.max(axis=0))
    place = _Place.of(image, region, len(strongest))
    if place is not None:
        heat = place.warp(strongest, smooth=True)
        place.blend(_HEAT_TABLE[heat], heat * np.float32(_BOUNDARY_OPACITY / 255))


def draw_attention(image: NDArray[np.uint8], region: Region, maps: Maps) -> None:
    """Lay the attention over the region: blue where it is lowest, red where it is highest.

    The colours span the values of this map: what differs is where the network looks, and the level
    is a matter of its training (propnet-s: 0.3 to 0.65).

    Args:
        image: [H, W, 3], uint8, RGB; is changed.
        region: what the network read.
        maps: of this face.
    """
    values = maps.attention
    low, high = float(values.min()), float(values.max())
    levels = _levels((values - low) / max(high - low, 1e-6))
    place = _Place.of(image, region, len(levels))
    if place is not None:
        # The border repeated: what lies outside the map is cut off by the weight.
        framed = cv2.copyMakeBorder(levels, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
        shifted = _Place(place.part, place.matrix + np.array([[0, 0, 1], [0, 0, 1]]))
        heat = cv2.applyColorMap(
            shifted.warp(np.asarray(framed, dtype=np.uint8), smooth=True), cv2.COLORMAP_TURBO
        )
        inside = place.warp(np.full_like(levels, 255), smooth=False)
        place.blend(
            np.asarray(cv2.cvtColor(heat, cv2.COLOR_BGR2RGB), dtype=np.uint8),
            inside * np.float32(_ATTENTION_OPACITY / 255),
        )


def _levels(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """0..1 as 0..255; what is beyond is cut off."""
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)


def _table() -> NDArray[np.uint8]:
    """[256, 3] colour of each level of `_HEAT`."""
    channels = [
        np.interp(np.arange(256), list(_HEAT), [colour[channel] for colour in _HEAT.values()])
        for channel in range(3)
    ]
    return np.rint(np.stack(channels, axis=1)).astype(np.uint8)


_HEAT_TABLE = _table()
