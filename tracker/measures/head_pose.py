"""Head pose from landmarks: where the head is and how it is turned, in the camera's axes.

Axes are OpenCV's: x to the right of the picture, y down, z away from the camera. A head that faces
the camera has no rotation. Angles follow the right-hand rule about these axes and are those of
R = Rx(pitch) Ry(yaw) Rz(roll), which are OpenFace's `pose_Rx`, `pose_Ry` and `pose_Rz`:

- pitch > 0: looking down;
- yaw > 0: turned to the person's right, which is the left of the picture;
- roll > 0: tilted clockwise on the screen, like `Markup.roll`.

Lengths are millimetres on a head of average size (`tracker.measures.generic_face`): someone with a
head 5 % larger is 5 % further away than the numbers say. Without a calibrated camera, distances are
only as good as the assumed field of view, and angles in the corners of the picture are off by a few
degrees.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from model.markup import AnyMarkup
from tracker.measures.generic_face import face_model
from tracker.measures.intrinsics import Intrinsics
from tracker.measures.rotation import euler_angles, quaternion

# Landmarks further off than this share of the face's size in the picture are outliers (Huber): the
# labels of other people's faces lie within 2 to 5 mm of the generic face's 89.5 mm.
_HUBER = 0.05
# Further off than this on the whole, it is no face: real ones are at 0.03, grimaces under 0.1.
_MAX_ERROR = 0.3
_MAX_STEPS = 20
# Points of nose and eyes weigh more than this; with fewer of them a pose is a guess.
_FIRM, _FEWEST = 0.5, 4
# Radians, and tenths of a metre: 0.006 degrees. What is left then is under 0.002 (measured).
_SMALL_STEP = 1e-4
_UNIT = 100.0  # mm; translations are solved in these, so that all six unknowns are of one size


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


def tells_pose(markup: AnyMarkup) -> bool:
    """Whether a markup says of enough landmarks where on a head they are (`Roles.wflw98`)."""
    return int((face_model(markup).weights > _FIRM).sum()) >= _FEWEST


def estimate_pose(
    landmarks: NDArray[np.floating], markup: AnyMarkup, camera: Intrinsics
) -> Pose | None:
    """The pose in which the generic 3D face fits the landmarks best.

    The closed-form pose without perspective of the points on nose and eyes starts a robust least
    squares fit (Levenberg-Marquardt, Huber loss) of all that tell the pose, in perspective. Nothing
    is remembered from frame to frame: the pose is as steady as the landmarks, so give it the
    smoothed ones.

    Args:
        landmarks: [K, 2], pixels.
        markup: theirs, or its name.
        camera: of the picture.

    Returns:
        The pose, or None if the markup has fewer than four points of the nose and the eyes'
        corners, or the landmarks do not look like a face before a camera: a point that is
        not finite, all points in one spot, no solution in front of the camera, or a misfit of over
        30 % of the distance of the eyes.
    """
    model = face_model(markup)
    points = np.asarray(landmarks, dtype=np.float64)
    used = model.weights > 0
    if not tells_pose(markup):
        return None
    # Normalised image coordinates: the camera is out of the equations from here on.
    rays = (points[used] - [camera.cx, camera.cy]) / [camera.fx, camera.fy]
    size = float(np.ptp(rays, axis=0).max()) if np.isfinite(rays).all() else 0.0
    if size < 1e-6:  # a thousandth of a pixel
        return None
    sight = _Sight(model.points[used].T / _UNIT, rays.T, model.weights[used])
    start = _start(sight)
    return _refine(sight, *start) if start is not None else None


def project(points: ArrayLike, pose: Pose, camera: Intrinsics) -> NDArray[np.float64]:
    """Image points [..., 2], pixels, of points [..., 3] in the head's axes, mm."""
    seen = np.asarray(points, dtype=np.float64) @ pose.matrix.T + pose.translation
    flat = seen[..., :2] / seen[..., 2:]
    return np.asarray(flat * [camera.fx, camera.fy] + [camera.cx, camera.cy], dtype=np.float64)


def pose_axes(pose: Pose, camera: Intrinsics, length: float = 60.0) -> NDArray[np.float64]:
    """The head's axes in the picture, for drawing.

    Args:
        pose: of the head.
        camera: of the picture.
        length: of the axes, mm.

    Returns:
        [4, 2], pixels: the tip of the nose, and from there `length` to the person's left (right in
        the picture), down, and out of the face.
    """
    tip = face_model("ibug68").points[30]
    return project(
        tip + length * np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, -1]]), pose, camera
    )


def _start(sight: _Sight) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Rotation matrix and translation of the steadiest points without perspective; None if none.

    Far from the camera a picture is a turned, scaled and shifted model without its depth: a linear
    problem, whose solution (2 x 3) is taken to the nearest two rows of a scaled rotation (DeMenthon
    and Davis's POS, 1995). Perspective is then the refinement's. (OpenCV's SQPnP, which needs no
    such approximation, refuses faces that span less than about half a degree.)
    """
    firm = sight.weights > _FIRM
    model, rays = sight.model[:, firm].T, sight.rays[:, firm].T
    middle, centre = model.mean(0), rays.mean(0)
    affine = np.linalg.lstsq(model - middle, rays - centre)[0].T
    left, sizes, right = np.linalg.svd(affine, full_matrices=False)
    scale = sizes.mean()
    # All in one spot or on a line: there is no telling how that is turned.
    if not sizes[1] > 1e-3 * sizes[0]:
        return None
    rows = left @ right
    (a, b, c), (d, e, f) = rows.tolist()
    # Their cross product, written out: NumPy's takes as long as a step of the refinement.
    facing = np.vstack([rows, [b * f - c * e, c * d - a * f, a * e - b * d]])
    # What was found is relative to the line of sight; turn that to the middle of the picture.
    sight_line = np.append(centre, 1.0)
    matrix = _turn_to(sight_line) @ facing
    return matrix, sight_line / scale - matrix @ middle


def _turn_to(direction: NDArray[np.float64]) -> NDArray[np.float64]:
    """[3, 3], the smallest turn that takes the z axis to a direction with z > 0."""
    x, y, z = direction / np.linalg.norm(direction)
    cross = np.array([[0, 0, x], [0, 0, y], [-x, -y, 0]])
    return np.asarray(np.eye(3) + cross + cross @ cross / (1 + z), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class _Sight:
    """What a pose is fitted to. Points are the last axis: many numbers side by side are quick.

    Attributes:
        model: [3, N], points of the generic face, in `_UNIT`.
        rays: [2, N], where they are seen, in normalised image coordinates.
        weights: [N].
    """

    model: NDArray[np.float64]
    rays: NDArray[np.float64]
    weights: NDArray[np.float64]

    def residual(
        self, matrix: NDArray[np.float64], shift: NDArray[np.float64], scale: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Projected points minus seen ones [2, N], and the weights [N] that outliers leave."""
        placed = matrix @ self.model + shift[:, None]
        residual = placed[:2] / placed[2] - self.rays
        distance = np.hypot(residual[0], residual[1]) / scale
        return residual, self.weights * np.minimum(1, _HUBER / np.maximum(distance, 1e-12))


def _refine(sight: _Sight, matrix: NDArray[np.float64], shift: NDArray[np.float64]) -> Pose | None:
    """Robust least squares over rotation (a small turn after `matrix`) and translation."""
    scale = _scale(shift)
    residual, robust = sight.residual(matrix, shift, scale)
    damping = 1e-3
    for _ in range(_MAX_STEPS):
        jacobian = _jacobian(sight.model, matrix, shift)
        weighted = (jacobian * robust).reshape(6, -1)
        normal, gradient = weighted @ jacobian.reshape(6, -1).T, weighted @ residual.ravel()
        step = -np.linalg.solve(normal + damping * np.diag(np.diag(normal)), gradient)
        turned = np.asarray(cv2.Rodrigues(step[:3])[0]) @ matrix
        moved = shift + step[3:]
        after, robust_after = sight.residual(turned, moved, scale)
        # Both sums with the same weights, as reweighting assumes.
        if (np.square(after) @ robust).sum() < (np.square(residual) @ robust).sum():
            matrix, shift, residual, robust = turned, moved, after, robust_after
            damping = max(damping / 10, 1e-9)
        else:
            damping *= 10
        if np.abs(step).max() < _SMALL_STEP:
            break
    if not np.isfinite(shift).all() or (matrix[2] @ sight.model + shift[2]).min() <= 0:
        return None
    squares = float((np.square(residual) @ sight.weights).sum() / sight.weights.sum())
    error = squares**0.5 / _scale(shift)
    if error > _MAX_ERROR:
        return None
    vector = np.asarray(cv2.Rodrigues(matrix)[0], dtype=np.float64).ravel()
    return Pose(vector, shift * _UNIT, error)


def _scale(shift: NDArray[np.float64]) -> float:
    """Size of the frontal face in normalised image coordinates, outer eye corner to outer."""
    corners = face_model("wflw98").points[[60, 72], 0]
    return float((corners[1] - corners[0]) / _UNIT / shift[2])


def _jacobian(
    model: NDArray[np.float64], matrix: NDArray[np.float64], shift: NDArray[np.float64]
) -> NDArray[np.float64]:
    """[6, 2, N], of the projected points by a turn about the camera's axes and a shift."""
    rx, ry, rz = turned = matrix @ model
    x, y, z = turned + shift[:, None]
    near = 1 / z
    u, v = x * near, y * near
    jacobian = np.zeros((6, 2, model.shape[1]))
    # A small turn w moves a point r by w x r; u = x / z and v = y / z follow.
    jacobian[0] = -u * ry, -(rz + v * ry)
    jacobian[1] = rz + u * rx, v * rx
    jacobian[2] = -ry, rx
    jacobian[3, 0] = jacobian[4, 1] = 1
    jacobian[5] = -u, -v
    jacobian *= near
    return jacobian
