"""98 to 68 points: what must hold for any face, and the fit on faces with both labels."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from typer.testing import CliRunner

from model.errors import InputError
from model.shipped_markups import IBUG, WFLW, WFLW_TO_IBUG
from train.data.pts_file import write_pts
from train.data.sample import Sample, tight_box
from train.data.wflw import read_wflw
from train.evaluation.markup_conversion import (
    EYE_98,
    LID_WEIGHTS,
    LIDS_68,
    conversion_matrix,
    to_markup,
)
from train.fits.fit_lids import app, fit_lids, held_out_error, read_pairs

FITTED = sorted({*LIDS_68, *IBUG.flip[list(LIDS_68)]})
FACES = arrays(np.float64, (98, 2), elements=st.floats(0, 2000))


def convert(points: np.ndarray) -> np.ndarray:
    return to_markup(points, "wflw98", "ibug68")


@given(points=FACES)
def test_shared_points_pass_through(points: np.ndarray) -> None:
    converted = convert(points)
    assert converted.shape == (68, 2)
    for wflw, ibug in WFLW_TO_IBUG:
        np.testing.assert_array_equal(converted[ibug], points[wflw])
    assert sorted({*range(68)} - {ibug for _, ibug in WFLW_TO_IBUG}) == FITTED


@given(
    points=FACES,
    linear=arrays(np.float64, (2, 2), elements=st.floats(-3, 3)),
    shift=arrays(np.float64, 2, elements=st.floats(-5000, 5000)),
)
def test_it_moves_with_the_face(points: np.ndarray, linear: np.ndarray, shift: np.ndarray) -> None:
    moved = convert(points @ linear.T + shift)
    np.testing.assert_allclose(moved, convert(points) @ linear.T + shift, atol=1e-7)


@given(points=FACES)
def test_it_commutes_with_mirroring(points: np.ndarray) -> None:
    mirror = np.array([-1.0, 1.0])
    np.testing.assert_allclose(
        convert(points[WFLW.flip] * mirror), convert(points)[IBUG.flip] * mirror, atol=1e-9
    )


def test_batches_and_missing_faces() -> None:
    points = np.random.default_rng(0).uniform(0, 100, (2, 3, 98, 2))
    points[1, 1] = np.nan
    converted = convert(points)
    assert converted.shape == (2, 3, 68, 2)
    assert np.isnan(converted[1, 1]).all()
    np.testing.assert_allclose(converted[1, 2], convert(points[1, 2]))
    np.testing.assert_array_equal(to_markup(points[0], "wflw98", "wflw98"), points[0])


@pytest.mark.parametrize(("source", "target"), [("ibug68", "wflw98"), ("wflw98", "cofw29")])
def test_other_conversions_are_refused(source: str, target: str) -> None:
    points = np.zeros((68 if source == "ibug68" else 98, 2))
    with pytest.raises(InputError, match="cannot be judged on labels of"):
        to_markup(points, source, target)


def test_lids_of_a_drawn_eye_lie_on_its_lids() -> None:
    """On an ellipse each fitted point is near a third of its lid, above or below the eye's axis."""
    points = np.random.default_rng(0).uniform(0, 200, (98, 2))
    angles = np.deg2rad([180, 225, 270, 315, 0, 45, 90, 135])  # y down: 270 degrees is the top
    points[list(EYE_98)] = np.stack([50 + 20 * np.cos(angles), 80 + 8 * np.sin(angles)], axis=1)
    for lid, angle in zip(LIDS_68, np.deg2rad([240, 300, 60, 120]), strict=True):
        expected = (50 + 20 * np.cos(angle), 80 + 8 * np.sin(angle))
        np.testing.assert_allclose(convert(points)[lid], expected, atol=2.0)


def test_the_fit_finds_known_weights() -> None:
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(4, 8))
    weights /= weights.sum(axis=1, keepdims=True)
    points98 = rng.uniform(0, 100, (60, 98, 2))
    points68 = conversion_matrix(weights) @ points98
    np.testing.assert_allclose(fit_lids(points98, points68, noise=0), weights, atol=1e-9)
    assert held_out_error(points98, points68).max() < 0.1  # the expected noise costs a little


def test_the_noise_term_is_the_mean_over_noisy_inputs() -> None:
    """Least squares on many noisy copies of the inputs must give the same weights."""
    rng = np.random.default_rng(0)
    points98 = rng.uniform(0, 100, (30, 98, 2))
    points68 = rng.uniform(0, 100, (30, 68, 2))
    for wflw, ibug in WFLW_TO_IBUG:
        points68[:, ibug] = points98[:, wflw]
    noise = 0.3
    scale = IBUG.normalizer(points68)[:, None, None]
    copies = 3000
    noisy = np.concatenate(
        [points98 + noise * scale * rng.normal(size=points98.shape) for _ in range(copies)]
    )
    plain = fit_lids(noisy, np.tile(points68, (copies, 1, 1)), noise=0)
    np.testing.assert_allclose(fit_lids(points98, points68, noise=noise), plain, atol=0.01)


def sample_with_pts(root: Path, shift: float = 0.0) -> Sample:
    points = np.random.default_rng(0).uniform(10, 90, (98, 2)).round(6)
    write_pts(root / "a.pts", convert(points) + shift, one_based=False)
    return Sample(root / "a.jpg", points, tight_box(points), "300w/afw")


def test_pairs_must_agree_on_the_shared_points(tmp_path: Path) -> None:
    points98, points68 = read_pairs([sample_with_pts(tmp_path)])
    np.testing.assert_allclose(convert(points98), points68, atol=1e-6)
    with pytest.raises(InputError, match=r"up to 1\.00 pixels away.*0-based"):
        read_pairs([sample_with_pts(tmp_path, shift=1)])
    (tmp_path / "a.pts").unlink()
    sample = Sample(tmp_path / "a.jpg", points98[0], tight_box(points98[0]), "ytf")
    with pytest.raises(InputError, match="no face of the list"):
        read_pairs([sample])


def test_the_table_is_what_the_command_fits(data_root: Path) -> None:
    result = CliRunner().invoke(app, ["--data", str(data_root / "faces")])
    assert result.exit_code == 0, result.output
    rows = re.findall(r"^    \((.*)\),$", result.output, flags=re.MULTILINE)
    np.testing.assert_allclose([[float(x) for x in row.split(",")] for row in rows], LID_WEIGHTS)
    errors = [float(x) for x in re.findall(r"mirror image: ([\d.]+)", result.output)]
    assert len(errors) == 4
    assert max(errors) < 1.0


def test_dev_faces_that_took_no_part_in_the_fit(data_root: Path) -> None:
    points98, points68 = read_pairs(read_wflw(data_root / "faces", "test"))
    assert len(points98) == 200
    error = np.linalg.norm(convert(points98) - points68, axis=-1)[:, FITTED].mean(axis=1)
    assert (error / IBUG.normalizer(points68)).mean() < 0.01
