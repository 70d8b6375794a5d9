from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from model.crop import region_from_landmarks
from model.shipped_markups import WFLW
from tracker.detection.blazeface import BlazeFace
from tracker.detection.detection import Detection, DetectorModel
from tracker.detection.detection_region import FITS, region_from_detection

MODELS: tuple[DetectorModel, ...] = ("full", "short")


@pytest.mark.parametrize("model", MODELS)
def test_the_region_turns_moves_and_grows_with_the_detection(model: DetectorModel) -> None:
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


@pytest.mark.parametrize("model", MODELS)
def test_regions_match_the_labels_on_average(model: DetectorModel, data_root: Path) -> None:
    """The detector's constants on held-out faces, in bounds of their scatter."""
    from train.data.wflw import read_wflw
    from train.fits.fit_detector import nearest, paste

    detector = BlazeFace(model)
    rng = np.random.default_rng(5)
    rows = []
    for sample in read_wflw(data_root / "faces", "test")[:100]:
        image, points = paste(sample.load(), sample.points, rng)
        detection = nearest(detector(image), points)
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


def test_the_fit_is_reproduced_by_its_command(data_root: Path) -> None:
    from train.fits.fit_detector import app

    result = CliRunner().invoke(app, ["--data", str(data_root / "faces"), "--count", "120"])
    assert result.exit_code == 0, result.output
    rows = [line.replace("│", " ").split() for line in result.output.splitlines()]
    fitted = {
        row[0]: [float(value) for value in row[2:5]] for row in rows if row[:1] and row[0] in FITS
    }
    assert set(fitted) == set(FITS)
    for model, fit in FITS.items():
        expected = (fit.across, fit.down, fit.scale)
        # 120 faces instead of 3000: within three standard errors.
        error = np.abs(np.subtract(fitted[model], expected))
        assert (error < [0.35, 0.05, 0.1]).all(), (fitted[model], expected)
