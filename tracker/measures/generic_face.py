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

from model.markup import AnyMarkup
from model.shipped_markups import IBUG, WFLW, get_markup
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
def face_model(markup: AnyMarkup) -> FaceModel:
    """The generic face whose points are the landmarks of a markup, or of the one of that name.

    Landmarks that the markup does not place on WFLW's are NaN and say nothing about the pose.
    """
    wflw = np.loadtxt(FACE_FILE, delimiter=",", skiprows=1, usecols=(1, 2, 3))
    places = get_markup(markup)
    points, weights = np.full((places.points, 3), np.nan), np.zeros(places.points)
    for landmark, spots in places.roles.wflw98.items():
        points[landmark] = wflw[list(spots)].mean(axis=0)
        weights[landmark] = WEIGHTS[list(spots)].mean()
    for values in (points, weights):
        values.setflags(write=False)
    return FaceModel(points, weights)


def ibug_from_wflw() -> NDArray[np.float64]:
    """[68, 98] weights that make iBUG's landmarks out of WFLW's.

    60 are shared. iBUG has two points on each eye lid, a third and two thirds of the way from
    corner to corner; WFLW has three, at the quarters: those between are interpolated.
    """
    mix = np.zeros((68, 98))
    for landmark, spots in IBUG.roles.wflw98.items():
        for spot in spots:
            mix[landmark, spot] += 1 / len(spots)
    return mix
