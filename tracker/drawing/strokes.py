"""Anti-aliased strokes at sub-pixel positions and widths, gathered as coverage, blended once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]  # RGB
_FRACTION_BITS = 4  # OpenCV places strokes at 1/16 of a pixel
# Strokes are drawn enlarged and averaged down: OpenCV's thinnest line is one pixel, too thick for a
# small face. (Faces up to this size, enlargement); beyond the last, lines are thick enough as is.
_ENLARGEMENT = ((100, 4), (400, 2))


@dataclass(frozen=True, eq=False)
class Window:
    """The part of an image that strokes fall on, and how much they are enlarged while drawn.

    Attributes:
        part: [h, w, 3], uint8, a view of the image: blending changes the image.
        origin: x and y of the part's top left pixel in the image.
        scale: enlargement, a whole number.
    """

    part: NDArray[np.uint8]
    origin: tuple[int, int]
    scale: int

    @classmethod
    def around(
        cls,
        image: NDArray[np.uint8],
        low: NDArray[np.float64],
        high: NDArray[np.float64],
        size: float,
    ) -> Window | None:
        """The part of an image between two corners.

        Args:
            image: [H, W, 3], uint8.
            low: x and y of the top left corner, pixels; may lie outside.
            high: x and y of the bottom right corner.
            size: of the face, pixels; decides the enlargement.

        Returns:
            None if that part is wholly outside.
        """
        height, width = image.shape[:2]
        x0, y0 = (int(v) for v in np.clip(np.floor(low), 0, [width, height]))
        x1, y1 = (int(v) for v in np.clip(np.ceil(high) + 1, 0, [width, height]))
        if x0 >= x1 or y0 >= y1:
            return None
        scale = next((scale for limit, scale in _ENLARGEMENT if size < limit), 1)
        return cls(image[y0:y1, x0:x1], (x0, y0), scale)

    def cover(self) -> NDArray[np.uint8]:
        """An empty coverage map of the part: 0 is bare, 255 fully covered."""
        return np.zeros(self.part.shape[:2], dtype=np.uint8)

    def lines(
        self,
        cover: NDArray[np.uint8],
        curves: Sequence[NDArray[np.float64]],
        width: float,
        rough: bool = False,
    ) -> None:
        """Add polylines [N, 2] (image pixels) of a width in image pixels to a coverage map.

        Rough ones cost a fifth and are off by up to an (enlarged) pixel: enough for a rim.
        """
        if not curves:
            return
        # One array of all points is enlarged and rounded at once.
        ends = np.cumsum([len(curve) for curve in curves])[:-1]
        fixed = np.split(self._fixed(np.concatenate(curves)), ends)
        # What OpenCV calls thickness 2, 4, 6 comes out 3, 5, 7 pixels wide.
        thickness = max(2 * round((width * self.scale - 1) / 2), 1)
        kind = cv2.LINE_8 if rough and self.scale > 1 else cv2.LINE_AA
        height, wide = cover.shape
        drawn = np.zeros((height * self.scale, wide * self.scale), dtype=np.uint8)
        cv2.polylines(drawn, fixed, False, 255, thickness, kind, _FRACTION_BITS)
        if self.scale > 1:
            drawn = cv2.resize(drawn, (wide, height), interpolation=cv2.INTER_AREA)
        np.maximum(cover, drawn, out=cover)

    def dots(self, cover: NDArray[np.uint8], points: NDArray[np.float64], radius: float) -> None:
        """Add discs at points [N, 2] (image pixels) to a coverage map.

        All at once, from every pixel's distance to the rim: a hundred calls of OpenCV's take five
        times as long.
        """
        reach = int(np.ceil(radius + 0.5))
        around = np.arange(-reach, reach + 1)
        centre = np.asarray(points, dtype=np.float64) - np.array(self.origin)
        cells = np.rint(centre).astype(np.intp)[:, :, None] + around  # [N, 2, P]
        square = (cells - centre[:, :, None]) ** 2
        distance = np.sqrt(square[:, 1, :, None] + square[:, 0, None, :])
        values = np.clip(radius + 0.5 - distance, 0, 1) * 255
        height, width = cover.shape
        x, y = cells[:, 0, None, :], cells[:, 1, :, None]
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (values >= 1)
        places = (y * width + x)[inside]
        np.maximum.at(cover.reshape(-1), places, values[inside].astype(np.uint8))

    def blend(self, passes: Sequence[tuple[NDArray[np.uint8], Colour, float]]) -> None:
        """Paint coverage maps onto the image, one after the other.

        Args:
            passes: coverage map, RGB colour and opacity (0..1) of each.
        """
        width = self.part.shape[1]
        covers = [cover.ravel() for cover, _, _ in passes]
        # Strokes cover a few per cent of a face: only their pixels are worth the arithmetic.
        where = np.flatnonzero(np.bitwise_or.reduce(covers) != 0)
        rows, columns = np.divmod(where, width)
        # What every pass leaves visible of its own colour, from the last one down: one number for a
        # pixel instead of three.
        visible = np.ones(len(where), dtype=np.float32)
        shares = np.empty((len(where), len(passes)), dtype=np.float32)
        for index in reversed(range(len(passes))):
            weight = covers[index][where] * np.float32(passes[index][2] / 255)
            shares[:, index] = visible * weight
            visible *= 1 - weight
        pixels = shares @ np.array([colour for _, colour, _ in passes], dtype=np.float32)
        pixels += self.part[rows, columns] * visible[:, None]
        self.part[rows, columns] = (pixels + 0.5).astype(np.uint8)

    def _fixed(self, points: NDArray[np.float64]) -> NDArray[np.int32]:
        """Image pixels to OpenCV's fixed-point pixels of the enlarged part."""
        enlarged = (points - np.array(self.origin) + 0.5) * self.scale - 0.5
        return np.asarray(np.rint(enlarged * (1 << _FRACTION_BITS)), dtype=np.int32)
