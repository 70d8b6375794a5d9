"""Fit the generic 3D face of `tracker/assets/face3d.csv`, by which head poses are measured.

Structure from motion over many people: every labelled face is taken as the same 3D face, turned,
scaled and moved (scaled orthographic projection), and the face, symmetric about its middle, that
explains all of them best is found by turns: cameras from the face, the face from the cameras.

What labelled pictures cannot tell comes from elsewhere: the size from anthropometry
(`OUTER_EYE_CORNERS_MM`), and the zero of pitch from the convention that people in photographs look,
in the median, into the camera.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from model.errors import InputError, run_command
from model.shipped_markups import WFLW
from tracker.measures.generic_face import WEIGHTS
from train.data.wflw import read_wflw

# Farkas et al., "International anthropometric study of facial morphology in various ethnic
# groups/races", J. Craniofac. Surg. 16(4), 2005, North American group: distance of the outer eye
# corners 91.2 mm in men, 87.8 mm in women; their mean.
OUTER_EYE_CORNERS_MM = 89.5

_ROUNDS = 60  # the face moves by less than 0.01 mm in the last one
_VIRTUAL_DEPTH_ROUNDS = 20


def fit_face(
    points: NDArray[np.float64], rounds: int = _ROUNDS
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit the 3D face to labelled faces.

    Args:
        points: [N, 98, 2], WFLW's markup, pixels; faces turned to all sides.
        rounds: turns of the alternation.

    Returns:
        The face [98, 3] in mm (x to the right of the picture, y down, z into the head, origin
        midway between the outer eye corners), and the distance [98] in mm, root mean square, of
        the labels from where the face predicts them: other people's shapes, expressions, and for
        the contour, the silhouette that wanders over the skin.
    """
    face = _flat_start(points)
    for _ in range(rounds):
        rotations, scales, shifts = _cameras(points, face, WEIGHTS)
        flat = (points - shifts[:, None]) / scales[:, None, None]  # [N, 98, 2], mm
        rows = rotations[:, :2].reshape(-1, 3)
        solved = np.linalg.lstsq(rows, flat.transpose(0, 2, 1).reshape(-1, WFLW.points))[0]
        face = _canonical(np.asarray(solved.T, dtype=np.float64), rotations)
    predicted = np.einsum("nij,pj->npi", rotations[:, :2], face)
    variance = np.square(flat - predicted).sum(-1).mean(0)
    return face, np.sqrt((variance + variance[WFLW.flip]) / 2)


def _flat_start(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean upright face with a rounded depth: where the alternation starts."""
    angles = np.array([WFLW.roll(face) for face in points])
    sizes = WFLW.normalizer(points) / OUTER_EYE_CORNERS_MM
    cos, sin = np.cos(angles) / sizes, np.sin(angles) / sizes
    upright = np.stack([np.stack([cos, sin], -1), np.stack([-sin, cos], -1)], 1)
    centred = points - (points[:, [60]] + points[:, [72]]) / 2
    mean = np.einsum("nij,npj->npi", upright, centred).mean(0)
    depth = np.square(mean[:, 0]) / 100
    depth[51:60] -= [10, 15, 20, 25, 10, 10, 10, 10, 10]  # the nose stands out
    return _symmetric(np.column_stack([mean, depth]))


def _cameras(
    points: NDArray[np.float64], face: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Rotation [N, 3, 3], scale [N] (pixels per mm) and shift [N, 2] of every labelled face.

    An orthographic picture has no depth; taking it from the present rotation makes each step a
    Procrustes problem with a closed solution.
    """
    share = weights / weights.sum()
    middle = share @ face
    centre = np.einsum("p,npk->nk", share, points)
    x = (face - middle) * np.sqrt(share)[:, None]
    w = (points - centre[:, None]) * np.sqrt(share)[:, None]
    rotations = np.tile(np.eye(3), (len(points), 1, 1))
    affine = np.einsum("npk,jp->nkj", w, np.linalg.pinv(x))
    u, _, vt = np.linalg.svd(affine, full_matrices=False)
    rotations[:, :2] = u @ vt
    rotations[:, 2] = np.cross(rotations[:, 0], rotations[:, 1])
    for _ in range(_VIRTUAL_DEPTH_ROUNDS):
        turned = np.einsum("nij,pj->npi", rotations, x)
        flat = turned[..., :2]
        scales = np.einsum("npk,npk->n", w, flat) / np.einsum("npk,npk->n", flat, flat)
        seen = np.concatenate([w / scales[:, None, None], turned[..., 2:]], -1)
        u, _, vt = np.linalg.svd(np.einsum("npi,pj->nij", seen, x))
        proper = np.ones((len(points), 1, 3))
        proper[:, 0, 2] = np.linalg.det(u @ vt)
        rotations = (u * proper) @ vt
    shifts = centre - scales[:, None] * (rotations[:, :2] @ middle)
    return rotations, scales, shifts


def _canonical(face: NDArray[np.float64], rotations: NDArray[np.float64]) -> NDArray[np.float64]:
    """The face in its own axes: symmetric, upright in the median picture, of human size."""
    face = _symmetric(face)
    pitch = np.median(np.arctan2(-rotations[:, 1, 2], rotations[:, 2, 2]))
    cos, sin = np.cos(pitch), np.sin(pitch)
    face = face @ np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]]).T
    face = face - (face[60] + face[72]) / 2
    return face * (OUTER_EYE_CORNERS_MM / (face[72, 0] - face[60, 0]))


def _symmetric(face: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((face + face[WFLW.flip] * [-1, 1, 1]) / 2, dtype=np.float64)


def main(
    data: Annotated[Path, typer.Option(help="Folder in WFLW's layout.")],
    out: Annotated[Path, typer.Option(help="Table to write: point, x, y, z and spread, mm.")],
    source: Annotated[
        str, typer.Option(help="Use the faces whose source begins so; all by default.")
    ] = "",
) -> None:
    """Fit the generic 3D face to labelled faces."""
    faces = [s.points for s in read_wflw(data, "train") if s.source.startswith(source)]
    if len(faces) < WFLW.points:
        raise InputError(f"{data} has {len(faces)} faces of source '{source}': too few for a fit.")
    face, spread = fit_face(np.array(faces))
    lines = [
        f"{point},{x:.1f},{y:.1f},{z:.1f},{rms:.1f}"
        for point, ((x, y, z), rms) in enumerate(zip(face + 0.0, spread, strict=True))
    ]
    out.write_text("\n".join(["point,x,y,z,spread", *lines, ""]), encoding="ascii")
    typer.echo(f"fitted to {len(faces)} faces; wrote {out}")


if __name__ == "__main__":
    run_command(lambda: typer.run(main))
