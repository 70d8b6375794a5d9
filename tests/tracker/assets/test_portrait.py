from __future__ import annotations

import numpy as np
import pytest

from tracker.assets.portrait import PORTRAIT_REGION, portrait_crops, portrait_image
from tracker.detection.detection_region import region_from_detection
from tracker.detection.face_detector import FaceDetector


def test_the_region_is_where_the_detector_sees_the_face() -> None:
    detector = FaceDetector("full")
    (found,) = detector(portrait_image())
    detector.close()
    seen = region_from_detection(found)
    # It was written down when boxes were in whole pixels.
    for name in ("x", "y", "size"):
        assert getattr(seen, name) == pytest.approx(getattr(PORTRAIT_REGION, name), abs=1)
    assert seen.angle == pytest.approx(PORTRAIT_REGION.angle, abs=0.01)


def test_crops_are_different_views_of_one_face() -> None:
    crops = portrait_crops(32)
    assert crops.shape == (24, 32, 32, 3)
    assert crops.dtype == np.uint8
    assert len({crop.tobytes() for crop in crops}) == 24
    np.testing.assert_array_equal(crops, portrait_crops(32))
