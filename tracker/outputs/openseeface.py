"""Send faces in OpenSeeFace's UDP format, so that what reads OpenSeeFace reads this tracker.

A datagram holds the faces of a frame one after the other, each 1785 bytes, little-endian, unpadded:

    f64      time, seconds since 1970
    i32      face id
    2 f32    width and height of the picture, pixels
    2 f32    how far the right and the left eye are open, 0..1
    u8       1 if the pose is known; without, all that depends on it is 0
    f32      fitting error of the pose, pixels
    4 f32    rotation, quaternion x, y, z, w
    3 f32    rotation, Euler angles about x, y, z, degrees
    3 f32    translation of the tip of the nose
    68 f32   confidence of each landmark, 0..1
    68 x 2   f32, landmarks x, y, pixels
    70 x 3   f32, points in the head's axes
    14 f32   features, -1..1, against what is usual for the person (`FEATURES`)

"Left" and "right" are the person's here, as in OpenSeeFace. The landmarks are iBUG's 68 without the
two outer mouth corners in their place among the outer lips (`IBUG_ORDER`), then the pupils.

OpenSeeFace solves for the pose in pictures with rows and columns exchanged, and ends up behind the
camera; receivers undo that, so it is imitated here: see `opensee_rotation`. In its unit of length
the outer eye corners are 0.632 apart.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from model.errors import InputError
from model.markup import AnyMarkup
from model.shipped_markups import IBUG, WFLW, get_markup
from tracker.measures.face_measures import Measures
from tracker.measures.generic_face import face_model, ibug_from_wflw
from tracker.measures.head_pose import Pose
from tracker.measures.intrinsics import Intrinsics
from tracker.measures.rotation import quaternion
from tracker.outputs.output import OutputFrame
from tracker.outputs.personal_range import OwnRange
from tracker.outputs.udp import UdpSender
from tracker.system.closing import Closing
from tracker.tracking.results import Face

DEFAULT_PORT = 11573

# OpenSeeFace's landmark i is iBUG's IBUG_ORDER[i]: the inner mouth corners (60, 64) give way to the
# outer ones (48, 54), which leave their own places.
IBUG_ORDER = (*range(48), *range(49, 54), *range(55, 60), 48, 61, 62, 63, 54, 65, 66, 67)

# Name, and the smallest change in a measure that makes a full 1: mm, degrees for steepness, and the
# ratio of height to width for eyes.
FEATURES: dict[str, float] = {
    "EyeLeft": 0.18,
    "EyeRight": 0.18,
    "EyebrowSteepnessLeft": 10.0,
    "EyebrowUpDownLeft": 6.0,
    "EyebrowQuirkLeft": 4.0,
    "EyebrowSteepnessRight": 10.0,
    "EyebrowUpDownRight": 6.0,
    "EyebrowQuirkRight": 4.0,
    "MouthCornerUpDownLeft": 6.0,
    "MouthCornerInOutLeft": 6.0,
    "MouthCornerUpDownRight": 6.0,
    "MouthCornerInOutRight": 6.0,
    "MouthOpen": 20.0,
    "MouthWide": 12.0,
}

_HEAD = struct.Struct("<di2f2fBf4f3f3f")
_ARRAYS = np.dtype("<f4")
PACKET_SIZE = _HEAD.size + 4 * (68 + 2 * 68 + 3 * 70 + len(FEATURES))
_MOST_FACES = 65507 // PACKET_SIZE  # that fit into a datagram

_NOSE_TIP = 30
_UNIT = 89.5 / 0.632  # mm in OpenSeeFace's unit of length
_EYEBALL = 12.0  # mm, radius
_FORGET_SECONDS = 30.0


class OpenSeeSender(Closing):
    """Sends every frame's faces. A context manager.

    Args:
        sender: where to.
        markup: of the landmarks, or its name: WFLW's or iBUG's.
        camera: gives the camera for a width and a height, as `FaceMeasurer.camera`.
        clock: gives the time of a packet, seconds since 1970.

    Raises:
        InputError: the markup has too few points.
    """

    def __init__(
        self,
        sender: UdpSender,
        markup: AnyMarkup,
        camera: Callable[[int, int], Intrinsics],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._order = order_from(markup)
        self._sender = sender
        self._markup = markup
        self._camera = camera
        self._clock = clock
        self._ranges: dict[int, tuple[float, dict[str, OwnRange]]] = {}

    def write(self, frame: OutputFrame) -> None:
        """Send a frame's faces; nothing where there is none, as OpenSeeFace does."""
        now = self._clock()
        packets = [
            self._packet(frame, face, measures, now)
            for face, measures in zip(frame.faces, frame.measures, strict=True)
        ]
        for begin in range(0, len(packets), _MOST_FACES):
            self._sender.send(b"".join(packets[begin : begin + _MOST_FACES]))
        gone = [n for n, (at, _) in self._ranges.items() if now - at > _FORGET_SECONDS]
        for number in gone:
            del self._ranges[number]

    def _packet(self, frame: OutputFrame, face: Face, measures: Measures, now: float) -> bytes:
        height, width = frame.image.shape[:2]
        landmarks = self._order @ face.landmarks
        scores = self._order @ face.scores
        pose = measures.pose
        if pose is None:
            points, features = np.zeros((70, 3)), np.zeros(len(FEATURES))
            placed = [0.0] * 10
            error = 0.0
        else:
            head = head_points(landmarks, self._markup, pose, self._camera(width, height))
            features = self._features(face.id, now, measures, head)
            rotation = opensee_rotation(pose.matrix)
            tip = pose.matrix @ face_model("ibug68").points[_NOSE_TIP] + pose.translation
            shift = np.array([-tip[1], -tip[0], -tip[2]]) / _UNIT
            placed = [*opensee_quaternion(rotation), *opensee_angles(rotation), *shift]
            error = pose.error * measures.interocular
            # Sent as x, -y, -z of a frame with x to the picture's left, y up, z to the camera.
            points = head * [-1, 1, 1] / _UNIT
        is_open = 1 - np.clip(-features[[1, 0]], 0, 1)
        start = _HEAD.pack(now, face.id, width, height, *is_open, pose is not None, error, *placed)
        arrays = (scores, landmarks.ravel(), points.ravel(), features)
        return start + np.concatenate(arrays).astype(_ARRAYS).tobytes()

    def _features(
        self, number: int, now: float, measures: Measures, head: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        _, ranges = self._ranges.get(number) or (now, {n: OwnRange(r) for n, r in FEATURES.items()})
        self._ranges[number] = (now, ranges)
        values = {"EyeLeft": measures.eyes[1], "EyeRight": measures.eyes[0]} | expression(head)
        return np.array([ranges[name](now, values[name]) for name in FEATURES])

    def close(self, early: bool = False) -> None:
        """Release the socket."""
        self._sender.close()


def order_from(markup: AnyMarkup) -> NDArray[np.float64]:
    """[68, K] weights that make OpenSeeFace's 66 landmarks and two pupils out of a markup's.

    iBUG has no pupils: the middle of each eye's outline takes their place.

    Raises:
        InputError: the markup has too few points.
    """
    given = get_markup(markup)
    if given not in (WFLW, IBUG):
        raise InputError(
            f"OpenSeeFace's format needs 68 or 98 landmarks, not those of {given}: leave out "
            "--opensee, or use other weights."
        )
    to_ibug = ibug_from_wflw() if given == WFLW else np.eye(68)
    pupils = np.zeros((2, to_ibug.shape[1]))
    if given == WFLW:
        pupils[[0, 1], [96, 97]] = 1
    else:
        pupils[0, 36:42] = pupils[1, 42:48] = 1 / 6
    return np.concatenate([to_ibug[list(IBUG_ORDER)], pupils])


def head_points(
    landmarks: NDArray[np.float64], markup: AnyMarkup, pose: Pose, camera: Intrinsics
) -> NDArray[np.float64]:
    """Where the landmarks are on the head: each as far from the camera as the generic face's.

    Args:
        landmarks: [68, 2], in OpenSeeFace's order, pixels.
        markup: that they come from.
        pose: of the head.
        camera: of the picture.

    Returns:
        [70, 3], mm in the head's axes (x to the right of the picture, y down, z into the head) from
        the tip of the nose of the generic face. The last two are the centres of the eyeballs.
    """
    model = order_from(markup) @ face_model(markup).points
    depth = model @ pose.matrix[2] + pose.translation[2]
    rays = (landmarks - [camera.cx, camera.cy]) / [camera.fx, camera.fy]
    seen = np.column_stack([rays, np.ones(len(rays))]) * depth[:, None]
    head = (seen - pose.translation) @ pose.matrix - face_model("ibug68").points[_NOSE_TIP]
    eyes = np.array([head[36] + head[39], head[42] + head[45]]) / 2
    return np.concatenate([head, eyes + np.array([0, 0, _EYEBALL])])


def expression(head: NDArray[np.float64]) -> dict[str, float]:
    """Brows and mouth measured in the head's own axes, free of how it is turned.

    Args:
        head: [70, 3], points of `head_points`, mm.

    Returns:
        Name in `FEATURES` -> mm, and degrees for steepness. Steep brows are higher at the nose;
        a large MouthCornerUpDown is a low corner, as in OpenSeeFace.
    """
    x, y = head[:, 0], head[:, 1]
    upper_lip = y[48 : 51 + 1].mean()
    values = {
        "MouthOpen": float(y[63:66].mean() - y[59:62].mean()),
        "MouthWide": float(x[62] - x[58]),
    }
    # Inner to outer end of the brow, mouth corner; the person's left is the picture's right.
    for side, brow, corner in (("Left", range(22, 27), 62), ("Right", range(21, 16, -1), 58)):
        ends = head[[brow[0], brow[-1]], :2]
        along = ends[1] - ends[0]
        across = np.array([-along[1], along[0]]) / max(float(np.linalg.norm(along)), 1e-9)
        values[f"EyebrowSteepness{side}"] = float(np.rad2deg(np.arctan2(along[1], abs(along[0]))))
        values[f"EyebrowUpDown{side}"] = float(y[27] - ends[:, 1].mean())
        values[f"EyebrowQuirk{side}"] = float(
            np.abs((head[list(brow[1:-1]), :2] - ends[0]) @ across).max()
        )
        values[f"MouthCornerUpDown{side}"] = float(y[corner] - upper_lip)
        values[f"MouthCornerInOut{side}"] = float(abs(x[corner] - x[_NOSE_TIP]))
    return values


def opensee_rotation(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Our rotation matrix in OpenSeeFace's axes.

    It gives its solver (row, column) for (x, y) and a face with x to the left of the picture, y up
    and z to the camera, all three against ours. The solver, started from zero, settles behind the
    camera: with depths mirrored, the picture is nearly the same. Exchanging the first two rows and
    turning the third around is all that is left of it.
    """
    return np.asarray(matrix[[1, 0, 2]] * [[1], [1], [-1]], dtype=np.float64)


def opensee_quaternion(rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """[4], x, y, z, w as OpenSeeFace derives it: of the transposed matrix, x + y > 0.

    A face to the camera is (0.707, 0.707, 0, 0): fixing the sign of w would make it flicker.
    """
    found = quaternion(rotation.T)
    return -found if found[0] + found[1] < 0 else found


def opensee_angles(rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """[3], OpenCV's Euler angles in degrees, of the two solutions that with y in -90..90.

    A face to the camera is (180, 0, 90) or, the same, (-180, 0, 90).
    """
    x, y, z = cv2.RQDecomp3x3(rotation)[0]
    if abs(y) > 90:
        x, y, z = x + 180, 180 - y, z + 180
    return (np.array([x, y, z]) + 180) % 360 - 180
