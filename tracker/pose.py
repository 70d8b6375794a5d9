"""Head pose from landmarks: where the head is and how it is turned, in the camera's axes.

Axes are OpenCV's: x to the right of the picture, y down, z away from the camera. A head that faces
the camera has no rotation. Angles follow the right-hand rule about these axes and are those of
R = Rx(pitch) Ry(yaw) Rz(roll), which are OpenFace's `pose_Rx`, `pose_Ry` and `pose_Rz`:

- pitch > 0: looking down;
- yaw > 0: turned to the person's right, which is the left of the picture;
- roll > 0: tilted clockwise on the screen, like `Markup.roll`.

Lengths are millimetres on a head of average size (`tracker.face3d`): someone with a head 5 % larger
is 5 % further away than the numbers say. Without a calibrated camera, distances are only as good as
the assumed field of view, and angles in the corners of the picture are off by a few degrees.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from model.errors import InputError
from tracker.face3d import FaceModel, face_model

# Across the longer side of the picture, degrees. Webcams have 55 to 70, telephones filming 60 to
# 70, cameras on a tripod 30 to 55; OpenFace assumes 65.
DEFAULT_FOV = 60.0

# Landmarks further off than this share of the face's size in the picture are outliers (Huber): the
# labels of other people's faces lie within 2 to 5 mm of the generic face's 89.5 mm.
_HUBER = 0.05
_MAX_STEPS = 20
_SMALL_STEP = 1e-6  # radians, and tenths of a metre
_UNIT = 100.0  # mm; translations are solved in these, so that all six unknowns are of one size


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


@dataclass(frozen=True, eq=False)
class Pose:
    """How a head is placed before the camera; axes and signs are described at the module's top.

    Attributes:
        rotation: [3], rotation vector: the axis, as long as the angle in radians (Rodrigues).
        translation: [3], mm: the point midway between the outer eye corners.
        error: root mean square distance, weighted, between the landmarks and the projected model,
            as a share of the distance of the outer eye corners in the picture seen from the front.
    """

    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]
    error: float

    @property
    def matrix(self) -> NDArray[np.float64]:
        """[3, 3], rotation from the head's axes to the camera's."""
        return np.asarray(cv2.Rodrigues(self.rotation)[0], dtype=np.float64)

    @property
    def angles(self) -> tuple[float, float, float]:
        """Pitch, yaw and roll in degrees: -180..180, -90..90 and -180..180."""
        pitch, yaw, roll = np.rad2deg(euler_angles(self.matrix))
        return float(pitch), float(yaw), float(roll)

    @property
    def quaternion(self) -> NDArray[np.float64]:
        """[4], x, y, z, w of the rotation; w >= 0."""
        return quaternion(self.matrix)


def estimate_pose(
    landmarks: NDArray[np.floating], markup: str, camera: Intrinsics
) -> Pose | None:
    """The pose in which the generic 3D face fits the landmarks best.

    A closed-form solution (SQPnP) of the points on nose and eyes starts a robust least squares fit
    (Levenberg-Marquardt, Huber loss) of all that tell the pose. Nothing is remembered from frame to
    frame: the pose is as steady as the landmarks, so give it the smoothed ones.

    Args:
        landmarks: [K, 2], pixels.
        markup: name of their markup.
        camera: of the picture.

    Returns:
        The pose, or None if the landmarks do not look like a face before a camera: a point that is
        not finite, all points in one spot, or no solution in front of the camera.
    """
    model = face_model(markup)
    points = np.asarray(landmarks, dtype=np.float64)
    used = model.weights > 0
    # Normalised image coordinates: the camera is out of the equations from here on.
    rays = (points[used] - [camera.cx, camera.cy]) / [camera.fx, camera.fy]
    size = float(np.ptp(rays, axis=0).max()) if np.isfinite(rays).all() else 0.0
    if size < 1e-6:  # a thousandth of a pixel
        return None
    weights = model.weights[used]
    start = _start(model.points[used], rays, weights)
    if start is None:
        return None
    return _refine(model.points[used] / _UNIT, rays, weights, *start)


def project(points: ArrayLike, pose: Pose, camera: Intrinsics) -> NDArray[np.float64]:
    """Image points [..., 2], pixels, of points [..., 3] in the head's axes, mm."""
    seen = np.asarray(points, dtype=np.float64) @ pose.matrix.T + pose.translation
    flat = seen[..., :2] / seen[..., 2:]
    return np.asarray(flat * [camera.fx, camera.fy] + [camera.cx, camera.cy], dtype=np.float64)


def rotation_matrix(pitch: float, yaw: float, roll: float) -> NDArray[np.float64]:
    """[3, 3], Rx(pitch) Ry(yaw) Rz(roll); angles in radians."""
    (sx, sy, sz), (cx, cy, cz) = np.sin([pitch, yaw, roll]), np.cos([pitch, yaw, roll])
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_x @ about_y @ about_z


def euler_angles(matrix: NDArray[np.float64]) -> tuple[float, float, float]:
    """Pitch, yaw and roll in radians of a rotation matrix; the inverse of `rotation_matrix`.

    At a yaw of exactly 90 degrees pitch and roll turn about the same axis; roll is then 0.
    """
    yaw = np.arcsin(np.clip(matrix[0, 2], -1, 1))
    if abs(matrix[0, 2]) > 1 - 1e-12:
        return float(np.arctan2(matrix[2, 1], matrix[1, 1])), float(yaw), 0.0
    pitch = np.arctan2(-matrix[1, 2], matrix[2, 2])
    roll = np.arctan2(-matrix[0, 1], matrix[0, 0])
    return float(pitch), float(yaw), float(roll)


def quaternion(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """[4], x, y, z, w of a rotation matrix, w >= 0.

    The quaternion is the axis of the largest eigenvalue of a symmetric matrix made of the rotation
    (Bar-Itzhack, 2000), which has no special cases.
    """
    m = matrix
    symmetric = np.array(
        [
            [m[0, 0] - m[1, 1] - m[2, 2], m[0, 1] + m[1, 0], m[0, 2] + m[2, 0], m[2, 1] - m[1, 2]],
            [m[0, 1] + m[1, 0], m[1, 1] - m[0, 0] - m[2, 2], m[1, 2] + m[2, 1], m[0, 2] - m[2, 0]],
            [m[0, 2] + m[2, 0], m[1, 2] + m[2, 1], m[2, 2] - m[0, 0] - m[1, 1], m[1, 0] - m[0, 1]],
            [m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1], np.trace(m)],
        ]
    )
    q = np.linalg.eigh(symmetric)[1][:, -1]
    return np.asarray(-q if q[3] < 0 else q, dtype=np.float64)


def _start(
    model: NDArray[np.float64], rays: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Rotation matrix and translation (in `_UNIT`) that fit the steadiest points; None if none."""
    firm = weights > 0.5
    found, vectors, shifts, _ = cv2.solvePnPGeneric(
        model[firm] / _UNIT, rays[firm], np.eye(3), None, flags=cv2.SOLVEPNP_SQPNP
    )
    if not found or not np.isfinite(shifts[0]).all() or shifts[0][2, 0] <= 0:
        return None
    return np.asarray(cv2.Rodrigues(vectors[0])[0], dtype=np.float64), shifts[0].ravel()


def _refine(
    model: NDArray[np.float64],
    rays: NDArray[np.float64],
    weights: NDArray[np.float64],
    matrix: NDArray[np.float64],
    shift: NDArray[np.float64],
) -> Pose | None:
    """Robust least squares over rotation (a small turn after `matrix`) and translation."""
    scale = _scale(shift)
    residual, robust = _residual(model, rays, weights, matrix, shift, scale)
    damping = 1e-3
    for _ in range(_MAX_STEPS):
        jacobian = _jacobian(model, matrix, shift)
        weighted = jacobian * robust[:, None, None]
        normal = np.einsum("pij,pik->jk", weighted, jacobian)
        gradient = np.einsum("pij,pi->j", weighted, residual)
        step = -np.linalg.solve(normal + damping * np.diag(np.diag(normal)), gradient)
        turned = np.asarray(cv2.Rodrigues(step[:3])[0]) @ matrix
        moved = shift + step[3:]
        after, robust_after = _residual(model, rays, weights, turned, moved, scale)
        # Both sums with the same weights, as reweighting assumes.
        if (robust * np.square(after).sum(1)).sum() < (robust * np.square(residual).sum(1)).sum():
            matrix, shift, residual, robust = turned, moved, after, robust_after
            damping = max(damping / 10, 1e-9)
        else:
            damping *= 10
        if np.abs(step).max() < _SMALL_STEP:
            break
    if not np.isfinite(shift).all() or ((model @ matrix.T)[:, 2] + shift[2]).min() <= 0:
        return None
    mean_square = (weights * np.square(residual).sum(1)).sum() / weights.sum()
    error = np.sqrt(mean_square) / _scale(shift)
    vector = np.asarray(cv2.Rodrigues(matrix)[0], dtype=np.float64).ravel()
    return Pose(vector, shift * _UNIT, float(error))


def _scale(shift: NDArray[np.float64]) -> float:
    """Size of the frontal face in normalised image coordinates, outer eye corner to outer."""
    width = face_model("wflw98").points[[60, 72], 0]
    return float((width[1] - width[0]) / _UNIT / shift[2])


def _residual(
    model: NDArray[np.float64],
    rays: NDArray[np.float64],
    weights: NDArray[np.float64],
    matrix: NDArray[np.float64],
    shift: NDArray[np.float64],
    scale: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Projected model minus landmarks [N, 2], and the weights [N] that outliers leave them."""
    seen = model @ matrix.T + shift
    residual = seen[:, :2] / seen[:, 2:] - rays
    distance = np.linalg.norm(residual, axis=1) / scale
    return residual, weights * np.minimum(1, _HUBER / np.maximum(distance, 1e-12))


def _jacobian(
    model: NDArray[np.float64], matrix: NDArray[np.float64], shift: NDArray[np.float64]
) -> NDArray[np.float64]:
    """[N, 2, 6], of the projected points by a turn about the camera's axes and a shift."""
    turned = model @ matrix.T
    x, y, z = (turned + shift).T
    zero = np.zeros_like(z)
    by_place = np.stack(
        [np.stack([1 / z, zero, -x / z**2], -1), np.stack([zero, 1 / z, -y / z**2], -1)], 1
    )
    rx, ry, rz = turned.T
    # A small turn w moves a point r by w x r = -[r]x w.
    by_turn = np.stack(
        [
            np.stack([zero, rz, -ry], -1),
            np.stack([-rz, zero, rx], -1),
            np.stack([ry, -rx, zero], -1),
        ],
        1,
    )
    return np.concatenate([by_place @ by_turn, by_place], axis=2)
