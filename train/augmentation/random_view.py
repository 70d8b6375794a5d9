"""Random views of a face: geometry on the crop's matrix, then the look of its pixels."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from model.crop import Region, crop_matrix
from train.recipes.augment_config import AugmentConfig

# Boxes of other detectors and data sets, of the face's region: their side; how far their middle is
# off to both sides, and above (a box that begins at the hair) or below.
_BOX_SIDE, _BOX_ASIDE, _BOX_ABOVE, _BOX_BELOW = (0.85, 1.5), 0.12, 0.2, 0.08


def random_matrix(
    region: Region, size: int, config: AugmentConfig, rng: np.random.Generator
) -> tuple[NDArray[np.float64], bool]:
    """Image-to-crop matrix of a randomly turned, scaled, moved and mirrored crop.

    Args:
        region: the face's true region.
        size: side of the crop, pixels.
        config: strength.
        rng: source of chance.

    Returns:
        [2, 3] matrix, and whether it mirrors (then landmarks must change places too).
    """
    reach = config.wide_rotation if rng.random() < config.p_wide else config.rotation
    angle = np.deg2rad(rng.uniform(-reach, reach))
    side = region.size / (1 + rng.uniform(-config.scale, config.scale))
    shift = rng.uniform(-config.translation, config.translation, 2) / 256 * region.size
    if config.p_box and rng.random() < config.p_box:
        side = region.size * rng.uniform(*_BOX_SIDE)
        ways = rng.uniform(-_BOX_ASIDE, _BOX_ASIDE), rng.uniform(-_BOX_ABOVE, _BOX_BELOW)
        shift = np.array(ways) * region.size
    moved = Region(region.x + shift[0], region.y + shift[1], side, region.angle + angle)
    matrix = crop_matrix(moved, size)
    mirrored = bool(rng.random() < config.flip)
    if mirrored:
        matrix[0] = -matrix[0]
        matrix[0, 2] += size - 1
    return matrix, mirrored


def random_look(
    crop: NDArray[np.uint8], config: AugmentConfig, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Change how a crop was lit, taken and compressed.

    The order is that of a real recording: scene, lens, sensor, codec.

    Args:
        crop: [S, S, 3] RGB.
        config: strength.
        rng: source of chance.

    Returns:
        [S, S, 3] RGB; `crop` itself where chance changes nothing.
    """
    image = crop
    if rng.random() < config.p_color:
        image = _color(image, rng)
    if rng.random() < config.p_gray:
        image = np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    if rng.random() < config.p_occlusion:
        image = _occlude(image, rng)
    if rng.random() < config.p_blur:
        image = _blur(image, rng)
    if rng.random() < config.p_resolution:
        image = _lower_resolution(image, rng)
    if rng.random() < config.p_noise:
        noise = rng.normal(0, rng.uniform(2, 14), image.shape).astype(np.float32)
        image = np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)
    if rng.random() < config.p_jpeg:
        image = jpeg(image, int(rng.integers(20, 80)))
    return np.ascontiguousarray(image)


def _color(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Gamma, contrast, brightness and a cast per channel, then saturation."""
    levels = np.linspace(0, 1, 256)
    gamma = np.exp(rng.uniform(-0.5, 0.5))
    gain = rng.uniform(0.7, 1.3) * rng.uniform(0.9, 1.1, 3)
    offset = rng.uniform(-0.15, 0.15)
    tables = (levels[:, None] ** gamma - 0.5) * gain + 0.5 + offset
    table = np.clip(np.rint(255 * tables), 0, 255).astype(np.uint8)
    image = np.asarray(cv2.LUT(image, table[None]), dtype=np.uint8).reshape(image.shape)
    gray = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    share = rng.uniform(0.3, 1.4)
    return np.asarray(cv2.addWeighted(image, share, gray, 1 - share, 0), dtype=np.uint8)


def _blur(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Defocus, or motion over up to 5 % of the crop's side."""
    side = image.shape[0]
    if rng.random() < 0.5:
        blurred = cv2.GaussianBlur(image, (0, 0), side * rng.uniform(0.003, 0.012))
        return np.asarray(blurred, dtype=np.uint8)
    length = max(3, round(side * rng.uniform(0.015, 0.05)) | 1)
    kernel = motion_kernel(length, rng.uniform(0, np.pi))
    return np.asarray(cv2.filter2D(image, -1, kernel), dtype=np.uint8)


def motion_kernel(length: int, angle: float) -> NDArray[np.float32]:
    """What motion along a straight line makes of a point.

    Args:
        length: of the line, pixels; odd.
        angle: its direction, radians.

    Returns:
        [length, length], its sum 1; as drawn, so its centre is the middle's within half a pixel.
    """
    reach = (length - 1) / 2 * np.array([np.cos(angle), np.sin(angle)])
    middle = np.array([length // 2, length // 2])
    kernel = np.zeros((length, length), dtype=np.float32)
    ends = [tuple(np.rint(middle + sign * reach).astype(int).tolist()) for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0)
    return np.asarray(kernel / kernel.sum(), dtype=np.float32)


def _lower_resolution(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """As if the whole crop had been 32 to 96 pixels wide."""
    side = image.shape[0]
    small = min(side, int(rng.integers(32, 97)))
    tiny = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(tiny, (side, side), interpolation=cv2.INTER_LINEAR), np.uint8)


def jpeg(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """A round trip through JPEG.

    Args:
        image: [H, W, 3].
        quality: 0..100.

    Returns:
        [H, W, 3].
    """
    # The codec's idea of which channel is red only matters for its colour subsampling.
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.uint8)


def _occlude(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Cover an ellipse with a flat colour or with another part of the same picture."""
    side = image.shape[0]
    mask = np.zeros((side, side), dtype=np.uint8)
    centre = tuple(int(v) for v in rng.uniform(0.1, 0.9, 2) * side)
    axes = tuple(int(v) for v in rng.uniform(0.05, 0.22, 2) * side)
    cv2.ellipse(mask, centre, axes, float(rng.uniform(0, 180)), 0, 360, 1, -1)
    if rng.random() < 0.5:
        shift = rng.integers(side // 4, 3 * side // 4, 2)
        cover = np.roll(image, (int(shift[0]), int(shift[1])), axis=(0, 1))
    else:
        cover = np.broadcast_to(rng.integers(0, 256, 3).astype(np.uint8), image.shape)
    return np.where(mask[..., None] > 0, cover, image)
