"""The surface of a head behind its landmarks: the generic face's depth in the pose they show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.markup import AnyMarkup
from model.shipped_markups import get_markup
from tracker.measures.generic_face import face_model
from tracker.measures.head_pose import Pose
from tracker.measures.intrinsics import Intrinsics
from train.augmentation.face_contour import contour

# The fitted contour is a silhouette, which slides over the cheeks towards the camera as the head
# turns; on average heads the skin there lies 56 mm behind the eyes, not 41.
_CONTOUR_DEPTH = 1.35
# The half that comes into view moves further still, towards the ear, which then shows where a face
# ends. Depth behind the chin, mm, from chin (0) to ear (1): what explains the labels of 1,809 and
# of 1,036 faces best as x = x0 cos(yaw) + depth sin(yaw).
_NEAR_DEPTH = ((0.0, 0.25, 0.5, 0.75, 1.0), (0.0, 22.0, 56.0, 76.0, 78.0))
# Where there are no landmarks, mm in the head's axes, half of the head (x > 0 or in the middle);
# average heads such as MediaPipe's canonical one agree to some millimetres. Cheek, cheekbone, side
# of the jaw, forehead, temple; in front of the ear as deep as the contour.
_SKIN = np.array(
    [
        [48, 34, -4], [65, 17, 15], [62, 46, 15], [54, 67, 11], [35, 42, -9],
        [0, -56, -13], [35, -53, -6], [63, -40, 17], [72, -28, 31],
        [77, 3, 76], [77, 22, 76], [72, 60, 70],
    ],
    dtype=np.float64,
)  # fmt: skip
# Half of a head's width, mm: pixels further out belong to the background.
_HALF_HEAD = 85.0


@dataclass(frozen=True, eq=False)
class Surface:
    """A head's surface towards the camera, as points of it.

    Attributes:
        places: [N, 2], pixels of the picture.
        depths: [N], pixels, away from the camera.
        middle: [2], pixels: the middle of the head.
        reach: half of its width, pixels.
        roll: tilt of the head in the picture, radians, positive from x towards y.
    """

    places: NDArray[np.float64]
    depths: NDArray[np.float64]
    middle: NDArray[np.float64]
    reach: float
    roll: float


def head_surface(
    points: NDArray[np.float64],
    markup: AnyMarkup,
    pose: Pose,
    camera: Intrinsics,
    *,
    near: int = 0,
) -> Surface:
    """The surface of a head with these landmarks: the generic face's depth, and its skin.

    Args:
        points: [K, 2], pixels.
        markup: of the points.
        pose: of the head.
        camera: that the pose is for.
        near: the half that comes into view, 1: the right one in the picture of an upright head,
            -1: the left one, 0: none.
    """
    face = face_model(markup).points.copy()
    if (curve := contour(get_markup(markup))) is not None:
        # A chin that stands out stays where it is.
        face[curve, 2] *= np.where(face[curve, 2] > 0, _CONTOUR_DEPTH, 1.0)
        if near:
            chin = len(curve) // 2
            half = curve[chin:] if near > 0 else curve[chin::-1]
            inner = np.linspace(0, 1, len(half))
            face[half, 2] = face[half[0], 2] + np.interp(inner, *_NEAR_DEPTH)
    skin = np.vstack([_SKIN, _SKIN[_SKIN[:, 0] > 0] * [-1, 1, 1]])
    scale = camera.fx / pose.translation[2]
    middle = scale * pose.translation[:2] + [camera.cx, camera.cy]
    turned = scale * np.vstack([face, skin]) @ pose.matrix.T
    places = np.vstack([points, turned[len(points) :, :2] + middle])
    # Of the pose's three angles roll comes first; this is the tilt that is seen.
    roll = float(np.arctan2(-pose.matrix[0, 1], pose.matrix[1, 1]))
    return Surface(places, turned[:, 2], middle, scale * _HALF_HEAD, roll)
