"""Augmentation: landmarks follow the picture's content, looks change pixels and nothing else."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from model.crop import Region, crop_matrix, to_crop, warp_image
from model.errors import InputError
from tests.support.face_files import STILL
from train.augmentation.random_view import random_look, random_matrix
from train.recipes.augment_config import AugmentConfig

LOOKS = ("p_color", "p_gray", "p_blur", "p_resolution", "p_noise", "p_jpeg", "p_occlusion")
REGION = Region(100.0, 90.0, 120.0)
SIZE = 128


def picture(seed: int = 0, side: int = 96) -> NDArray[np.uint8]:
    """Smooth colours with some detail, like a photograph."""
    noise = np.random.default_rng(seed).integers(0, 256, (side // 8, side // 8, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC))


def dots(points: NDArray[np.float64], side: int = 200) -> NDArray[np.uint8]:
    """Blurred dots at sub-pixel places, one per picture: [N, side, side, 3]."""
    grid = np.arange(side)
    columns = np.exp(-((grid - points[:, :1]) ** 2) / 8)
    rows = np.exp(-((grid - points[:, 1:]) ** 2) / 8)
    return (
        np.rint(255 * rows[:, :, None, None] * columns[:, None, :, None])
        .astype(np.uint8)
        .repeat(3, axis=3)
    )


def centroid(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    values = image[..., 0].astype(float)
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    return np.array([(values * columns).sum(), (values * rows).sum()]) / values.sum()


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_landmarks_stay_on_what_they_mark(seed: int) -> None:
    matrix, _ = random_matrix(REGION, SIZE, AugmentConfig(), np.random.default_rng(seed))
    points = np.array([[95.3, 92.1], [108.7, 80.4], [99.0, 101.9]])
    expected = to_crop(points, matrix)
    for image, place in zip(dots(points), expected, strict=True):
        # Away from the rim, where a part of the dot would be cut off.
        if (place > 12).all() and (place < SIZE - 13).all():
            np.testing.assert_allclose(centroid(warp_image(image, matrix, SIZE)), place, atol=0.15)


def test_the_dots_are_mostly_inside_the_crop() -> None:
    """The test above tests something: the middle of the face stays in the picture."""
    rng = np.random.default_rng(0)
    places = np.stack(
        [
            to_crop(np.array([100.0, 90.0]), random_matrix(REGION, SIZE, AugmentConfig(), rng)[0])
            for _ in range(500)
        ]
    )
    assert ((places > 12) & (places < SIZE - 13)).all()
    # Moved by up to 25 of 256 pixels, before turning and scaling.
    reach = np.abs(places - (SIZE - 1) / 2).max()
    assert 0.5 * 25 * SIZE / 256 < reach <= np.sqrt(2) * 1.15 * 25 * SIZE / 256


def test_without_augmentation_it_is_the_plain_crop() -> None:
    matrix, mirrored = random_matrix(REGION, SIZE, STILL, np.random.default_rng(0))
    assert not mirrored
    np.testing.assert_allclose(matrix, crop_matrix(REGION, SIZE))


def test_mirroring_reverses_the_columns() -> None:
    config, image = replace(STILL, flip=1.0), picture(side=200)
    matrix, mirrored = random_matrix(REGION, SIZE, config, np.random.default_rng(0))
    assert mirrored
    plain = warp_image(image, crop_matrix(REGION, SIZE), SIZE)
    difference = warp_image(image, matrix, SIZE).astype(int) - plain[:, ::-1]
    # Both are interpolated, with fixed-point weights that differ in the last bit.
    assert np.abs(difference).max() <= 3


def test_strengths_are_respected() -> None:
    rng = np.random.default_rng(1)
    turns, scales = [], []
    for _ in range(2000):
        matrix, mirrored = random_matrix(REGION, SIZE, replace(AugmentConfig(), p_wide=0.0), rng)
        linear = matrix[:, :2] * ([[-1], [1]] if mirrored else 1)
        assert np.linalg.det(linear) > 0
        scales.append(np.sqrt(np.linalg.det(linear)) * REGION.size / SIZE)
        turns.append(np.rad2deg(np.arctan2(linear[0, 1], linear[0, 0])))
    assert np.abs(turns).max() == pytest.approx(30, abs=0.5)
    assert (min(scales), max(scales)) == pytest.approx((0.85, 1.15), abs=0.01)
    assert np.mean(turns) == pytest.approx(0, abs=1.5)
    assert np.mean(scales) == pytest.approx(1, abs=0.01)
    wide = [
        random_matrix(REGION, SIZE, replace(STILL, p_wide=1.0, wide_rotation=60.0), rng)[0]
        for _ in range(500)
    ]
    turns = [np.rad2deg(np.arctan2(m[0, 1], m[0, 0])) for m in wide]
    assert np.abs(turns).max() == pytest.approx(60, abs=2)
    flips = [random_matrix(REGION, SIZE, AugmentConfig(), rng)[1] for _ in range(2000)]
    assert np.mean(flips) == pytest.approx(0.5, abs=0.05)


def test_boxes_of_other_styles_keep_the_face_in_the_crop_and_are_asked_for() -> None:
    boxes = [
        random_matrix(REGION, SIZE, replace(STILL, p_box=1.0), np.random.default_rng(seed))[0]
        for seed in range(500)
    ]
    sides = [SIZE / m[0, 0] / REGION.size for m in boxes]
    assert (min(sides), max(sides)) == pytest.approx((0.85, 1.5), abs=0.02)
    face = np.array([[x, y] for x in (-0.5, 0.5) for y in (-0.5, 0.5)]) * REGION.size / 1.3
    shown = [to_crop(face + np.array([REGION.x, REGION.y]), matrix) for matrix in boxes]
    inside = [((corners > 0) & (corners < SIZE - 1)).mean() for corners in shown]
    assert np.mean(inside) > 0.9
    # More of them reach above the face than below it.
    middles = np.array([corners.mean(axis=0)[1] for corners in shown])
    assert middles.mean() > SIZE / 2
    # Without it chance goes on as before.
    again = random_matrix(REGION, SIZE, AugmentConfig(), np.random.default_rng(3))
    np.testing.assert_array_equal(
        again[0],
        random_matrix(REGION, SIZE, AugmentConfig(p_cover=1.0), np.random.default_rng(3))[0],
    )


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("side", [64, 128, 256])
def test_every_look_changes_pixels_and_nothing_else(look: str, side: int) -> None:
    image = picture(side=side)
    given_image = image.copy()
    for seed in range(12):  # several branches of chance
        changed = random_look(image, replace(STILL, **{look: 1.0}), np.random.default_rng(seed))
        again = random_look(image, replace(STILL, **{look: 1.0}), np.random.default_rng(seed))
        np.testing.assert_array_equal(changed, again)
        assert changed.dtype == np.uint8
        assert changed.shape == image.shape
        assert changed.flags.c_contiguous
        # A crop of 64 pixels has no more than the resolution that chance often asks for.
        if (look, side) != ("p_resolution", 64):
            assert (changed != image).any()
        # Still a picture of the same scene: an occlusion covers up to a seventh of it.
        assert np.corrcoef(changed.ravel(), image.ravel())[0, 1] > 0.4
    np.testing.assert_array_equal(image, given_image)


def test_no_look_leaves_the_crop_alone() -> None:
    image = picture()
    np.testing.assert_array_equal(random_look(image, STILL, np.random.default_rng(0)), image)


def test_all_looks_together_and_different_seeds_differ() -> None:
    everything = replace(STILL, **dict.fromkeys(LOOKS, 1.0))
    first, second = (
        random_look(picture(), everything, np.random.default_rng(seed)) for seed in (1, 2)
    )
    assert (first != second).any()


def test_grey_has_no_colour_and_the_right_brightness() -> None:
    image = picture()
    gray = random_look(image, replace(STILL, p_gray=1.0), np.random.default_rng(0))
    assert (gray == gray[..., :1]).all()
    # ITU-R BT.601, with red first.
    np.testing.assert_allclose(gray[..., 0], image @ [0.299, 0.587, 0.114], atol=0.6)


def test_blur_and_noise_do_not_move_the_brightness() -> None:
    image = np.full((64, 64, 3), 120, dtype=np.uint8)
    for look in ("p_blur", "p_noise", "p_resolution"):
        means = [
            random_look(image, replace(STILL, **{look: 1.0}), np.random.default_rng(seed)).mean()
            for seed in range(20)
        ]
        # Cutting the noise off instead of rounding it would darken by half a level.
        assert np.mean(means) == pytest.approx(120, abs=0.1)


def test_an_occlusion_hides_a_part_only() -> None:
    image = picture()
    for seed in range(30):
        seen = random_look(image, replace(STILL, p_occlusion=1.0), np.random.default_rng(seed))
        share = (seen != image).any(axis=2).mean()
        # An ellipse with half axes of at most 22 % of the side.
        assert 0 < share <= np.pi * 0.22**2 + 0.02


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"p_blur": 1.5}, "'p_blur' is a probability"),
        ({"flip": float("nan")}, "'flip' is a probability"),
        ({"rotation": -1.0}, "'rotation' must not be negative"),
        ({"scale": 1.0}, "'scale' must be below 1"),
    ],
)
def test_strengths_without_sense(settings_: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        AugmentConfig(**settings_)
