from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.portrait_scene import EYES
from tracker.assets.portrait import portrait_image
from train.data.sample import Sample
from train.evaluation.scenes import background, put_face

# Of the portrait, around the face; only the eyes matter here.
POINTS = np.array([[170.0, 60], [280, 60], [280, 190], [170, 190], *EYES])


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    path = tmp_path / "portrait.png"
    cv2.imwrite(str(path), portrait_image()[..., ::-1])
    return Sample(path, POINTS, np.array([170.0, 60, 280, 190]), "test")


def test_a_background_fills_its_picture(sample: Sample) -> None:
    rng = np.random.default_rng(0)
    picture = background([sample], 330, 170, rng)
    assert picture.shape == (170, 330, 3)
    # Corners of the portrait and nothing else.
    side = int(0.15 * 512)
    corners = np.concatenate([portrait_image()[:side, :side], portrait_image()[:side, -side:]])
    assert picture.min() >= corners.min()
    assert picture.max() <= corners.max()


@pytest.mark.parametrize("degrees", [0, 90, 180, 30])
@pytest.mark.parametrize("size", [30, 130, 400])
def test_a_face_lies_where_its_points_say(sample: Sample, size: int, degrees: int) -> None:
    picture = np.zeros((480, 640, 3), dtype=np.uint8)
    points = put_face(picture, sample, size, degrees, np.random.default_rng(size + degrees))
    low, high = POINTS.min(axis=0), POINTS.max(axis=0)
    scale = size / (high - low).max()
    # Distances grow by the scale, the eye line turns by the degrees.
    before, after = EYES[1] - EYES[0], points[5] - points[4]
    assert np.linalg.norm(after) == pytest.approx(scale * np.linalg.norm(before))
    turn = np.rad2deg(np.arctan2(after[1], after[0]) - np.arctan2(before[1], before[0]))
    assert (turn - degrees + 180) % 360 - 180 == pytest.approx(0, abs=1e-6)
    # The middle of the face is in the picture, and its colours are the face's.
    middle = points[:4].mean(axis=0)
    assert (middle >= 0).all()
    assert (middle < [640, 480]).all()
    x, y = np.rint(points[4:].mean(axis=0)).astype(int)  # between the eyes
    nose = np.rint(EYES.mean(axis=0)).astype(int)
    seen = picture[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3].reshape(-1, 3).mean(axis=0)
    true = portrait_image()[nose[1] - 4 : nose[1] + 5, nose[0] - 4 : nose[0] + 5]
    assert np.abs(seen - true.reshape(-1, 3).mean(axis=0)).max() < 30


def test_far_from_the_face_nothing_changes(sample: Sample) -> None:
    picture = np.full((480, 640, 3), 7, dtype=np.uint8)
    points = put_face(picture, sample, 60, 0, np.random.default_rng(2))
    rows, columns = np.indices(picture.shape[:2])
    x, y = points[:4].mean(axis=0)
    assert (picture[np.hypot(columns - x, rows - y) > 70] == 7).all()
