"""Detectors of one's own: every layout of boxes, and what is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model.errors import InputError
from tests.support.box_onnx import LAYOUTS, box_onnx
from tests.support.tiny_onnx import tiny_onnx
from tracker.detection.box_detector import BoxDetector
from tracker.detection.finder import BoxFinder, GivenBoxes, WholeFrame, open_finder
from tracker.detection.given_box import parse_box
from tracker.tracking.options import TrackerOptions


def scene(width: int, height: int, box: tuple[int, int, int, int]) -> np.ndarray:
    """Dark, with a bright box: x0, y0, x1, y1, the last pixels included."""
    image = np.full((height, width, 3), 40, dtype=np.uint8)
    x0, y0, x1, y1 = box
    image[y0 : y1 + 1, x0 : x1 + 1] = 250
    return image


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("width", "height"), [(256, 128), (128, 256), (64, 64), (32, 32)])
def test_the_box_is_in_pixels_of_the_picture(
    layout: str, width: int, height: int, tmp_path: Path
) -> None:
    # Borders between pixels of the input, whichever way the picture is scaled.
    box = (width // 4, height // 2, width // 2 - 1, height * 3 // 4 - 1)
    detector = BoxDetector(box_onnx(tmp_path / "boxes.onnx", layout))
    ((found, score),) = detector(scene(width, height, box))
    assert score == pytest.approx(0.9)
    # Pixels are counted from their centres: the border of the first is half a pixel before it.
    expected = np.add(box, (-0.5, -0.5, 0.5, 0.5))
    step = max(width, height) / 64
    np.testing.assert_allclose(found, expected, atol=0.51 * max(step, 1.0))
    assert not BoxDetector(box_onnx(tmp_path / "b.onnx", layout), min_score=0.95)(
        scene(width, height, box)
    )


def test_what_is_no_detector(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.onnx cannot be read: No such file"):
        BoxDetector(tmp_path / "none.onnx")
    with pytest.raises(InputError, match=r"tiny\.onnx is no detector .* list of boxes"):
        BoxDetector(tiny_onnx(tmp_path / "tiny.onnx"))
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(InputError, match=r"cannot load .*text\.onnx"):
        BoxDetector(tmp_path / "text.onnx")


def test_which_finder_is_meant(tmp_path: Path) -> None:
    path = box_onnx(tmp_path / "boxes.onnx", "yolo8")
    image = scene(256, 128, (64, 64, 127, 95))
    finder = open_finder(str(path), (), 0.5, None)
    assert isinstance(finder, BoxFinder)
    ((region,),) = finder.looks(image)
    assert (region.x, region.y, region.size) == pytest.approx((95.5, 79.5, 1.3 * 64), abs=2)
    assert not finder.near(image, region)
    finder.close()
    given = open_finder("auto", [(10.0, 20.0, 31.0, 11.0)], 0.5, None)
    assert isinstance(given, GivenBoxes)
    ((region,),) = given.looks(image)
    assert (region.x, region.y, region.size) == pytest.approx((25, 25, 1.3 * 30))
    whole = open_finder("frame", (), 0.5, None)
    assert isinstance(whole, WholeFrame)
    ((region,),) = whole.looks(image)
    assert (region.x, region.y, region.size) == (127.5, 63.5, 256)


def test_words_of_boxes_and_detectors() -> None:
    assert parse_box("1, 2,30.5,4e1") == (1.0, 2.0, 30.5, 40.0)
    for text in ("", "1,2,3", "1,2,3,0", "1,2,nan,4", "a,b,c,d", "1,2,3,4,5"):
        with pytest.raises(InputError, match=r"--box .*X,Y,WIDTH,HEIGHT"):
            parse_box(text)
    with pytest.raises(InputError, match=r"or an \.onnx file"):
        TrackerOptions(detector="yolo")
    with pytest.raises(InputError, match="boxes must not be more than max_faces"):
        TrackerOptions(boxes=((0, 0, 5, 5), (9, 9, 5, 5)))
