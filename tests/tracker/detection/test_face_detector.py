import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from model.errors import InputError
from tracker.assets.portrait import portrait_image
from tracker.detection.face_detector import (
    _FITS,
    Detection,
    FaceDetector,
    _detection,
    region_from_detection,
)

# Read off the portrait: pupils and the middle of the mouth, pixels.
EYES, MOUTH = np.array([[202.0, 101.0], [245.5, 103.0]]), np.array([223.0, 145.0])


def picture(face: float, width: int = 640, height: int = 480, degrees: float = 0.0) -> tuple:
    """The portrait with a face of about `face` pixels in the middle, and its matrix."""
    scale = face / 105
    matrix = cv2.getRotationMatrix2D((224.0, 125.0), degrees, scale)
    matrix[:, 2] += [width / 2 - 224, height / 2 - 125]
    image = cv2.warpAffine(
        portrait_image(), matrix, (width, height), flags=cv2.INTER_AREA,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    return image, matrix


@pytest.fixture(scope="module")
def detectors():
    made = {name: FaceDetector(name) for name in ("auto", "full", "short")}
    yield made
    for detector in made.values():
        detector.close()


@pytest.mark.parametrize("model", ["auto", "full", "short"])
def test_the_face_of_the_portrait_is_found_where_it_is(detectors: dict, model: str) -> None:
    image, matrix = picture(150)
    found = detectors[model](image)
    assert len(found) == 1
    (detection,) = found
    assert 0.5 < detection.score <= 1
    true = EYES @ matrix[:, :2].T + matrix[:, 2]
    np.testing.assert_allclose(detection.keypoints[:2], true, atol=9)
    mouth = matrix[:, :2] @ MOUTH + matrix[:, 2]
    np.testing.assert_allclose(detection.keypoints[3], mouth, atol=9)
    x0, y0, x1, y1 = detection.box
    assert x0 < true[0, 0] < true[1, 0] < x1
    assert y0 < true[0, 1] < mouth[1] < y1


def test_coordinates_count_from_pixel_centres() -> None:
    """MediaPipe's 0 is the picture's corner, which is at -0.5; its 1 at width - 0.5."""
    item = SimpleNamespace(
        bounding_box=SimpleNamespace(origin_x=10, origin_y=20, width=100, height=120),
        keypoints=[SimpleNamespace(x=x, y=y) for x, y in ((0, 0), (1, 1), (0.5, 0.25))],
        categories=[SimpleNamespace(score=0.75)],
    )
    detection = _detection(item, 640, 480, "short")
    np.testing.assert_array_equal(detection.box, [9.5, 19.5, 109.5, 139.5])
    expected = [[-0.5, -0.5], [639.5, 479.5], [319.5, 119.5]]
    np.testing.assert_array_equal(detection.keypoints, expected)
    assert (detection.score, detection.model) == (0.75, "short")


def test_small_faces_need_the_full_range(detectors: dict) -> None:
    image, _ = picture(48)
    for model in ("full", "auto"):
        (detection,) = detectors[model](image)
        np.testing.assert_allclose(detection.keypoints.mean(axis=0), [320, 240], atol=12)
    assert detectors["short"](image) == []


def test_a_face_that_fills_the_picture_is_found_by_the_second_look(detectors: dict) -> None:
    for face in range(460, 760, 20):
        image, _ = picture(face)
        if detectors["short"](image) and not detectors["full"](image):
            (detection,) = detectors["auto"](image)
            assert detection.model == "short"
            return
    pytest.fail("no size at which only the short-range network sees the face")


def test_nothing_in_nothing(detectors: dict) -> None:
    for detector in detectors.values():
        assert detector(np.zeros((480, 640, 3), dtype=np.uint8)) == []
        assert detector(np.full((1, 1, 3), 99, dtype=np.uint8)) == []


def test_pictures_need_not_be_contiguous(detectors: dict) -> None:
    image, _ = picture(150)
    padded = np.zeros((480, 700, 3), dtype=np.uint8)
    padded[:, 30:670] = image
    (whole,) = detectors["full"](image)
    (view,) = detectors["full"](padded[:, 30:670])
    np.testing.assert_array_equal(whole.box, view.box)


@pytest.mark.parametrize("model", ["full", "short"])
def test_the_region_turns_moves_and_grows_with_the_detection(model: str) -> None:
    box = np.array([100.0, 120.0, 200.0, 220.0])
    # The ears are off the middle, as on a turned head.
    points = np.array([[130.0, 150], [170, 150], [150, 175], [150, 190], [112, 160], [192, 160]])
    upright = region_from_detection(Detection(box, points, 0.9, model))
    assert upright.angle == 0
    assert 150 < upright.x < 152
    assert 170 < upright.y < 190
    assert 120 < upright.size < 140
    angle = 0.6
    turn = 1.5 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = turn @ [150, 170]
    turned = region_from_detection(
        Detection(np.array([*(middle - 75), *(middle + 75)]), points @ turn.T, 0.9, model)
    )
    np.testing.assert_allclose([turned.x, turned.y], turn @ [upright.x, upright.y], atol=1e-9)
    assert turned.size == pytest.approx(1.5 * upright.size)
    assert turned.angle == pytest.approx(angle)


@pytest.mark.parametrize("model", ["full", "short"])
def test_regions_match_the_labels_on_average(detectors: dict, model: str, data_root: Path) -> None:
    """The detector's constants on held-out faces, in bounds of their scatter."""
    from model.crop import region_from_landmarks
    from model.markup import WFLW
    from train.data.wflw import read_wflw
    from train.fits.fit_detector import nearest, paste

    rng = np.random.default_rng(5)
    rows = []
    for sample in read_wflw(data_root / "faces", "test")[:100]:
        image, points = paste(sample.load(), sample.points, rng)
        detection = nearest(detectors[model](image), points)
        if detection is None:
            continue
        region = region_from_detection(detection)
        true = region_from_landmarks(points, WFLW.roll(points))
        rows.append(
            [
                (region.x - true.x) / true.size,
                (region.y - true.y) / true.size,
                np.log(region.size / true.size),
                region.angle - true.angle,
            ]
        )
    errors = np.array(rows)
    assert len(errors) > 50
    assert np.abs(np.median(errors, axis=0)).max() < 0.05
    assert (errors.std(axis=0) < [0.06, 0.06, 0.16, 0.25]).all()


def test_bad_model() -> None:
    with pytest.raises(InputError, match="auto, short, full"):
        FaceDetector("retina")  # type: ignore[arg-type]


def test_nothing_is_logged_even_if_it_is_never_closed() -> None:
    code = (
        "import numpy as np; from tracker.detection.face_detector import FaceDetector;"
        "d = FaceDetector(); d(np.zeros((90, 120, 3), np.uint8));"
        "FaceDetector('short').close();"
        "import sys; print('python stderr', file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout == ""
    assert result.stderr == "python stderr\n"


def test_the_fit_is_reproduced_by_its_command(data_root: Path) -> None:
    from typer.testing import CliRunner

    from train.fits.fit_detector import app

    result = CliRunner().invoke(app, ["--data", str(data_root / "faces"), "--count", "120"])
    assert result.exit_code == 0, result.output
    rows = [line.replace("│", " ").split() for line in result.output.splitlines()]
    fitted = {
        row[0]: [float(value) for value in row[2:5]] for row in rows if row[:1] and row[0] in _FITS
    }
    assert set(fitted) == set(_FITS)
    for model, fit in _FITS.items():
        expected = (fit.across, fit.down, fit.scale)
        # 120 faces instead of 3000: within three standard errors.
        error = np.abs(np.subtract(fitted[model], expected))
        assert (error < [0.35, 0.05, 0.1]).all(), (fitted[model], expected)
