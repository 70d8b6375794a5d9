"""A crop with a face in it, and where on it things are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.markup import Markup
from train.data.label_groups import face_regions


@dataclass(frozen=True, eq=False)
class FaceView:
    """A crop and the landmarks in it.

    Attributes:
        crop: [S, S, 3], uint8, RGB.
        points: [K, 2], pixels of the crop.
        markup: of the points.
    """

    crop: NDArray[np.uint8]
    points: NDArray[np.float64]
    markup: Markup

    @property
    def size(self) -> int:
        """Side of the crop, pixels."""
        return len(self.crop)

    def middle(self, region: str) -> NDArray[np.float64]:
        """[2] mean point of a region of the face (`train.data.label_groups.face_regions`)."""
        return np.asarray(self.points[face_regions(self.markup)[region]].mean(axis=0))

    @property
    def down(self) -> NDArray[np.float64]:
        """[2] from the eyes to the mouth, pixels: a third of a face, and which way it stands."""
        return self.middle("mouth") - self.middle("eyes")
