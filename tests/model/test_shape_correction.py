"""A linear map in the frame of the mean shape; and how files keep it."""

import base64
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save_file

from export.run import export
from model.crop import (
    Region,
    crop_image,
    crop_matrix,
    region_from_box,
    region_from_landmarks,
)
from model.errors import InputError
from model.shape_correction import ShapeCorrection
from model.shipped_markups import WFLW
from model.weights import load_network, save_corrected
from tests.support.engine_records import record_of
from tests.support.face_files import template
from tests.support.oracle_engine import Oracle, make_samples
from tests.support.small_network import exported_small
from tests.support.tracked_scene import SceneEngine, paint, pose
from tracker.engines.base import ModelInfo
from tracker.engines.onnx_file import read_onnx
from tracker.engines.tensorrt.engine_record import read_engine, write_engine
from tracker.tracking.landmark_network import LandmarkNetwork
from train.confidence.confidence_views import View
from train.confidence.peak_observations import observe
from train.evaluation.metrics import face_errors
from train.evaluation.predict import predict
from train.robustness_probe.probe import probe


def made(count: int = 5, seed: int = 0, strength: float = 0.1) -> ShapeCorrection:
    rng = np.random.default_rng(seed)
    mean = rng.normal(size=(count, 2))
    mean -= mean.mean(axis=0)
    moves, weights = rng.normal(size=2 * count), rng.normal(size=(2 * count, 2 * count))
    return ShapeCorrection.of(mean.ravel(), strength * moves, strength * weights)


def table(correction: ShapeCorrection) -> NDArray[np.float64]:
    """[2K + 2, 2K], read anew from the text."""
    width = 2 * correction.points
    data = np.frombuffer(base64.b64decode(correction.text), "<f2")
    return data.astype(np.float64).reshape(width + 2, width)


def by_hand(correction: ShapeCorrection, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same with matrices: the least-squares similarity, solved for as four unknowns."""
    numbers = table(correction)
    mean, moves, weights = numbers[0].reshape(-1, 2), numbers[1], numbers[2:]
    centred = points - points.mean(axis=0)
    # mean @ [[a, b], [-b, a]] = centred
    rows = [[x, -y] for x, y in mean] + [[y, x] for x, y in mean]
    (a, b), *_ = np.linalg.lstsq(np.array(rows), centred.T.ravel(), rcond=None)
    back = np.array([[a, b], [-b, a]])
    shape = centred @ np.linalg.inv(back)
    moved = (shape - mean).ravel() @ weights + moves
    return points + moved.reshape(-1, 2) @ back


def test_it_is_the_documented_map() -> None:
    correction = made()
    points = np.random.default_rng(1).normal(40, 20, (3, 5, 2))
    moved = correction(points)
    assert moved.shape == points.shape
    for own, result in zip(points, moved, strict=True):
        assert result == pytest.approx(by_hand(correction, own))
        # A face alone gives what it gives among others.
        assert correction(own) == pytest.approx(result)


@given(
    scale=st.floats(0.01, 1000),
    angle=st.floats(-np.pi, np.pi),
    x=st.floats(-1e4, 1e4),
    y=st.floats(-1e4, 1e4),
)
def test_place_size_and_turn_of_a_face_make_no_difference(
    scale: float, angle: float, x: float, y: float
) -> None:
    correction, points = made(), np.random.default_rng(2).normal(size=(5, 2))
    turn = scale * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    moved = correction(points @ turn + (x, y))
    assert moved == pytest.approx(correction(points) @ turn + (x, y), abs=1e-7 * max(scale, 1))


def test_without_weights_and_moves_points_stay() -> None:
    zero, points = made(strength=0.0), np.random.default_rng(3).normal(size=(2, 5, 2))
    assert (zero(points) == points).all()


def test_points_that_coincide_stay() -> None:
    assert made()(np.full((5, 2), 7.5)) == pytest.approx(np.full((5, 2), 7.5), abs=0)


def test_the_text_is_all_of_it() -> None:
    correction = made()
    again = ShapeCorrection.read(correction.text, 5)
    assert again == correction
    assert hash(again) == hash(correction)
    assert correction.points == 5
    assert correction != made(seed=1)


def text_of(numbers: NDArray[np.float64]) -> str:
    return base64.b64encode(numbers.astype("<f2").tobytes()).decode()


_BAD = {
    "no base64": "%%%",
    "not ASCII": "ä",
    "half a number": base64.b64encode(b"abc").decode(),
    "no such size": text_of(np.ones(25)),
    "nothing": "",
    "one point": text_of(np.ones((4, 2))),
    "infinite": text_of(np.full((12, 10), np.inf)),
    "no mean shape": text_of(np.vstack([np.zeros((1, 10)), np.ones((11, 10))])),
}


@pytest.mark.parametrize("text", _BAD.values(), ids=_BAD.keys())
def test_what_is_no_correction(text: str) -> None:
    with pytest.raises(ValueError, match="no shape correction"):
        ShapeCorrection(text)


def test_one_of_other_points_is_refused() -> None:
    with pytest.raises(ValueError, match="of 5 points instead of 98"):
        ShapeCorrection.read(made().text, 98)


def test_the_tracker_gets_corrected_points_and_looks_around_them() -> None:
    engine, correction = SceneEngine(), made(98, strength=0.01)
    image, region = paint([pose(200, 180, 150, 20)]), Region(200, 180, 200)
    for mirror in (False, True):
        engine.info = replace(engine.info, correction=None)
        (before,) = LandmarkNetwork(engine).start(image, [region], mirror=mirror)()
        engine.info = replace(engine.info, correction=correction)
        (seen,) = LandmarkNetwork(engine).start(image, [region], mirror=mirror)()
        assert np.abs(seen.landmarks - before.landmarks).max() > 0.5
        assert seen.landmarks == pytest.approx(correction(before.landmarks), abs=1e-6)
        assert seen.next_region == region_from_landmarks(seen.landmarks, WFLW.roll(seen.landmarks))
        assert seen.confidence == before.confidence
        assert (seen.scores == before.scores).all()


def test_scores_are_those_of_corrected_points(tmp_path: Path) -> None:
    """Of every way to judge a network: NME, robustness, and what its peaks mean."""
    points = np.stack([template() * 60 + 128, template() * 50 + 120])
    samples = make_samples(tmp_path, points)
    engine = Oracle(points, "wflw98")
    correction = made(98, strength=0.01)
    before = predict(engine, samples)
    engine.info = replace(engine.info, correction=correction)
    for flip in (False, True):
        assert predict(engine, samples, flip=flip) == pytest.approx(correction(before), abs=0.3)
    errors = face_errors(predict(engine, samples), points, WFLW)
    assert errors.min() > 0.01
    probed = probe(engine, samples, conditions=[])
    assert probed.clean.errors == pytest.approx(errors, abs=1e-6)
    region = region_from_box(samples[0].box)
    crop = crop_image(samples[0].load(), region, engine.info.input_size)
    matrix = crop_matrix(region, engine.info.input_size)
    truth = points[0] @ matrix[:, :2].T + matrix[:, 2]
    seen = observe(engine, [View("tracked", crop, truth)])
    assert seen.errors[0].mean() == pytest.approx(errors[0], rel=0.05)


def test_a_corrected_copy_has_the_same_weights(tmp_path: Path) -> None:
    copy, correction = tmp_path / "copy.safetensors", made(98)
    save_corrected(copy, "propnet-s", correction)
    (network, metadata), (other, origin) = load_network(str(copy)), load_network("propnet-s")
    assert metadata.correction == correction
    assert metadata.calibration == origin.calibration
    for key, value in other.state_dict().items():
        assert (network.state_dict()[key] == value).all()


def test_it_goes_into_the_exported_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights, without = exported_small()
    # The trace knows nothing of it, and the weights are the same: once is enough.
    traced = SimpleNamespace(model_proto=onnx.load(without))
    monkeypatch.setattr(torch.onnx, "export", lambda *_, **__: traced)
    assert read_onnx(str(without)).info.correction is None
    copy, file, correction = tmp_path / "copy.safetensors", tmp_path / "copy.onnx", made(98)
    save_corrected(copy, str(weights), correction)
    export(weights=str(copy), out=file)
    assert read_onnx(str(file)).info.correction == correction


@pytest.mark.parametrize("text", ["%%%", made(5).text], ids=["damaged", "of other points"])
def test_a_damaged_one_is_named(tmp_path: Path, text: str) -> None:
    weights, file = exported_small()
    model = onnx.load(file)
    entry = model.metadata_props.add()
    entry.key, entry.value = "propnet.correction", text
    onnx.save(model, tmp_path / "bad.onnx")
    with pytest.raises(InputError, match=r"bad.onnx has a correction without sense: export it"):
        read_onnx(str(tmp_path / "bad.onnx"))
    with safe_open(weights, framework="pt") as content:
        header = {**(content.metadata() or {}), "correction": text}
        tensors = {key: content.get_tensor(key) for key in content.keys()}  # noqa: SIM118
    save_file(tensors, tmp_path / "bad.safetensors", metadata=header)
    with pytest.raises(InputError, match=r"bad.safetensors is damaged: its header"):
        load_network(str(tmp_path / "bad.safetensors"))


@pytest.mark.parametrize("correction", [None, made(98)], ids=["without", "with"])
def test_an_engine_s_record_keeps_it(tmp_path: Path, correction: ShapeCorrection | None) -> None:
    record = record_of(ModelInfo("made", WFLW, 64, "ab" * 32, correction=correction))
    path = tmp_path / "made.engine"
    write_engine(path, b"engine", record)
    assert read_engine(path) == (b"engine", record)
    # Records of before there were corrections, and a damaged one.
    beside = tmp_path / "made.engine.json"
    values = json.loads(beside.read_text())
    del values["info"]["correction"]
    beside.write_text(json.dumps(values))
    assert read_engine(path)[1].info.correction is None
    values["info"]["correction"] = {"text": made(5).text}
    beside.write_text(json.dumps(values))
    with pytest.raises(InputError, match="is damaged: build the engine again"):
        read_engine(path)
