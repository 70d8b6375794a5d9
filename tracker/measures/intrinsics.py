"""The camera, as far as head poses need it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError

# Across the longer side of the picture, degrees. Webcams have 55 to 70, telephones filming 60 to
# 70, cameras on a tripod 30 to 55; OpenFace assumes 65.
DEFAULT_FOV = 60.0


@dataclass(frozen=True)
class Intrinsics:
    """A pinhole camera without distortion.

    Attributes:
        fx: focal length in pixels, horizontal, > 0.
        fy: focal length in pixels, vertical, > 0.
        cx: principal point, x; (0, 0) is the centre of the top left pixel.
        cy: principal point, y.
    """

    fx: float
    fy: float
    cx: float
    cy: float

    @classmethod
    def from_fov(cls, width: int, height: int, fov: float = DEFAULT_FOV) -> Intrinsics:
        """A camera with square pixels that looks at the middle of its picture.

        Args:
            width: of the picture, pixels.
            height: of the picture, pixels.
            fov: field of view across the longer side, degrees.

        Raises:
            InputError: the field of view is not between 1 and 170 degrees.
        """
        if not 1 <= fov <= 170:
            raise InputError(f"a field of view must be between 1 and 170 degrees, not {fov}.")
        focal = max(width, height) / 2 / np.tan(np.deg2rad(fov) / 2)
        return cls(float(focal), float(focal), (width - 1) / 2, (height - 1) / 2)

    def enlarged(self, x: float, y: float) -> Intrinsics:
        """The same camera for a picture that was enlarged by two factors."""
        return Intrinsics(
            x * self.fx, y * self.fy, x * (self.cx + 0.5) - 0.5, y * (self.cy + 0.5) - 0.5
        )

    @property
    def matrix(self) -> NDArray[np.float64]:
        """[3, 3], OpenCV's camera matrix."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1]], dtype=np.float64)


def parse_intrinsics(text: str) -> Intrinsics:
    """Read "FX,FY,CX,CY" in pixels, as `--intrinsics` takes it.

    Raises:
        InputError: not four finite numbers, or a focal length that is not positive.
    """
    try:
        fx, fy, cx, cy = (float(part) for part in text.split(","))
    except ValueError:
        fx = fy = cx = cy = np.nan
    if not (np.isfinite([fx, fy, cx, cy]).all() and fx > 0 and fy > 0):
        raise InputError(
            f"cannot use the intrinsics '{text}': give FX,FY,CX,CY in pixels, such as "
            "554,554,319.5,239.5."
        )
    return Intrinsics(fx, fy, cx, cy)
