"""Painted faces whose pixels say where they are, and a network and a detector that read them.

A painted face is a square whose red and green are its own coordinates and whose blue is its number.
The engine recovers the face's position from the pixels of its crop alone, so whatever the tracker
does wrong with regions, crops or matrices shows up as wrong landmarks.
"""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from model.crop import Region, region_from_landmarks
from model.heatmap import crop_to_heatmap, encode_landmarks
from model.shipped_markups import WFLW
from tracker.engines.base import ModelInfo

SIZE = 256
LEVELS = (90, 140, 190, 240)  # blue of face 0, 1, 2, 3
VISIBLE = 0.5  # share of a crop that a face must fill to be seen; a centred one fills 0.85
_LOW, _SPAN = -0.1, 1.2  # face coordinates of colour 0, and covered by 255


def template() -> NDArray[np.float64]:
    """98 points in the unit square with level eyes at the WFLW indices."""
    rng = np.random.default_rng(7)
    points = rng.uniform(0.1, 0.9, (98, 2))
    points[60], points[72] = (0.2, 0.4), (0.8, 0.4)
    points[0], points[16], points[32] = (0.0, 0.35), (0.5, 1.0), (1.0, 0.35)
    points[35], points[44] = (0.3, 0.0), (0.7, 0.0)
    return points


TEMPLATE = template()


def pose(x: float, y: float, size: float, degrees: float = 0.0) -> NDArray[np.float64]:
    """[2, 3] from face coordinates to image pixels, for a face centred on x, y."""
    angle = np.deg2rad(degrees)
    turn = size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([turn, np.array([x, y]) - turn @ [0.5, 0.5]])


def landmarks(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """True landmarks of a face."""
    return TEMPLATE @ matrix[:, :2].T + matrix[:, 2]


def paint(
    poses: Sequence[NDArray[np.float64] | None], width: int = 640, height: int = 480
) -> NDArray[np.uint8]:
    """Picture with face i at poses[i]; None leaves it out; later faces cover earlier ones."""
    image = np.full((height, width, 3), 20, dtype=np.uint8)
    y, x = np.mgrid[:height, :width]
    for matrix, level in zip(poses, LEVELS, strict=False):
        if matrix is None:
            continue
        inverse = np.linalg.inv(matrix[:, :2])
        u, v = np.moveaxis((np.stack([x, y], axis=-1) - matrix[:, 2]) @ inverse.T, -1, 0)
        inside = (abs(u - 0.5) < 0.6) & (abs(v - 0.5) < 0.6)
        colours = np.stack([(u - _LOW) / _SPAN * 255, (v - _LOW) / _SPAN * 255, 0 * u + level], -1)
        image[inside] = np.rint(np.clip(colours, 0, 255))[inside].astype(np.uint8)
    return image


def read(image: NDArray[np.uint8]) -> dict[int, tuple[NDArray[np.float64], int]]:
    """Faces in a picture or crop: number -> (landmarks in its pixels, pixels seen)."""
    found = {}
    for number, level in enumerate(LEVELS):
        mask = (abs(image[..., 2].astype(int) - level) < 4).astype(np.uint8)
        # Interpolated colours at the rim are of no face.
        mask = cv2.erode(mask, np.ones((5, 5), np.uint8), borderValue=0)
        rows, columns = np.nonzero(mask)
        count = len(rows)
        if count < 100:
            continue
        some = np.linspace(0, count - 1, min(count, 3000)).astype(int)
        rows, columns = rows[some], columns[some]
        own = image[rows, columns, :2] / 255 * _SPAN + _LOW
        design = np.column_stack([own, np.ones(len(own))])
        if np.linalg.matrix_rank(design) < 3:
            continue
        fit = np.linalg.lstsq(design, np.column_stack([columns, rows]), rcond=None)[0]
        points = np.column_stack([TEMPLATE, np.ones(98)]) @ fit
        # A network sees a face in the mirror, not a mirrored one.
        mirrored = np.linalg.det(fit[:2]) < 0
        found[number] = points[WFLW.flip] if mirrored else points, count
    return found


class SceneEngine:
    """Engine that shows the landmarks of the face that fills most of the crop."""

    def __init__(self) -> None:
        self.info = ModelInfo("scene", WFLW, SIZE, "0" * 64)
        self.description = "painted faces"
        self.amplitude = 1.0
        self.batches: list[int] = []
        self.closed = False

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.batches.append(len(crops))
        assert crops.shape[1:] == (SIZE, SIZE, 3)
        maps = np.zeros((len(crops), 98, SIZE // 4, SIZE // 4), dtype=np.float32)
        for target, crop in zip(maps, crops, strict=True):
            faces = read(crop).values()
            points, count = max(faces, key=lambda face: face[1], default=(TEMPLATE, 0))
            if count > VISIBLE * SIZE**2:
                target[:] = self.amplitude * encode_landmarks(crop_to_heatmap(points), SIZE // 4)
        return maps

    def close(self) -> None:
        self.closed = True


class SceneDetector:
    """Detector that finds every painted face, 5 % off and 10 % too large, as real ones are."""

    def __init__(self) -> None:
        self.calls = 0
        self.extra: list[Region] = []
        self.blind = False

    def looks(self, image: NDArray[np.uint8], *, thorough: bool) -> Iterator[list[Region]]:
        del thorough  # one look sees everything
        yield self.found(image)

    def found(self, image: NDArray[np.uint8]) -> list[Region]:
        self.calls += 1
        if self.blind:
            return []
        found = []
        for points, _ in read(image).values():
            eyes = points[72] - points[60]
            true = region_from_landmarks(points, float(np.arctan2(eyes[1], eyes[0])))
            found.append(
                Region(
                    true.x + 0.05 * true.size,
                    true.y - 0.03 * true.size,
                    1.1 * true.size,
                    true.angle + 0.1,
                )
            )
        return found + self.extra

    def near(self, image: NDArray[np.uint8], region: Region) -> list[Region]:
        del image, region  # nobody stands on the head
        return []

    def close(self) -> None:
        pass
