"""Faces made hard in one way at a time: what changes, by how much, and where points come from.

The coded pictures are those of test_evaluate: red is x, green is y. A crop of one says by itself
which pixel of the picture each of its pixels shows, whatever was done in between.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from typer.testing import CliRunner

from model.confidence import Calibration
from model.crop import CROP_SCALE, Region, region_from_box, to_crop
from model.errors import InputError, run_command
from model.network.propnet import PropNet
from model.shipped_markups import MARKUPS, WFLW
from model.weights import Metadata, save_network
from tests.support.face_files import TINY, read_faces, write_faces
from tests.support.measured_faces import face as generic_face
from tests.support.oracle_engine import Oracle, make_samples
from tracker.engines.torch import open_torch_engine
from tracker.measures.generic_face import face_model
from train import robustness
from train.data.label_groups import face_regions, opening_groups, region_errors, yaw, yaw_groups
from train.data.sample import Sample
from train.evaluation.landmark_errors import evaluate
from train.robustness_probe import changed_face
from train.robustness_probe.changed_face import ChangedFace, Shot, clean_shot
from train.robustness_probe.conditions import (
    CONDITIONS,
    Condition,
    compressed,
    covered,
    defocused,
    low_light,
    moving,
    rolled,
    scaled,
    shifted,
    small,
    turned,
)
from train.robustness_probe.probe import _error as probe_error
from train.robustness_probe.probe import probe
from train.robustness_probe.robustness_report import report, to_table

SIZE = 128
# Of the coded faces, pixels; a crop turned by 45 degrees stays in the pictures of 256.
SIDE = 80.0


def inside(count: int, seed: int = 0) -> NDArray[np.float64]:
    """[count, 98, 2] faces of exactly SIDE pixels near the middle of a picture of 256."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-0.4, 0.4, (count, 98, 2))
    points[:, 0], points[:, 1] = -0.5, 0.5
    points[:, 60], points[:, 72], points[:, 96], points[:, 97] = [
        (x, 0) for x in (-0.3, 0.3, -0.2, 0.2)
    ]
    return points * SIDE + rng.uniform(120, 136, (count, 1, 2))


@pytest.fixture
def truth() -> NDArray[np.float64]:
    return inside(4)


@pytest.fixture
def samples(tmp_path: Path, truth: NDArray[np.float64]) -> list[Sample]:
    return make_samples(tmp_path, truth)


@pytest.fixture
def coded(samples: list[Sample]) -> ChangedFace:
    sample = samples[0]
    texture = np.full((SIZE, SIZE, 3), 255, dtype=np.uint8)
    return ChangedFace(
        0, sample.load(), region_from_box(sample.box), sample.points, "wflw98", texture
    )


def picture_face(image: NDArray[np.uint8], side: float = SIDE, number: int = 0) -> ChangedFace:
    """A face in the middle of a picture."""
    y, x = ((length - 1) / 2 for length in image.shape[:2])
    points = np.random.default_rng(1).uniform(-0.5, 0.5, (98, 2)) * side + [x, y]
    texture = np.zeros((SIZE, SIZE, 3), dtype=np.uint8)
    return ChangedFace(number, image, Region(x, y, CROP_SCALE * side), points, "wflw98", texture)


def shown(crop: NDArray[np.uint8]) -> NDArray[np.float64]:
    """[2, 3], crop pixels to pixels of the picture, as the colours of a crop have it."""
    v, u = np.mgrid[:SIZE, :SIZE]
    columns = np.column_stack([u.ravel(), v.ravel(), np.ones(u.size)])
    return np.linalg.lstsq(columns, crop[..., :2].reshape(-1, 2).astype(float), rcond=None)[0].T


@pytest.mark.parametrize(
    ("change", "values"),
    [
        (small, (16, 24, 32, 48, 64, 79.9)),
        (moving, (2.5, 5, 10, 15)),
        (defocused, (1, 2, 4, 6)),
        (rolled, (-60, -45, -15, 15, 30, 90, 180)),
        (shifted, (5, 15, 30)),
        (scaled, (0.7, 0.9, 1.1, 1.4)),
    ],
)
def test_points_come_back_from_where_the_crop_shows_them(
    coded: ChangedFace,
    change: Callable[[ChangedFace, float, int], Shot | None],
    values: tuple[float, ...],
) -> None:
    corners = np.array([[0.0, 0], [127, 0], [0, 127], [127, 127], [50, 70]])
    for value in values:
        made = change(coded, value, SIZE)
        assert made is not None
        assert made.crop.shape == (SIZE, SIZE, 3)
        seen = to_crop(corners, shown(made.crop))
        there = to_crop(seen, made.matrix)
        # Half a pixel of the picture is 0.6 of the crop; a wrong half pixel would show at 16.
        np.testing.assert_allclose(there, corners, atol=0.5, err_msg=f"{value}")


def test_turns_shifts_and_scales_are_those_asked_for(coded: ChangedFace) -> None:
    middle = np.array([(SIZE - 1) / 2, (SIZE - 1) / 2])
    pixel = CROP_SCALE * SIDE / SIZE

    def seen(made: Shot) -> tuple[NDArray[np.float64], float, float]:
        """Where the crop's middle is, the size of its pixels, and its turn in degrees."""
        matrix = shown(made.crop)
        size = float(np.sqrt(np.linalg.det(matrix[:, :2])))
        turn = float(np.rad2deg(np.arctan2(matrix[1, 0], matrix[0, 0])))
        return to_crop(middle, matrix), size, turn

    start, size, turn = seen(clean_shot(coded, SIZE))
    assert (size, turn) == pytest.approx((pixel, 0), abs=0.01)
    for degrees in (-45, 15, 60, 90):
        place, size, turn = seen(rolled(coded, degrees, SIZE))
        assert turn == pytest.approx(degrees, abs=0.3)
        assert size == pytest.approx(pixel, rel=0.01)
        np.testing.assert_allclose(place, start, atol=0.3)
    ways = []
    for percent in (5, 15, 30):
        place, size, turn = seen(shifted(coded, percent, SIZE))
        assert np.linalg.norm(place - start) == pytest.approx(percent / 100 * SIDE, abs=0.3)
        assert (size, turn) == pytest.approx((pixel, 0), abs=0.02)
        ways.append((place - start) / np.linalg.norm(place - start))
    np.testing.assert_allclose(ways[1:], [ways[0]] * 2, atol=0.1)
    other = seen(shifted(replace(coded, number=1), 30, SIZE))[0] - start
    assert not np.allclose(other / np.linalg.norm(other), ways[2], atol=0.1)
    for factor in (0.7, 1.4):
        place, size, turn = seen(scaled(coded, factor, SIZE))
        assert size == pytest.approx(factor * pixel, rel=0.01)
        np.testing.assert_allclose(place, start, atol=0.3)


def test_turned_heads_are_judged_by_where_their_landmarks_went(tmp_path: Path) -> None:
    flat = face_model("wflw98").points[:, :2]
    points = (flat - flat.mean(0)) * SIDE / np.ptp(flat, axis=0).max() + 128
    (sample,) = make_samples(tmp_path, points[None])
    texture = np.zeros((SIZE, SIZE, 3), dtype=np.uint8)
    region = region_from_box(sample.box)
    face = ChangedFace(0, sample.load(), region, sample.points, "wflw98", texture)
    made = turned(face, 20, SIZE)
    assert made is not None and made.moved is not None
    assert yaw(made.moved, "wflw98") == pytest.approx(yaw(points, "wflw98") + 20, abs=6)
    assert np.abs(made.crop.astype(int) - clean_shot(face, SIZE).crop).max() > 5
    # The picture's red is x: where the nose went there is what was there before.
    at = np.rint(to_crop(made.moved[54], made.matrix)).astype(int)
    assert made.crop[at[1], at[0], 0] == pytest.approx(sample.points[54, 0], abs=3)
    # Right is who finds them, in parts of the eyes' distance before the turn.
    away = np.linalg.norm(made.moved - sample.points, axis=1) / WFLW.normalizer(sample.points)
    assert away.mean() > 0.05
    assert probe_error(made.moved, sample, made.moved) == pytest.approx(0, abs=1e-9)
    assert probe_error(sample.points, sample, made.moved) == pytest.approx(away.mean())
    assert turned(face, 80, SIZE) is None


def test_steps_of_no_strength_change_nothing(coded: ChangedFace) -> None:
    clean = clean_shot(coded, SIZE)
    for change, value in ((moving, 0), (rolled, 0), (shifted, 0), (scaled, 1)):
        made = change(coded, value, SIZE)
        np.testing.assert_allclose(made.matrix, clean.matrix, atol=1e-9)
        # OpenCV's sampling positions are rounded to 1/32 pixel, relative to the part that is cut.
        assert np.abs(made.crop.astype(int) - clean.crop).max() <= 1
    assert np.abs(rolled(coded, 15, SIZE).crop.astype(int) - clean.crop).max() > 5


def test_shrinking_gives_the_stated_size_and_never_enlarges(
    coded: ChangedFace, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuts: list[tuple[tuple[int, ...], Region]] = []
    crop_image = changed_face.crop_image

    def spy(image: NDArray[np.uint8], region: Region, size: int) -> NDArray[np.uint8]:
        cuts.append((image.shape, region))
        return crop_image(image, region, size)

    monkeypatch.setattr(changed_face, "crop_image", spy)
    for pixels in (16, 24, 80):
        assert small(coded, pixels, SIZE) is not None
        shape, region = cuts[-1]
        assert region.size / CROP_SCALE == pytest.approx(pixels)
        # What is cut around the face: twice its size.
        assert shape[:2] == pytest.approx((2 * pixels, 2 * pixels), abs=2)
    assert small(coded, 81, SIZE) is None
    assert len(cuts) == 3
    # Shrinking averages: stripes of one pixel leave no trace at a fifth of the size.
    stripes = np.zeros((256, 256, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    made = small(picture_face(stripes), 16, SIZE)
    assert made is not None
    assert np.abs(made.crop.astype(int) - 127).max() < 30


def spread(crop: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean [2] and covariance [2, 2] of the light in a crop, pixels."""
    light = crop[..., 0].astype(float)
    v, u = np.mgrid[:SIZE, :SIZE]
    places = np.stack([u.ravel(), v.ravel()], axis=1).astype(float)
    weights = light.ravel() / light.sum()
    mean = weights @ places
    return mean, (places - mean).T @ ((places - mean) * weights[:, None])


def spot() -> NDArray[np.uint8]:
    """A bright spot of 5 pixels in the middle of a picture; bright enough to survive a blur."""
    image = np.zeros((257, 257, 3), dtype=np.uint8)
    image[126:131, 126:131] = 255
    return image


def test_motion_blur_is_as_long_as_stated_and_keeps_its_direction() -> None:
    face = picture_face(spot(), side=98.0)
    zoom = SIZE / face.region.size
    start, before = spread(clean_shot(face, SIZE).crop)
    lines = []
    for percent in (5, 10, 15):
        mean, after = spread(moving(face, percent, SIZE).crop)
        np.testing.assert_allclose(mean, start, atol=0.1)
        sizes, axes = np.linalg.eigh(after - before)
        # A uniform line of length L has a standard deviation of L / sqrt(12).
        length = np.sqrt(12 * sizes[1]) / zoom
        assert length == pytest.approx(percent / 100 * 98, abs=1.3)
        assert sizes[0] < 0.1 * sizes[1]
        lines.append(axes[:, 1])
    assert abs(lines[0] @ lines[2]) > 0.97
    other = np.linalg.eigh(spread(moving(replace(face, number=1), 15, SIZE).crop)[1])[1][:, 1]
    assert abs(lines[2] @ other) < 0.9


@pytest.mark.parametrize("side", [98.0, 400.0])
def test_defocus_is_as_wide_as_stated(side: float) -> None:
    """Also where the picture is shrunk first."""
    image = np.zeros((1001, 1001, 3), dtype=np.uint8)
    half = round(side / 40)
    image[500 - half : 501 + half, 500 - half : 501 + half] = 255
    face = picture_face(image, side)
    zoom = SIZE / face.region.size
    before = spread(clean_shot(face, SIZE).crop)[1]
    for percent in (2, 4):
        mean, after = spread(defocused(face, percent, SIZE).crop)
        np.testing.assert_allclose(mean, (SIZE - 1) / 2, atol=0.1)
        sigma = np.sqrt(np.diag(after - before)) / zoom
        np.testing.assert_allclose(sigma, percent / 100 * side, rtol=0.1)


def test_low_light_has_the_brightness_and_noise_of_few_photons() -> None:
    image = np.full((200, 200, 3), 128, dtype=np.uint8)
    light = 1 / 16
    linear = (low_light(image, light, np.random.default_rng(0)) / 255.0) ** 2.2
    electrons = (128 / 255) ** 2.2 * 5000 * light
    # The gain is 4 for a sixteenth of the light.
    scale = 4 / 5000
    assert linear.mean() == pytest.approx(electrons * scale, rel=0.02)
    assert linear.std() == pytest.approx(np.sqrt(electrons + 4**2) * scale, rel=0.04)
    darker = low_light(image, light / 16, np.random.default_rng(0))
    assert darker.mean() < 0.7 * (255 * linear ** (1 / 2.2)).mean()


def test_jpeg_of_a_camera() -> None:
    """Lower quality differs more; a large face is compressed at the size that a camera sees."""
    rng = np.random.default_rng(3)
    rough = np.repeat(np.repeat(rng.integers(0, 256, (50, 50, 1)), 8, 0), 8, 1)
    # Grey: colours lose half of their pixels even at the best quality.
    face = picture_face(rough.repeat(3, axis=2).astype(np.uint8), side=180.0)
    plain = small(face, 128, SIZE)
    assert plain is not None
    differences = [
        np.abs(compressed(face, quality, SIZE).crop.astype(int) - plain.crop).mean()
        for quality in (100, 80, 40, 20, 10, 5)
    ]
    assert differences[0] < 3
    assert differences == sorted(differences)
    np.testing.assert_array_equal(compressed(face, 20, SIZE).matrix, plain.matrix)


def test_covers_hide_the_share_of_landmarks_and_grow(coded: ChangedFace) -> None:
    clean = clean_shot(coded, SIZE)
    face = replace(coded, texture=255 - clean.crop)  # differs from the face everywhere
    before = np.zeros((SIZE, SIZE), dtype=bool)
    for percent in (10, 25, 50):
        made = covered(face, percent, SIZE)
        hidden = (made.crop != clean.crop).any(axis=-1)
        np.testing.assert_array_equal(made.crop[hidden], face.texture[hidden])
        u, v = np.rint(to_crop(face.points, made.matrix)).astype(int).clip(0, SIZE - 1).T
        # Landmarks on the edge may be rounded to either side of it.
        assert hidden[v, u].mean() == pytest.approx(percent / 100, abs=0.04)
        assert (hidden | ~before).all()
        before = hidden


def test_strength_zero_is_what_evaluate_says(
    samples: list[Sample], truth: NDArray[np.float64]
) -> None:
    """To the last bit; the other steps of geometry have errors that are known."""
    engine = Oracle(truth, "wflw98", shift=3.0)
    expected = evaluate(engine, samples)
    assert expected.errors.min() > 0.05
    # Not half the size: means of two coded pixels all end in .5 and would all be rounded up.
    conditions = (
        Condition("small", (16, 50, 81), None, "{:g}", small),
        Condition("scaled", (0.9, 1, 1.2), 1, "{:g}", scaled),
        Condition("rolled", (-15, 0, 30), 0, "{:g}", rolled),
        Condition("shifted", (0, 5, 10), 0, "{:g}", shifted),
    )
    done: list[int] = []
    result = probe(engine, samples, conditions=conditions, batch=5, progress=done.append)
    assert sum(done) == len(samples)
    np.testing.assert_array_equal(result.points, expected.points)
    np.testing.assert_array_equal(result.clean.errors, expected.errors)
    for condition in conditions[1:]:
        zero = result.steps[condition.name][condition.values.index(condition.clean or 0)]
        np.testing.assert_array_equal(zero.errors, expected.errors)
    # Three crop pixels are so many pixels of the picture as the crop is larger.
    for place, factor in ((0, 0.9), (2, 1.2)):
        np.testing.assert_allclose(
            result.steps["scaled"][place].errors, factor * expected.errors, rtol=0.03
        )
    for name, place in (("small", 0), ("small", 1), ("rolled", 0), ("rolled", 2), ("shifted", 2)):
        errors = result.steps[name][place].errors
        # A wrong half pixel of a picture with a face of 16 would be half of the error.
        np.testing.assert_allclose(errors, expected.errors, rtol=0.08, err_msg=name)
        assert (errors != expected.errors).all()
    # Faces of 80 pixels cannot have 81.
    assert np.isnan(result.steps["small"][2].errors).all()
    rows = report(result, samples, conditions)
    assert [row.faces for row in rows["small"]] == [4, 4, 0]
    assert rows["small"][2].nme is None
    assert rows["rolled"][1].nme == rows["clean"][0].nme == 100 * expected.errors.mean()
    assert rows["clean"][0].over10 == 100 * (expected.errors > 0.1).mean()


class Faint(Oracle):
    """Peaks that differ from call to call, so that they can be told apart."""

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        blue = np.median(crops[..., 2], axis=(1, 2))
        return super().__call__(crops) * (0.2 + 0.2 * blue[:, None, None, None]).astype(np.float32)


def test_confidences_are_the_calibrations(
    samples: list[Sample], truth: NDArray[np.float64]
) -> None:
    engine = Faint(truth, "wflw98")
    one = (Condition("rolled", (0, 15), 0, "{:g}", rolled),)
    assert probe(engine, samples, conditions=one).clean.confidence is None
    calibration = Calibration((-4.0, 8.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0))
    engine.info = replace(engine.info, calibration=calibration)
    result = probe(engine, samples, conditions=one)
    # A sampled Gaussian peaks a little under its height.
    heights = 0.2 + 0.2 * np.arange(4)
    for series in (result.clean, result.steps["rolled"][1]):
        assert series.confidence is not None
        np.testing.assert_allclose(
            series.confidence, 1 / (1 + np.exp(4 - 8 * 0.96 * heights)), atol=0.03
        )
    row = report(result, samples, one)["clean"][0]
    assert result.clean.confidence is not None
    assert row.confidence == pytest.approx(100 * result.clean.confidence.mean())


class Recorder(Oracle):
    """Keeps what it is shown, in order."""

    def __init__(self) -> None:
        super().__init__(np.zeros((0, 98, 2)), "wflw98")
        self.crops: list[NDArray[np.uint8]] = []

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.crops += list(crops)
        return np.zeros((len(crops), 98, SIZE // 4, SIZE // 4), dtype=np.float32)


def test_a_face_without_eye_distance_is_named(tmp_path: Path, truth: NDArray[np.float64]) -> None:
    truth[2, 60] = truth[2, 72]
    with pytest.raises(InputError, match=r"2\.png: the points .* coincide"):
        probe(Oracle(truth, "wflw98"), make_samples(tmp_path, truth))


def test_conditions_say_what_changes_nothing() -> None:
    names = [condition.name for condition in CONDITIONS]
    assert len(set(names)) == len(names)
    for condition in CONDITIONS:
        assert len(set(condition.values)) == len(condition.values)
        assert condition.clean is None or condition.clean in condition.values
        labels = [condition.label(value) for value in condition.values]
        assert len(set(labels)) == len(labels)
    assert next(c for c in CONDITIONS if c.change is compressed).label(100) == "none"


# Groups.


@pytest.mark.parametrize("markup", sorted(MARKUPS))
def test_regions_hold_every_landmark_once_and_are_symmetric(markup: str) -> None:
    regions = face_regions(MARKUPS[markup])
    every = np.concatenate(list(regions.values()))
    np.testing.assert_array_equal(np.sort(every), np.arange(MARKUPS[markup].points))
    for points in regions.values():
        np.testing.assert_array_equal(np.sort(MARKUPS[markup].flip[points]), points)
    assert ("pupils" in regions) == (markup != "ibug68")
    # The eyes are where the eyes' corners are, the jaw is lowest.
    shape = generic_face(markup=markup).landmarks
    assert set(MARKUPS[markup].normalizers["inter-ocular"][0]) <= set(regions["eyes"])
    heights = {name: shape[points, 1].mean() for name, points in regions.items()}
    assert heights["brows"] < heights["eyes"] < heights["nose"] < heights["mouth"]
    assert shape[regions["jaw"], 1].max() == shape[:, 1].max()


def test_errors_of_regions(truth: NDArray[np.float64]) -> None:
    found = truth.copy()
    found[1, 96] += (3, 4)
    found[2, :33] += (0, 2)
    errors = region_errors(found, truth, WFLW)
    eyes = 0.6 * SIDE
    np.testing.assert_allclose(errors["pupils"], [0, 2.5 / eyes, 0, 0])
    np.testing.assert_allclose(errors["jaw"], [0, 0, 2 / eyes, 0])
    for name in ("brows", "nose", "eyes", "mouth"):
        assert not errors[name].any()


def as_samples(faces: list[NDArray[np.float64]]) -> list[Sample]:
    box = np.array([0.0, 0, 1, 1])
    return [Sample(Path("none.png"), points, box, "wild") for points in faces]


def test_yaw_is_that_of_the_head() -> None:
    angles = (0, 10, -25, 35, 65)
    faces = [generic_face(0, (5.0, angle, 8.0), (300.0, 0.0, 1500.0)) for angle in angles]
    landmarks = [face.landmarks.astype(np.float64) for face in faces]
    for points, angle in zip(landmarks, angles, strict=True):
        # The head is beside the camera's axis, by 11 degrees; the camera here looks at it.
        assert yaw(points, "wflw98") == pytest.approx(abs(angle - 11.3), abs=4)
        # Neither size nor place in the picture matters.
        assert yaw(3 * points + 500, "wflw98") == pytest.approx(yaw(points, "wflw98"), abs=0.1)
    groups = yaw_groups(as_samples(landmarks))
    assert [mask.tolist() for mask in groups.values()] == [
        [True, True, False, False, False],
        [False, False, False, True, False],
        [False, False, True, False, False],
        [False, False, False, False, True],
    ]
    assert list(groups) == ["0-15", "15-30", "30-45", "45+"]
    nothing = yaw_groups(as_samples([landmarks[0], np.zeros((98, 2))]))
    assert nothing["unknown"].tolist() == [False, True]
    assert sum(mask.sum() for mask in nothing.values()) == 2


def test_eyes_and_mouths() -> None:
    plain = generic_face().landmarks.astype(np.float64)
    asleep, shout = plain.copy(), plain.copy()
    for lids in (((61, 67), (62, 66), (63, 65)), ((69, 75), (70, 74), (71, 73))):
        for upper, lower in lids:
            asleep[upper] = asleep[lower]
    shout[[93, 94, 95], 1] += 30
    groups = opening_groups(as_samples([plain, asleep, shout]))
    assert groups["eyes closed"].tolist() == [False, True, False]
    assert groups["mouth open"].tolist() == [False, False, True]
    assert (groups["eyes open"] != groups["eyes closed"]).all()
    assert (groups["mouth closed"] != groups["mouth open"]).all()


# The command, with a small network and drawn faces.


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_faces(tmp_path_factory.mktemp("faces"), train=1, test=3, side=300)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("run") / "tiny.safetensors"
    calibration = Calibration((-1.0, 2.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0))
    save_network(path, PropNet(TINY).eval(), Metadata("tiny", TINY, 64, calibration=calibration))
    return path


def arguments(data: Path, weights: Path, *more: str) -> list[str]:
    given = ["--dataset", "wflw", "--data", str(data), "--weights", str(weights)]
    return [*given, "--device", "cpu", *more]


def test_every_step_shows_something_else_and_the_same_every_time(data: Path) -> None:
    """Also with fewer faces after them, and in other batches."""
    faces = read_faces(data)[1]
    engines = [Recorder() for _ in range(2)]
    probe(engines[0], faces, batch=7)
    probe(engines[1], faces[:2])
    first, second = (engine.crops for engine in engines)
    steps = 1 + sum(len(c.values) - (c.clean is not None) for c in CONDITIONS)
    assert (len(first), len(second)) == (3 * steps, 2 * steps)
    assert all((a == b).all() for a, b in zip(first, second, strict=False))
    assert len({crop.tobytes() for crop in first}) == len(first)


def test_table_json_and_plot_agree(data: Path, weights: Path, tmp_path: Path) -> None:
    out, plot = tmp_path / "new" / "a.json", tmp_path / "new" / "a.png"
    options = ("--json", str(out), "--plot", str(plot), "--limit", "2")
    result = CliRunner().invoke(robustness.app, arguments(data, weights, *options))
    assert result.exit_code == 0, result.output
    document = json.loads(out.read_text(encoding="utf-8"))
    assert document["weights"] == "tiny"
    assert (document["dataset"], document["split"]) == ("wflw", "test")
    assert document["limit"] == 2
    assert document["normalizer"] == "inter-ocular"
    assert document["input_size"] == 64
    rows = document["conditions"]
    groups = ["yaw of the head, degrees", "eyes and mouth", "region of the face"]
    assert list(rows) == ["clean", *(c.name for c in CONDITIONS), *groups]
    engine = open_torch_engine(str(weights), "cpu")
    expected = evaluate(engine, read_faces(data)[1][:2])
    nme = pytest.approx(100 * expected.errors.mean(), rel=1e-4)
    assert rows["clean"][0]["nme"] == nme
    for condition in CONDITIONS:
        values = [row["value"] for row in rows[condition.name]]
        assert values == list(condition.values)
        if condition.clean is not None:
            assert rows[condition.name][values.index(condition.clean)]["nme"] == nme
    assert [row["faces"] for row in rows["face size, pixels"]] == [2] * 7
    # Every row of the JSON is a line of the table, in order.
    lines = [line for line in result.output.splitlines() if line.startswith("│")]
    every = [row for block in rows.values() for row in block]
    assert len(lines) == len(every)
    for line, row in zip(lines, every, strict=True):
        cells = [cell.strip() for cell in line.strip("│").split("│")][1:]
        assert cells[0] == row["step"]
        assert cells[1] == str(row["faces"])
        for cell, key, digits in zip(
            cells[2:], ("nme", "over10", "confidence"), (2, 1, 1), strict=True
        ):
            assert cell == ("-" if row[key] is None else f"{row[key]:.{digits}f}")
    assert plot.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert {path.name for path in out.parent.iterdir()} == {"a.json", "a.png"}


def test_the_plot_has_a_panel_a_condition(
    samples: list[Sample], truth: NDArray[np.float64], tmp_path: Path, monkeypatch
) -> None:
    from train.drawing import robustness_plot

    drawn: dict[str, list[float]] = {}
    draw = robustness_plot._draw

    def spy(axes, name, rows):
        lines = draw(axes, name, rows)
        drawn[name] = list(lines[0].get_ydata())
        return lines

    monkeypatch.setattr(robustness_plot, "_draw", spy)
    two = (CONDITIONS[0], CONDITIONS[3])
    blocks = report(probe(Oracle(truth, "wflw98", 3.0), samples, conditions=two), samples, two)
    robustness_plot.plot_robustness(blocks, tmp_path / "a.png", "title")
    assert list(drawn) == [name for name in blocks if name != "clean"]
    for name, values in drawn.items():
        expected = [np.nan if row.nme is None else row.nme for row in blocks[name]]
        np.testing.assert_array_equal(values, expected)
    assert np.isnan(drawn[CONDITIONS[0].name]).sum() == 2  # no face has 96 pixels, nor 128
    assert to_table("title", blocks).row_count == sum(map(len, blocks.values()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--dataset", "aflw"], "--dataset is 'aflw'; choose one of wflw, 300w, cofw"),
        (["--engine", "tensorflow"], "--engine is 'tensorflow'"),
        (["--engine", "openvino", "--device", "cuda"], "--device is for the torch engine"),
        (["--split", "dev"], "no split 'dev'"),
        (["--plot", "a.pdf"], "written as .png"),
        (["--json", "."], "is a folder"),
        (["--weights", "none.safetensors"], "no weights file none.safetensors"),
        (["--data", "none"], "none does not exist"),
    ],
)
def test_wrong_arguments(data: Path, weights: Path, options: list[str], message: str) -> None:
    result = CliRunner().invoke(robustness.app, arguments(data, weights, *options))
    assert isinstance(result.exception, InputError), result.output
    assert message in str(result.exception)


def test_a_damaged_picture_is_one_line_and_leaves_nothing_behind(
    weights: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = write_faces(tmp_path / "faces", train=1, test=2)
    next((root / "WFLW_images").rglob("test_1.png")).write_bytes(b"no picture")
    out = tmp_path / "a.json"
    command = ["robustness", *arguments(root, weights, "--json", str(out))]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as left:
        run_command(robustness.app)
    assert left.value.code == 2
    error = capsys.readouterr().err
    assert "test_1.png is damaged" in error
    assert "Traceback" not in error
    assert not out.exists()
