"""Fit the conversion of `train.evaluation.markup_conversion`: lids of 68 points from 98."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console

from model.errors import InputError, run_command
from model.shipped_markups import IBUG, WFLW, WFLW_TO_IBUG
from train.data.pts_file import read_pts
from train.data.sample import Sample
from train.data.wflw import read_wflw
from train.evaluation.markup_conversion import EYE_98, LIDS_68

# What the fit assumes about its inputs: 1 % of the inter-ocular distance, the precision of careful
# annotators. The mean length of a 2D Gaussian error is sigma * sqrt(pi / 2).
NOISE = float(0.01 / np.sqrt(np.pi / 2))
FOLDS = 5
# Both labels of a face are printed with six decimals; more than this is another convention.
_SAME_POINT = 0.01


def read_pairs(samples: Sequence[Sample]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both labels of the faces that have a `.pts` file beside their picture.

    Args:
        samples: 98-point faces; those without such a file are left out.

    Returns:
        Points [N, 98, 2] and [N, 68, 2].

    Raises:
        InputError: no face has one, or the shared points of a face differ, for example because
            the `.pts` files are 1-based.
    """
    pairs = []
    for sample in samples:
        path = sample.image.with_suffix(".pts")
        if not path.is_file():
            continue
        points68 = read_pts(path, count=IBUG.points, one_based=False)
        gap = max(np.abs(sample.points[i] - points68[j]).max() for i, j in WFLW_TO_IBUG)
        if gap > _SAME_POINT:
            raise InputError(
                f"{path}: the 60 shared points are up to {gap:.2f} pixels away from those of the "
                f"list; both must use the same 0-based coordinates."
            )
        pairs.append((sample.points, points68))
    if not pairs:
        raise InputError("no face of the list has a .pts file with 68 points beside its picture.")
    return np.stack([pair[0] for pair in pairs]), np.stack([pair[1] for pair in pairs])


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


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    data: Annotated[
        Path, typer.Option(help="Folder in WFLW's layout with .pts files beside some pictures.")
    ],
) -> None:
    """Fit the 98 to 68 point conversion on the training list; print its table and its error."""
    points98, points68 = read_pairs(read_wflw(data, "train"))
    console = Console(highlight=False, soft_wrap=True)
    console.print(
        f"Fitted on {len(points98)} faces; the table of train/evaluation/markup_conversion.py:"
    )
    console.print("LID_WEIGHTS = (")
    for row in fit_lids(points98, points68):
        console.print(f"    ({', '.join(f'{value:.4f}' for value in row)}),")
    console.print(")")
    if len(points98) < FOLDS:
        console.print(f"Too few faces for a held-out error: {FOLDS} are needed.")
        return
    console.print("Error on held-out faces, % of the inter-ocular distance:")
    for lid, error in zip(LIDS_68, held_out_error(points98, points68), strict=True):
        console.print(f"    point {lid} and its mirror image: {100 * error:.2f}")


if __name__ == "__main__":
    run_command(app)
