"""The fit behind `convert.py`: eyelid points of the 68-point markup from the 98-point one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.markup import IBUG, WFLW

# The left eye (of the image): its outline in the 98-point markup, and the lid points of the
# 68-point markup that are fitted from it.
EYE_98 = (60, 61, 62, 63, 64, 65, 66, 67)
LIDS_68 = (37, 38, 40, 41)

# What the fit assumes about its inputs: 1 % of the inter-ocular distance, the precision of careful
# annotators. The mean length of a 2D Gaussian error is sigma * sqrt(pi / 2).
NOISE = float(0.01 / np.sqrt(np.pi / 2))

FOLDS = 5


def fit_lids(
    points98: NDArray[np.floating], points68: NDArray[np.floating], noise: float = NOISE
) -> NDArray[np.float64]:
    """Fit the weights of the lid points on both eyes of faces with both labels.

    Args:
        points98: [N, 98, 2].
        points68: [N, 68, 2], the same faces.
        noise: standard deviation per axis of the error expected in `points98`, in units of the
            inter-ocular distance. The fit minimises the squared error averaged over such errors.

    Returns:
        [4, 8] weights, rows for LIDS_68 and columns for EYE_98; every row sums to 1.
    """
    eyes, lids, scale = _eyes(points98, points68)
    centre = eyes.mean(axis=1, keepdims=True)
    # One equation per face and axis: weights . eye = lid, relative to the eye's mean point.
    inputs = ((eyes - centre) / scale).transpose(0, 2, 1).reshape(-1, len(EYE_98))
    targets = ((lids - centre) / scale).transpose(0, 2, 1).reshape(-1, len(LIDS_68))
    normal = inputs.T @ inputs + len(inputs) * noise**2 * np.eye(len(EYE_98))
    # A Lagrange multiplier holds the sum of the weights at 1.
    ones = np.ones((len(EYE_98), 1))
    system = np.block([[normal, ones], [ones.T, np.zeros((1, 1))]])
    right = np.vstack([inputs.T @ targets, np.ones((1, len(LIDS_68)))])
    return np.asarray(np.linalg.solve(system, right)[: len(EYE_98)].T, dtype=np.float64)


def held_out_error(
    points98: NDArray[np.floating], points68: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Error of the lid points on faces that took no part in the fit.

    Args:
        points98: [N, 98, 2], N >= FOLDS.
        points68: [N, 68, 2], the same faces.

    Returns:
        [4] mean distances over both eyes, as fractions of the inter-ocular distance.
    """
    fold = np.random.default_rng(0).permutation(len(points98)) % FOLDS
    distances = []
    for held in range(FOLDS):
        weights = fit_lids(points98[fold != held], points68[fold != held])
        eyes, lids, scale = _eyes(points98[fold == held], points68[fold == held])
        distances.append(np.linalg.norm((weights @ eyes - lids) / scale, axis=-1))
    return np.asarray(np.concatenate(distances).mean(axis=0), dtype=np.float64)


def _eyes(
    points98: NDArray[np.floating], points68: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Eye outlines [2N, 8, 2], lid points [2N, 4, 2] and inter-ocular distances [2N, 1, 1]."""
    eye, lid = np.array(EYE_98), np.array(LIDS_68)
    # In mirrored order a right eye is one more left eye. Its x keeps its sign: the weights do not
    # depend on it.
    eyes = np.concatenate([points98[:, eye], points98[:, WFLW.flip[eye]]])
    lids = np.concatenate([points68[:, lid], points68[:, IBUG.flip[lid]]])
    scale = np.tile(IBUG.normalizer(points68, "inter-ocular"), 2)[:, None, None]
    return eyes, lids, scale
