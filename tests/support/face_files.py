"""A small dataset of drawn faces in the WFLW layout, and a network small enough to learn it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from model.config import PropNetConfig
from model.shipped_markups import WFLW
from train.data.datasets import read_dataset
from train.data.sample import Sample
from train.recipes.augment_config import AugmentConfig
from train.recipes.recipe import Recipe, Stage

# Two hourglasses, so that attention and boundary-masked coordinates take part.
TINY = PropNetConfig(stacks=2, channels=16, depth=2)
STILL = AugmentConfig(
    rotation=0, scale=0, translation=0, flip=0, p_wide=0, p_color=0, p_gray=0, p_blur=0,
    p_resolution=0, p_noise=0, p_jpeg=0, p_occlusion=0, p_blink=0,
)  # fmt: skip
RECIPE = Recipe(learning_rate=3e-3, warmup_steps=2, ema_decay=0.5, stages=(Stage(1.0, 64, 4),))

LIST = "WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_{}.txt"


def template() -> NDArray[np.float64]:
    """[98, 2] a plain frontal face, about 2 x 2 around (0, 0)."""
    points = np.zeros((98, 2))
    for curve, (centre, size, first, last) in {
        0: ((0.0, -0.1), (0.9, 1.0), 180, 0),
        1: ((-0.4, -0.45), (0.25, 0.1), 180, 360),
        2: ((0.4, -0.45), (0.25, 0.1), 180, 360),
        4: ((0.0, 0.15), (0.15, 0.05), 180, 0),
        5: ((-0.4, -0.2), (0.16, 0.08), 180, 360),
        7: ((0.4, -0.2), (0.16, 0.08), 180, 360),
        6: ((-0.4, -0.2), (0.16, 0.08), 180, 0),
        8: ((0.4, -0.2), (0.16, 0.08), 180, 0),
        9: ((0.0, 0.5), (0.35, 0.12), 180, 360),
        12: ((0.0, 0.5), (0.35, 0.15), 180, 0),
        10: ((0.0, 0.5), (0.25, 0.03), 180, 360),
        11: ((0.0, 0.5), (0.25, 0.03), 180, 0),
        13: ((-0.4, -0.42), (0.25, 0.04), 180, 360),
        14: ((0.4, -0.42), (0.25, 0.04), 360, 180),
    }.items():
        indices = list(WFLW.curves[curve])
        angle = np.deg2rad(np.linspace(first, last, len(indices)))
        # y is down: from 180 to 0 degrees an arc runs below its centre, to 360 above.
        arc = np.column_stack([np.cos(angle), np.sin(angle)])
        points[indices] = np.array(centre) + np.array(size) * arc
    points[51:55] = np.column_stack([np.zeros(4), np.linspace(-0.25, 0.1, 4)])
    points[[96, 97]] = (-0.4, -0.2), (0.4, -0.2)
    return points


def draw(points: NDArray[np.float64], side: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """[side, side, 3] picture of a face: skin, lines along its curves, pupils."""
    image = np.full((side, side, 3), rng.integers(20, 90, 3), dtype=np.uint8)
    fixed = np.rint(points * 16).astype(np.int32)
    outline = np.concatenate([fixed[:33], fixed[46:41:-1], fixed[37:32:-1]])
    skin = rng.integers(150, 220, 3).tolist()
    cv2.fillPoly(image, [outline], skin, cv2.LINE_AA, 4)
    for curve in WFLW.curves:
        cv2.polylines(image, [fixed[list(curve)]], False, (60, 30, 30), 2, cv2.LINE_AA, 4)
    for pupil in fixed[96:]:
        cv2.circle(image, pupil.tolist(), 2 * 16, (20, 20, 20), -1, cv2.LINE_AA, 4)
    return image


def write_faces(root: Path, train: int = 24, test: int = 6, side: int = 96) -> Path:
    """Write a dataset; the same every time.

    Args:
        root: folder to make.
        train: training faces.
        test: test faces.
        side: side of the pictures, pixels.

    Returns:
        `root`.
    """
    rng = np.random.default_rng(7)
    for split, count in (("train", train), ("test", test)):
        lines = []
        for number in range(count):
            size = side * rng.uniform(0.3, 0.4)
            stretch = size * rng.uniform(0.9, 1.1, 2)
            points = template() * stretch + side / 2 + rng.uniform(-4, 4, 2)
            image = draw(points, side, rng)
            name = f"{'ytf' if number % 4 == 3 else 'drawn'}/{split}_{number}.png"
            path = root / "WFLW_images" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), image)
            box = [*points.min(axis=0), *points.max(axis=0)]
            flags = (rng.random(6) < 0.2).astype(int)
            numbers = [f"{value:.4f}" for value in (*points.ravel(), *box)]
            lines.append(" ".join([*numbers, *map(str, flags), name]))
        path = root / LIST.format(split)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


def read_faces(root: Path) -> tuple[list[Sample], list[Sample]]:
    """Training and test faces of a written dataset."""
    return read_dataset("wflw", root, "train"), read_dataset("wflw", root, "test")
