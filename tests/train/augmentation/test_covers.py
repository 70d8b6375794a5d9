"""What is painted over a face covers what it is meant to cover, and nothing else changes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from model.markup import Markup
from model.shipped_markups import MARKUPS, WFLW
from tracker.measures.generic_face import face_model
from train.augmentation import covers
from train.augmentation.face_view import FaceView
from train.augmentation.light_and_paint import random_light, random_paint
from train.data.label_groups import face_regions

SIZE = 128
Change = Callable[[FaceView, np.random.Generator], NDArray[np.uint8]]


def light(view: FaceView, rng: np.random.Generator) -> NDArray[np.uint8]:
    return random_light(view.crop, rng)


CHANGES: list[Change] = [covers.random_cover, random_paint, light]


def frontal(markup: Markup = WFLW) -> NDArray[np.float64]:
    """[K, 2] a face that looks into the camera and fills a crop as faces do."""
    flat = face_model(markup.name).points[:, :2]
    low, high = flat.min(axis=0), flat.max(axis=0)
    return np.asarray((flat - (low + high) / 2) / (high - low).max() * SIZE / 1.3 + SIZE / 2)


def views(markup: Markup = WFLW) -> FaceView:
    image = np.random.default_rng(0).integers(90, 130, (SIZE, SIZE, 3), dtype=np.uint8)
    return FaceView(image, frontal(markup), markup)


def share_covered(shape: NDArray[np.uint8], points: NDArray[np.float64]) -> float:
    """Share of the points that lie under a shape."""
    x, y = np.clip(np.rint((points + 0.5) * 2 - 0.5).astype(int), 0, 2 * SIZE - 1).T
    return float((shape[y, x] > 127).mean())


@pytest.mark.parametrize("markup", MARKUPS.values(), ids=MARKUPS)
@pytest.mark.parametrize("change", CHANGES)
def test_the_same_chance_gives_the_same_picture_and_the_given_one_stays(
    change: Change, markup: Markup
) -> None:
    view = views(markup)
    image, points = view.crop.copy(), view.points.copy()
    for seed in range(25):
        changed = change(view, np.random.default_rng(seed))
        again = change(view, np.random.default_rng(seed))
        np.testing.assert_array_equal(changed, again)
        assert changed.shape == image.shape
        assert changed.dtype == np.uint8
        assert (changed != image).any()
    np.testing.assert_array_equal(view.crop, image)
    np.testing.assert_array_equal(view.points, points)


def test_a_mask_covers_mouth_and_chin_and_leaves_the_eyes() -> None:
    regions, view = face_regions(WFLW), views()
    for seed in range(40):
        shape, _ = covers.mask(view, np.random.default_rng(seed))
        assert share_covered(shape, view.points[regions["mouth"]]) > 0.8
        assert share_covered(shape, view.points[regions["eyes"]]) == 0
        assert share_covered(shape, view.points[[14, 16, 18]]) == 1  # the chin


def test_glasses_are_before_the_eyes_and_nowhere_else() -> None:
    regions, view = face_regions(WFLW), views()
    for seed in range(40):
        shape, _ = covers.glasses(view, np.random.default_rng(seed))
        # A frame at least, around both eyes.
        for corners in ((60, 64), (68, 72)):
            x, y = view.points[list(corners)].mean(axis=0)
            width = np.linalg.norm(view.points[72] - view.points[60])
            rows, columns = np.mgrid[: 2 * SIZE, : 2 * SIZE] / 2
            near = np.hypot(columns - x, rows - y) < 0.5 * width
            assert (shape[near] > 127).mean() > 0.05
        assert share_covered(shape, view.points[regions["mouth"]]) == 0


@pytest.mark.parametrize("kind", [covers.hand, covers.thing, covers.hair])
def test_a_cover_hides_a_part_of_the_face(
    kind: Callable[[FaceView, np.random.Generator], tuple[NDArray[np.uint8], object]],
) -> None:
    view = views()
    shares = [
        share_covered(kind(view, np.random.default_rng(seed))[0], view.points)
        for seed in range(100)
    ]
    assert 0.05 < np.mean(shares) < 0.45
    assert np.mean(np.array(shares) > 0) > 0.8
    assert max(shares) < 0.95


def test_covers_turn_with_the_face() -> None:
    """A face on its side wears its mask and its glasses on its side."""
    view = views()
    middle = (SIZE - 1) / 2
    turned = np.stack(
        [2 * middle - view.points[:, 1], view.points[:, 0]], axis=1
    )  # by 90 degrees, clockwise in the picture
    lying = FaceView(view.crop, turned, WFLW)
    for kind in (covers.mask, covers.glasses):
        for seed in range(10):
            upright, _ = kind(view, np.random.default_rng(seed))
            other, _ = kind(lying, np.random.default_rng(seed))
            expected = np.rot90(upright, k=-1) > 127
            both = (expected & (other > 127)).sum()
            either = (expected | (other > 127)).sum()
            assert both / either > 0.9


def test_what_is_shaded_stays_a_picture() -> None:
    """Under one sixth of the light, half of the picture is still told apart."""
    image = views().crop
    for seed in range(60):
        lit = random_light(image, np.random.default_rng(seed))
        assert len(np.unique(lit)) > 12


def test_paint_stays_on_the_face() -> None:
    view = views()
    # Far from the face: a cheek's paint fades away.
    corner = np.zeros((SIZE, SIZE), dtype=bool)
    corner[:6, :6] = corner[-6:, -6:] = True
    for seed in range(40):
        painted = random_paint(view, np.random.default_rng(seed))
        assert np.abs(painted.astype(int) - view.crop)[corner].max() <= 6
