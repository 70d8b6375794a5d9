"""The one face crop, shared by training, evaluation, export checks and tracking.

Coordinates: (0, 0) is the centre of the top left pixel, x to the right, y down, in pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

# Side of the crop over the long side of the tight landmark box. 1.3 leaves 11 % of the crop on each
# side: enough for the face to move between two frames and for a detector box that is off, while a
# heatmap cell stays below 4 % of the inter-ocular distance at 256 pixels.
CROP_SCALE = 1.3
# OpenCV's warps take no longer pictures (panoramas are), pixels.
LONGEST = 32766
# OpenCV shares work over so many pixels out to all cores. For a crop that is to wake threads which
# take a moment's work and then look for more: 0.1 to 0.6 ms of the processor's time for a crop that
# takes 0.06 (two cores), and no less by the clock.
_STRIPE = 1 << 16


@dataclass(frozen=True)
class Region:
    """A square of the image, turned by `angle`, that holds one face.

    Attributes:
        x: centre, pixels.
        y: centre, pixels.
        size: side, pixels, > 0.
        angle: roll of the face in radians; positive turns x towards y (clockwise on the screen).
    """

    x: float
    y: float
    size: float
    angle: float = 0.0


def wrap_angle(angle: float) -> float:
    """The same angle, radians, between -pi and pi: how far one direction is from another."""
    return (angle + math.pi) % (2 * math.pi) - math.pi


def region_from_box(box: ArrayLike, angle: float = 0.0, scale: float = CROP_SCALE) -> Region:
    """Region around a tight landmark box.

    Args:
        box: x_min, y_min, x_max, y_max in pixels, upright.
        angle: roll of the face, radians.
        scale: side of the region over the long side of the box.

    Returns:
        The region, centred on the box.
    """
    x0, y0, x1, y1 = (float(value) for value in np.asarray(box, dtype=np.float64))
    # A box of one point still needs a crop with an area.
    side = max(x1 - x0, y1 - y0, 1.0)
    return Region((x0 + x1) / 2, (y0 + y1) / 2, scale * side, angle)


def region_from_landmarks(
    points: NDArray[np.floating], angle: float = 0.0, scale: float = CROP_SCALE
) -> Region:
    """Region around landmarks: the tight box is taken in axes turned by `angle`.

    Args:
        points: [K, 2], pixels.
        angle: roll of the face, radians; 0 gives the box that annotations use.
        scale: side of the region over the long side of the box.

    Returns:
        The region, turned by `angle`.
    """
    cos, sin = math.cos(angle), math.sin(angle)
    axes = np.array([[cos, sin], [-sin, cos]])  # rows: the face's own x and y axes
    turned = np.asarray(points, dtype=np.float64) @ axes.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    centre = axes.T @ ((low + high) / 2)
    side = max(float((high - low).max()), 1.0)
    return Region(float(centre[0]), float(centre[1]), scale * side, angle)


def crop_matrix(region: Region, size: int) -> NDArray[np.float64]:
    """Affine matrix [2, 3] from image pixels to pixels of a crop of `size` x `size`."""
    scale = size / region.size
    cos, sin = scale * math.cos(region.angle), scale * math.sin(region.angle)
    linear = np.array([[cos, sin], [-sin, cos]])
    offset = (size - 1) / 2 - linear @ np.array([region.x, region.y])
    return np.column_stack([linear, offset])


def crop_image(image: NDArray[np.uint8], region: Region, size: int) -> NDArray[np.uint8]:
    """Cut a region out of an image.

    Outside the image the border pixels are repeated. Regions over twice the crop's side are first
    averaged down, by halves: bilinear sampling alone would alias.

    Args:
        image: [H, W, C], uint8.
        region: where the face is, in pixels of `image`.
        size: side of the crop in pixels.

    Returns:
        [size, size, C], uint8.
    """
    return warp_image(image, crop_matrix(region, size), size)


def warp_image(
    image: NDArray[np.uint8], matrix: NDArray[np.float64], size: int
) -> NDArray[np.uint8]:
    """Cut the crop that an image-to-crop matrix describes; see `crop_image`.

    Args:
        image: [H, W, C], uint8.
        matrix: [2, 3], image pixels to crop pixels; may mirror (training does).
        size: side of the crop in pixels.

    Returns:
        [size, size, C], uint8.
    """
    a, b, c, d = (float(value) for value in matrix[:, :2].ravel())
    shrinking = abs(a * d - b * c) ** -0.5
    halvings = max(int(math.log2(shrinking)), 0)
    if halvings or max(image.shape[:2]) > LONGEST:
        image, matrix = _shrink(image, matrix, size, halvings)
    # Where every pixel of the crop lies in the image.
    inverse = _inverse(matrix[:, :2])
    along, down = np.arange(size) * inverse[:, 0, None], np.arange(size) * inverse[:, 1, None]
    first = along - (inverse @ matrix[:, 2])[:, None]
    places = first.astype(np.float32)[:, None] + down.astype(np.float32)[..., None]
    crop = np.empty((size, size, *image.shape[2:]), dtype=np.uint8)
    # Rows behind each other, as one: OpenCV shares rows out (`_STRIPE`), and so does `warpAffine`.
    rows = LONGEST // size
    for top in range(0, size, rows):
        x, y = places[:, top : top + rows].reshape(2, 1, -1)
        row = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        crop[top : top + rows] = row.reshape(-1, *crop.shape[1:])
    return crop


def _shrink(
    image: NDArray[np.uint8], matrix: NDArray[np.float64], size: int, halvings: int
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Halve the part of the image under the crop some times, and the matrix with it.

    Halves, not whole factors: OpenCV averages blocks of 2 x 2 in vectors and others one by one,
    which takes four times as long.
    """
    factor = 2**halvings
    corners = np.array([[0, 0], [size, 0], [0, size], [size, size]], dtype=np.float64) - 0.5
    under = from_crop(corners, matrix)
    height, width = image.shape[:2]
    # One block of margin keeps the bilinear taps at the crop's edge inside the part.
    low = np.floor(under.min(axis=0)).astype(int) - factor
    high = np.ceil(under.max(axis=0)).astype(int) + factor
    x0, x1 = _blocks(int(low[0]), int(high[0]), width, factor)
    y0, y1 = _blocks(int(low[1]), int(high[1]), height, factor)
    part = image[y0:y1, x0:x1]
    right, bottom = -part.shape[1] % factor, -part.shape[0] % factor
    if right or bottom:  # only at the image's border
        padded = cv2.copyMakeBorder(part, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
        part = np.asarray(padded, dtype=np.uint8)
    for _ in range(halvings):
        part = _halved(part)
    # old = factor * new + (factor - 1) / 2 + (x0, y0), in pixel centres
    to_old = np.array([[factor, 0, x0 + (factor - 1) / 2], [0, factor, y0 + (factor - 1) / 2]])
    return part, matrix @ np.vstack([to_old, [0, 0, 1]])


def _halved(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Means of blocks of 2 x 2, in stripes that OpenCV does not share out."""
    height, width = image.shape[0] // 2, image.shape[1] // 2
    half = np.empty((height, width, *image.shape[2:]), dtype=np.uint8)
    rows = max(_STRIPE // width, 1)
    for top in range(0, height, rows):
        stripe = half[top : top + rows]
        under = image[2 * top : 2 * (top + len(stripe))]
        cv2.resize(under, (width, len(stripe)), dst=stripe, interpolation=cv2.INTER_AREA)
    return half


def _blocks(low: int, high: int, side: int, factor: int) -> tuple[int, int]:
    """What lies between two places on an axis of `side` pixels, in whole blocks where it can.

    Every new pixel is the mean of whole blocks of `factor` old ones.
    """
    first = min(max(low, 0), side - 1)
    last = min(max(high, first + 1), side)
    last = min(last + -(last - first) % factor, side)
    return max(first - -(last - first) % factor, 0), last


def to_crop(points: NDArray[np.floating], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map image points [..., 2] to crop pixels by a matrix of `crop_matrix`."""
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2], dtype=np.float64)


def from_crop(points: NDArray[np.floating], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map crop points [..., 2] back to image pixels by a matrix of `crop_matrix`."""
    return np.asarray((points - matrix[:, 2]) @ _inverse(matrix[:, :2]).T, dtype=np.float64)


def _inverse(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of a matrix [2, 2], written out: NumPy's takes longer than all the rest."""
    a, b, c, d = (float(value) for value in linear.ravel())
    return np.array([[d, -b], [-c, a]]) / (a * d - b * c)
