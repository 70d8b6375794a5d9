"""A generic 3D face for every markup: where the landmarks lie on a head of average size.

The numbers are in assets/face3d.csv, one WFLW point a line. `python -m train.fits.fit_generic_face`
fitted them to 1,809 labelled photographs (the 300W part of the training faces) by structure from
motion; that file says how. The size is anthropometric: 89.5 mm between the outer eye corners.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from model.markup import WFLW, WFLW_TO_IBUG
from tracker.assets import ASSETS

FACE_FILE = ASSETS / "face3d.csv"


def _weights() -> NDArray[np.float64]:
    """[98] say in the pose: 0 for points that do not tell how the head is turned.

    The contour is a silhouette that wanders over the skin when the head turns; lids, lips, chin and
    pupils move by themselves.
    """
    weights = np.zeros(WFLW.points)
    weights[[*range(51, 60), 60, 64, 68, 72]] = 1.0  # nose and eye corners: bone and cartilage
    # Brows and mouth corners move with expressions, but span the face, which steadies the pose.
    weights[[*range(33, 38), *range(42, 47), 76, 82]] = 0.2
    return weights


WEIGHTS = _weights()


@dataclass(frozen=True, eq=False)
class FaceModel:
    """The generic face in one markup.

    Attributes:
        points: [K, 3], mm: x to the right of the picture (the person's left), y down, z into the
            head; the origin is midway between the outer eye corners.
        weights: [K], 0..1, how much a landmark says about the pose.
    """

    points: NDArray[np.float64]
    weights: NDArray[np.float64]


@lru_cache(maxsize=8)
def face_model(markup: str) -> FaceModel:
    """The generic face whose points are the landmarks of a markup ("wflw98", "ibug68", "cofw29").

    Raises:
        KeyError: no such markup.
    """
    wflw = np.loadtxt(FACE_FILE, delimiter=",", skiprows=1, usecols=(1, 2, 3))
    mix = _MIXES[markup]()
    model = FaceModel(mix @ wflw, mix @ WEIGHTS)
    model.points.setflags(write=False)
    model.weights.setflags(write=False)
    return model


def ibug_from_wflw() -> NDArray[np.float64]:
    """[68, 98] weights that make iBUG's landmarks out of WFLW's.

    60 are shared. iBUG has two points on each eye lid, a third and two thirds of the way from
    corner to corner; WFLW has three, at the quarters: those between are interpolated.
    """
    mix = np.zeros((68, 98))
    for wflw, ibug in WFLW_TO_IBUG:
        mix[ibug, wflw] = 1
    for ibug, lid in (
        (37, (61, 62, 63)),
        (40, (65, 66, 67)),
        (43, (69, 70, 71)),
        (46, (73, 74, 75)),
    ):
        mix[ibug, lid[:2]] = (2 / 3, 1 / 3)
        mix[ibug + 1, lid[1:]] = (1 / 3, 2 / 3)
    return mix


def _cofw_from_wflw() -> NDArray[np.float64]:
    """[29, 98]; COFW marks the same spots, save that its brows end between WFLW's two curves."""
    sources: dict[int, tuple[int, ...]] = {
        0: (33,), 1: (46,), 2: (37, 38), 3: (42, 50), 4: (35,), 5: (40,), 6: (44,), 7: (48,),
        8: (60,), 9: (72,), 10: (64,), 11: (68,), 12: (62,), 13: (66,), 14: (70,), 15: (74,),
        16: (96,), 17: (97,), 18: (55,), 19: (59,), 20: (54,), 21: (57,), 22: (76,), 23: (82,),
        24: (79,), 25: (90,), 26: (94,), 27: (85,), 28: (16,),
    }  # fmt: skip
    mix = np.zeros((29, 98))
    for cofw, wflw in sources.items():
        mix[cofw, wflw] = 1 / len(wflw)
    return mix


_MIXES = {"wflw98": lambda: np.eye(98), "ibug68": ibug_from_wflw, "cofw29": _cofw_from_wflw}
