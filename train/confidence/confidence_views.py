"""Crops as the tracker may meet them, good ones and others: what a confidence is fitted on.

Half of the views hold a face that can be found, as a tracker sees it: a little off, blurred,
partly covered. The other half are what a tracker must not take for one: places beside the face,
plain textures, faces that are hidden, upside down, or far off the crop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from model.crop import Region, crop_image, crop_matrix, region_from_landmarks, to_crop
from train.augmentation.occluders import cover_mask, place_beside, texture_of
from train.augmentation.random_view import random_look
from train.augmentation.turned_head import random_turn, turned_crop
from train.data.sample import Sample
from train.recipes.augment_config import AugmentConfig

# Kind of a view -> its share. About half of all views end up as faces whose landmarks were found.
SHARES: dict[str, float] = {
    "tracked": 0.12,
    "detected": 0.10,
    "worn": 0.10,
    "turned": 0.10,
    "rolled": 0.05,
    "covered": 0.18,
    "off": 0.08,
    "inverted": 0.05,
    "hidden": 0.07,
    "background": 0.10,
    "texture": 0.05,
}
KINDS = tuple(SHARES)
# Kinds that hold a face which a tracker is to follow, and kinds without any.
FACES = ("tracked", "detected", "worn", "turned", "rolled")
NO_FACES = ("hidden", "background", "texture")
# Kinds that need one, or may.
_TEXTURED = ("covered", "hidden", "background", "texture")

# How the tracker's regions scatter (standard deviations), in sides of the region, relative, and in
# degrees: `train.fits.fit_detector` prints those of detections; between two frames a head moves
# less.
_TRACKED = (0.03, 0.04, 4.0)
_DETECTED = (0.04, 0.11, 8.0)
# A camera's usual flaws, and all of them at once.
_USUAL = AugmentConfig(p_occlusion=0)
_WORN = replace(
    _USUAL, p_color=0.8, p_gray=0.2, p_blur=0.6, p_resolution=0.5, p_noise=0.4, p_jpeg=0.5
)
# Landmarks that something covers, as a share of all. From the upper bound on a face is hidden:
# what is left of it shows a chin or an ear.
_COVERED = (0.1, 0.75)
_HIDDEN = (0.92, 1.0)


@dataclass(frozen=True, eq=False)
class View:
    """One crop.

    Attributes:
        kind: one of `KINDS`.
        crop: [S, S, 3], uint8, RGB.
        truth: [K, 2] landmarks in crop pixels, maybe outside of it; None if no face is in sight.
        normalizer: distance in crop pixels by which errors are divided; None for that of `truth`.
    """

    kind: str
    crop: NDArray[np.uint8]
    truth: NDArray[np.float64] | None
    normalizer: float | None = None


def make_views(
    samples: Sequence[Sample],
    kinds: Sequence[str],
    size: int,
    seed: int,
    load: Callable[[Sample], NDArray[np.uint8]] = Sample.load,
) -> Iterator[View]:
    """One view per sample, of the kind given for it.

    Each depends on the seed and its place only.

    Args:
        samples: the faces, in the markup of the network.
        kinds: of `KINDS`, as many as samples.
        size: side of the crops, pixels.
        seed: of chance.
        load: gives the picture of a sample.

    Raises:
        InputError: a picture cannot be read.
    """
    for place, (sample, kind) in enumerate(zip(samples, kinds, strict=True)):
        rng = np.random.default_rng((seed, place))
        image = load(sample)
        other = samples[int(rng.integers(len(samples)))]
        texture = texture_of(other, load(other), size, rng) if kind in _TEXTURED else None
        yield _view(kind, sample, image, texture, rng, size=size)


def _view(
    kind: str,
    sample: Sample,
    image: NDArray[np.uint8],
    texture: NDArray[np.uint8] | None,
    rng: np.random.Generator,
    *,
    size: int,
) -> View:
    if kind == "background" and (beside := place_beside(sample, image, rng)):
        crop = crop_image(image, beside, size)
        return View(kind, random_look(crop, _USUAL, rng), None)
    # A picture may have nothing but the face in it.
    if kind in ("texture", "background"):
        assert texture is not None
        return View(kind, random_look(texture, _USUAL, rng), None)
    own = region_from_landmarks(sample.points, sample.markup.roll(sample.points))
    region = _scattered(own, _DETECTED if kind == "detected" else _TRACKED, rng)
    if kind == "rolled":
        region = replace(region, angle=region.angle + np.deg2rad(rng.uniform(-60, 60)))
    elif kind == "inverted":
        region = replace(region, angle=region.angle + np.pi + np.deg2rad(rng.uniform(-40, 40)))
    elif kind == "off":
        region = _off(region, rng)
    matrix = crop_matrix(region, size)
    truth = to_crop(sample.points, matrix)
    normalizer = None
    markup = sample.markup
    if kind == "turned" and (turn := random_turn(truth, markup, rng)):
        # Seen from the side, the eyes' corners lie close together; the head is as large as before.
        normalizer = float(sample.markup.normalizer(truth))
        crop, truth = turned_crop(image, matrix, size, truth, markup=markup, turn=turn)
    else:
        crop = crop_image(image, region, size)
    if kind in ("covered", "hidden"):
        assert texture is not None
        share = float(rng.uniform(*(_COVERED if kind == "covered" else _HIDDEN)))
        crop = np.where(cover_mask(truth, share, size, rng)[..., None], texture, crop)
    crop = random_look(crop, _WORN if kind == "worn" else _USUAL, rng)
    return View(kind, crop, None if kind == "hidden" else truth, normalizer)


def _scattered(
    region: Region, scatter: tuple[float, float, float], rng: np.random.Generator
) -> Region:
    """A region as a tracker would have it for a face whose own region is given."""
    shift, scale, roll = scatter
    x, y = rng.normal(0, shift, 2) * region.size
    return Region(
        region.x + float(x),
        region.y + float(y),
        region.size * float(np.exp(rng.normal(0, scale))),
        region.angle + float(np.deg2rad(rng.normal(0, roll))),
    )


def _off(region: Region, rng: np.random.Generator) -> Region:
    """A region that has half lost its face: shifted, or much too large or small."""
    if rng.random() < 0.5:
        way, angle = rng.uniform(0.15, 0.6) * region.size, rng.uniform(0, 2 * np.pi)
        x, y = way * np.cos(angle), way * np.sin(angle)
        return replace(region, x=region.x + float(x), y=region.y + float(y))
    factor = float(np.exp(rng.uniform(np.log(1.25), np.log(2.2))))
    return replace(region, size=region.size * (factor if rng.random() < 0.5 else 1 / factor))
