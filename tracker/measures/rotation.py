"""Rotations as matrices, angles and quaternions; axes and signs as in `measures.head_pose`.

Not scipy's `Rotation`, which the tests hold them to: importing it takes 0.85 s of every start, and
scipy would be 143 MB of the installation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


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
