"""Views of faces and non-faces, and the command that fits what a network's peaks mean."""

import json
import shutil
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from model.errors import InputError
from model.heatmap import crop_to_heatmap, encode_landmarks
from model.shipped_markups import WFLW
from model.weights import load_network
from tests.support.face_files import LIST, read_faces, template, write_faces
from tests.support.portrait_faces import write_portraits
from tracker.engines.base import ModelInfo
from train import calibrate
from train.augmentation.occluders import cover_mask, place_beside
from train.confidence.calibration_fit import assess, fit_calibration
from train.confidence.confidence_views import FACES, KINDS, NO_FACES, SHARES, View, make_views
from train.confidence.peak_observations import Observations, choose, observe
from train.data.label_groups import yaw
from train.data.sample import Sample

SIZE = 96


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    return read_faces(write_faces(tmp_path_factory.mktemp("drawn"), side=160))[0]


def views(samples: list[Sample], kind: str, count: int = 24) -> list[View]:
    faces = (samples * count)[:count]
    return list(make_views(faces, [kind] * count, SIZE, seed=1))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_what_it_says(samples: list[Sample], kind: str) -> None:
    made = views(samples, kind)
    assert all(v.crop.shape == (SIZE, SIZE, 3) and v.crop.dtype == np.uint8 for v in made)
    assert all((v.truth is None) == (kind in NO_FACES) for v in made)
    again = views(samples, kind)
    assert all((a.crop == b.crop).all() for a, b in zip(made, again, strict=True))
    truths = [v.truth for v in made if v.truth is not None]
    if not truths:
        return
    inside = [((t > -0.5) & (t < SIZE - 0.5)).all(axis=1).mean() for t in truths]
    rolls = np.abs(np.rad2deg([WFLW.roll(t) for t in truths]))
    if kind in FACES:
        assert min(inside) > 0.7
    if kind in ("tracked", "detected", "worn", "turned", "covered"):
        assert max(rolls) < 40
    if kind == "turned":
        plain = [v.truth for v in views(samples, "tracked") if v.truth is not None]
        yaws = [np.mean([yaw(face, "wflw98") for face in faces]) for faces in (plain, truths)]
        assert yaws[1] > yaws[0] + 8
        assert all(v.normalizer for v in made)
    if kind == "inverted":
        assert min(rolls) > 110
    if kind == "off":
        sides = np.array([np.ptp(t, axis=0).max() for t in truths]) / SIZE
        assert (np.array(inside) < 0.9).any()
        assert (sides < 0.6).any()


def test_truth_lies_on_the_drawn_face(samples: list[Sample]) -> None:
    """The pupils are drawn darkest: there the crop must be darker than on the cheeks."""
    for view in views(samples, "tracked"):
        assert view.truth is not None
        grey = view.crop.mean(axis=2)
        pupils = grey[tuple(np.rint(view.truth[96:]).astype(int).T[::-1])]
        cheeks = (view.truth[96:] + view.truth[[76, 82]]) / 2
        assert (pupils < grey[tuple(np.rint(cheeks).astype(int).T[::-1])]).all()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_cover_hides_the_share_of_points_that_it_should(share: float) -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        points = rng.uniform(5, 90, (98, 2))
        mask = cover_mask(points, share, SIZE, rng)
        hidden = mask[tuple(np.rint(points).astype(int).T[::-1])].mean()
        # Rounding to pixels moves points over its edge.
        assert hidden == pytest.approx(share, abs=0.06)


def test_places_beside_a_face_do_not_touch_its_inside(samples: list[Sample]) -> None:
    rng = np.random.default_rng(0)
    found = 0
    for sample in samples:
        place = place_beside(sample, sample.load(), rng)
        if place is not None:
            found += 1
            apart = np.abs(sample.points - [place.x, place.y]).max(axis=1)
            assert (apart < 0.9 * place.size / 2).mean() < 0.1
    assert found
    # Nothing but face.
    assert place_beside(samples[0], np.zeros((20, 20, 3), dtype=np.uint8), rng) is None


def test_sources_and_kinds_are_drawn_by_their_shares(samples: list[Sample]) -> None:
    faces, kinds = choose(samples, 200, seed=3)
    counts = Counter(face.source for face in faces)
    assert set(counts) == {sample.source for sample in samples}
    assert max(counts.values()) - min(counts.values()) <= 1
    assert {kind: kinds.count(kind) for kind in KINDS} == {
        kind: pytest.approx(200 * share, abs=1) for kind, share in SHARES.items()
    }
    # No face twice before all others of its source came once.
    for source in counts:
        drawn = Counter(id(face) for face in faces if face.source == source)
        assert max(drawn.values()) - min(drawn.values()) <= 1
    assert choose(samples, 200, seed=3) == (faces, kinds)


class Shifted:
    """An engine that finds every point of the given views, moved to the right."""

    description = "oracle"

    def __init__(self, truths: list[np.ndarray], shift: float) -> None:
        self.info = ModelInfo("oracle", WFLW, SIZE, "")
        self._truths = [truth + np.array([shift, 0.0]) for truth in truths]

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        now, self._truths = self._truths[: len(crops)], self._truths[len(crops) :]
        return encode_landmarks(crop_to_heatmap(np.array(now)), SIZE // 4)

    def close(self) -> None:
        pass


def test_errors_are_fractions_of_the_eye_distance() -> None:
    points = template() * 30 + SIZE / 2 - 0.5
    crop = np.zeros((SIZE, SIZE, 3), dtype=np.uint8)
    truths = [points, points, points + 1]
    given = [View("tracked", crop, points), View("hidden", crop, None), View("off", crop, points)]
    done: list[int] = []
    seen = observe(Shifted(truths, 3.0), given, batch=2, progress=done.append)
    eyes = float(WFLW.normalizer(points))
    assert seen.errors[0] == pytest.approx(np.full(98, 3 / eyes), abs=0.2 / eyes)
    assert np.isinf(seen.errors[1]).all()
    assert seen.errors[2] == pytest.approx(np.full(98, np.hypot(4, 1) / eyes), abs=0.2 / eyes)
    assert seen.kinds.tolist() == ["tracked", "hidden", "off"]
    assert seen.found.tolist() == [3 / eyes < 0.1, False, np.hypot(4, 1) / eyes < 0.1]
    assert seen.found.any()
    assert seen.right.shape == seen.peaks.shape == (3, 98)
    assert done == [2, 1]


def test_errors_of_turned_heads_are_fractions_of_the_distance_before_the_turn() -> None:
    points = template() * 30 + SIZE / 2 - 0.5
    crop = np.zeros((SIZE, SIZE, 3), dtype=np.uint8)
    seen = observe(Shifted([points], 3.0), [View("turned", crop, points, 60.0)])
    assert seen.errors[0] == pytest.approx(np.full(98, 3 / 60), abs=0.003)


def test_errors_of_profiles_are_fractions_of_the_distance_from_ahead() -> None:
    # Seen from the side all points are closer together, but not one above the other.
    points = template() * np.array([6.0, 30.0]) + SIZE / 2 - 0.5
    crop = np.zeros((SIZE, SIZE, 3), dtype=np.uint8)
    seen = observe(Shifted([points], 3.0), [View("tracked", crop, points)])
    half = float(np.ptp(points[:, 1])) / 2
    assert half > 2 * float(WFLW.normalizer(points))
    assert seen.errors[0] == pytest.approx(np.full(98, 3 / half), abs=0.2 / half)


def made_up(count: int, seed: int) -> Observations:
    """Faces whose peaks say exactly how likely they are to be found."""
    rng = np.random.default_rng(seed)
    level = rng.uniform(0.1, 0.9, count)
    found = rng.random(count) < 1 / (1 + np.exp(-20 * (level - 0.5)))
    peaks = np.clip(level[:, None] + rng.normal(0, 0.02, (count, 98)), 0, 1)
    errors = np.where(found[:, None], 0.05, np.inf) * np.ones(98)
    kinds = np.where(level > 0.5, "tracked", "background")
    return Observations(kinds, peaks.astype(np.float32), errors)


def test_a_fit_states_what_happens() -> None:
    calibration = fit_calibration(made_up(4000, 0))
    levels = np.array([0.4, 0.5, 0.6])
    stated = calibration.face_confidence(np.repeat(levels[:, None], 98, axis=1))
    assert stated == pytest.approx(1 / (1 + np.exp(-20 * (levels - 0.5))), abs=0.06)
    result = assess(calibration, made_up(2000, 1))
    assert result.face.error < 0.03
    assert result.point.error < 0.03
    assert result.face_roc[2] > 0.99


def test_nothing_to_tell_apart_is_said() -> None:
    seen = made_up(50, 0)
    lost = Observations(seen.kinds, seen.peaks, np.full_like(seen.errors, np.inf))
    with pytest.raises(InputError, match="within the tolerance on 0 of 50 views"):
        fit_calibration(lost)
    with pytest.raises(InputError, match="all alike"):
        assess(fit_calibration(seen), lost)


@pytest.fixture(scope="module")
def portraits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_portraits(tmp_path_factory.mktemp("portraits"))


def run(*arguments: str) -> object:
    return CliRunner().invoke(calibrate.app, list(arguments))


def test_the_command_fits_writes_and_measures(portraits: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    out, table, plot = (tmp_path / name for name in ("out.safetensors", "out.json", "out.png"))
    result = run(
        "--weights", "propnet-s", "--dataset", "wflw", "--data", str(portraits),
        "--out", str(out), "--views", "100", "--dev-views", "100",
        "--json", str(table), "--plot", str(plot),
    )  # fmt: skip
    assert result.exit_code == 0, result.output  # type: ignore[attr-defined]
    values = json.loads(table.read_text())
    calibration = load_network(str(out))[1].calibration
    assert calibration is not None
    assert values["settings"]["calibrated"]
    assert json.loads(calibration.to_json()) == values["settings"]["calibration"]
    assert values["face"]["auc_face_or_not"] > 0.99
    assert values["face"]["calibration_error"] < 0.1
    assert values["kinds"]["tracked"]["confidence"] > 0.8
    assert values["kinds"]["background"]["confidence"] < 0.2
    assert cv2.imread(str(plot)) is not None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.json", "out.png", out.name]


def test_what_the_command_refuses(samples: list[Sample], tmp_path: Path, portraits: Path) -> None:
    given = ("--weights", "propnet-s", "--dataset", "wflw", "--data", str(portraits))
    there = tmp_path / "there.safetensors"
    there.write_text("here")
    for arguments, message in (
        ((*given, "--out", str(tmp_path / "x.onnx")), "goes into a copy of the .safetensors"),
        ((*given, "--out", str(there)), "exists already"),
        ((*given, "--plot", "x.jpg"), "written as .png"),
        ((*given[:2], "--dataset", "lfw", *given[4:]), "--dataset is 'lfw'"),
        ((*given, "--engine", "cuda"), "--engine is 'cuda'"),
        (("--weights", "none.safetensors", *given[2:]), "no weights file"),
    ):
        result = run(*arguments)
        assert isinstance(result.exception, InputError)  # type: ignore[attr-defined]
        assert message in str(result.exception)  # type: ignore[attr-defined]
    assert there.read_text() == "here"


def test_faces_that_lack_landmarks_are_left_out(portraits: Path, tmp_path: Path) -> None:
    """A face with a box only is no error anywhere else, and nothing can be asked of it here."""
    root = tmp_path / "faces"
    shutil.copytree(portraits, root)
    path = root / LIST.format("train")
    line = path.read_text().splitlines()[0].split()
    boxed = " ".join(["nan"] * 196 + line[196:])
    path.write_text(path.read_text() + boxed + "\n")
    options = ("--weights", "propnet-s", "--dataset", "wflw", "--views", "100",
               "--dev-views", "100", "--out", str(tmp_path / "out.safetensors"))  # fmt: skip
    result = run(*options, "--data", str(root))
    assert result.exit_code == 0, result.output  # type: ignore[attr-defined]
    assert "1 of the 5 to fit on lack landmarks and are left out." in result.output  # type: ignore[attr-defined]
    path.write_text(boxed + "\n")
    result = run(*options, "--data", str(root), "--overwrite")
    assert isinstance(result.exception, InputError)  # type: ignore[attr-defined]
    assert "has all of its landmarks" in str(result.exception)  # type: ignore[attr-defined]
