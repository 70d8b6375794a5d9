import json
from dataclasses import replace
from math import exp
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from export.run import export
from model.confidence import UNCALIBRATED, Calibration
from model.crop import Region
from model.errors import InputError
from model.shipped_markups import WFLW
from model.weights import load_network, save_calibrated
from tests.support.engine_records import record_of
from tests.support.small_network import exported_small
from tests.support.tracked_scene import SceneEngine
from tracker.engines.base import ModelInfo
from tracker.engines.onnx_file import read_onnx
from tracker.engines.tensorrt.engine_record import read_engine, write_engine
from tracker.engines.torch import model_info
from tracker.tracking.landmark_network import LandmarkNetwork

MADE = Calibration(face=(-9.0, 4.0, 6.0, 2.0), point=(-5.0, 3.0, 7.0, 2.0))


def by_hand(peaks: list[float]) -> tuple[float, list[float]]:
    """The two formulas of docs/confidence.md, with plain Python."""
    bounded = [min(max(peak, 0.0), 1.0) for peak in peaks]
    ordered, third, mean = sorted(bounded), len(peaks) // 3, sum(bounded) / len(bounded)
    low, high = sum(ordered[:third]) / third, sum(ordered[-third:]) / third
    face = -9 + 4 * mean + 6 * low + 2 * high
    points = [-5 + 3 * peak + 7 * max(peak - 0.5, 0) + 2 * mean for peak in bounded]
    return 1 / (1 + exp(-face)), [1 / (1 + exp(-point)) for point in points]


@pytest.mark.parametrize("count", [98, 68, 29])
def test_both_models_are_the_documented_ones(count: int) -> None:
    peaks = np.random.default_rng(count).normal(0.5, 0.4, (4, count)).astype(np.float32)
    faces, points = MADE.face_confidence(peaks), MADE.point_scores(peaks)
    assert points.dtype == np.float32
    for row, face, scores in zip(peaks, faces, points, strict=True):
        expected = by_hand(row.tolist())
        assert face == pytest.approx(expected[0], abs=1e-6)
        assert scores == pytest.approx(expected[1], abs=1e-6)
        # A face alone gives what it gives among others.
        assert MADE.face_confidence(row) == pytest.approx(face)


def test_extremes_stay_probabilities_without_overflow() -> None:
    steep = Calibration(face=(-1e5, 2e5, 0, 0), point=(-1e5, 2e5, 0, 0))
    assert steep.face_confidence(np.array([np.zeros(9), np.ones(9)])).tolist() == [0, 1]
    assert steep.point_scores(np.array([0.0, 1.0])).tolist() == [0, 1]


def test_uncalibrated_weights_start_and_stop_where_they_did() -> None:
    for mean, expected in ((0.48, 0.5), (0.40, 0.1)):
        peaks = mean + np.linspace(-0.3, 0.3, 98)
        assert UNCALIBRATED.face_confidence(peaks) == pytest.approx(expected, abs=0.002)


def test_text_round_trip() -> None:
    assert Calibration.from_json(MADE.to_json()) == MADE
    assert json.loads(MADE.to_json()) == {"face": [-9, 4, 6, 2], "point": [-5, 3, 7, 2]}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1, 2]",
        "3",
        "null",
        "{}",
        '{"face": [1, 2, 3, 4]}',
        '{"face": [1, 2, 3], "point": [1, 2, 3, 4]}',
        '{"face": [1, 2, 3, NaN], "point": [1, 2, 3, 4]}',
        '{"face": [1, 2, 3, "x"], "point": [1, 2, 3, 4]}',
        '{"face": 1, "point": [1, 2, 3, 4]}',
        '{"face": [1, 2, 3, 4], "point": [1, 2, 3, 4], "more": [1]}',
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Calibration.from_json(text)


def test_the_engine_s_calibration_is_what_the_tracker_reports() -> None:
    engine = SceneEngine()
    engine.amplitude = 0.0
    image = np.zeros((80, 80, 3), dtype=np.uint8)
    region = Region(40, 40, 60)
    # All peaks are 0: what is left are the offsets.
    for calibration in (None, MADE, replace(MADE, face=(1.0, 0, 0, 0), point=(-1.0, 0, 0, 0))):
        engine.info = replace(engine.info, calibration=calibration)
        (seen,) = LandmarkNetwork(engine)(image, [region])
        used = calibration or UNCALIBRATED
        assert seen.confidence == pytest.approx(1 / (1 + exp(-used.face[0])))
        assert seen.scores == pytest.approx(np.full(98, 1 / (1 + exp(-used.point[0]))))


def test_a_calibrated_copy_has_the_same_weights(tmp_path: Path) -> None:
    copy = tmp_path / "copy.safetensors"
    save_calibrated(copy, "propnet-s", MADE)
    (network, metadata), (other, origin) = load_network(str(copy)), load_network("propnet-s")
    assert metadata == replace(origin, calibration=MADE, sha256=metadata.sha256)
    assert metadata.sha256 != origin.sha256
    assert model_info(metadata).calibration == MADE
    for key, value in other.state_dict().items():
        assert (network.state_dict()[key] == value).all()
    # In place, and a second time.
    save_calibrated(copy, str(copy), UNCALIBRATED)
    assert load_network(str(copy))[1].calibration == UNCALIBRATED
    assert [path.name for path in tmp_path.iterdir()] == [copy.name]


def test_the_calibration_goes_into_the_exported_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights, without = exported_small()
    # The trace knows nothing of the calibration, and the weights are the same: once is enough.
    traced = SimpleNamespace(model_proto=onnx.load(without))
    monkeypatch.setattr(torch.onnx, "export", lambda *_, **__: traced)
    assert read_onnx(str(without)).info.calibration is None
    copy, file = tmp_path / "copy.safetensors", tmp_path / "copy.onnx"
    save_calibrated(copy, str(weights), MADE)
    export(weights=str(copy), out=file)
    assert read_onnx(str(file)).info.calibration == MADE


def test_a_damaged_calibration_is_named(tmp_path: Path) -> None:
    weights, file = exported_small()
    model = onnx.load(file)
    entry = model.metadata_props.add()
    entry.key, entry.value = "propnet.calibration", '{"face": [1]}'
    onnx.save(model, tmp_path / "bad.onnx")
    with pytest.raises(InputError, match=r"bad.onnx has a calibration without sense: export it"):
        read_onnx(str(tmp_path / "bad.onnx"))
    with safe_open(weights, framework="pt") as content:
        header = {**(content.metadata() or {}), "calibration": "{"}
        tensors = {key: content.get_tensor(key) for key in content.keys()}  # noqa: SIM118
    bad = tmp_path / "bad.safetensors"
    save_file(tensors, bad, metadata=header)
    with pytest.raises(InputError, match=r"bad.safetensors is damaged: its header"):
        load_network(str(bad))


@pytest.mark.parametrize("calibration", [None, MADE])
def test_an_engine_s_record_keeps_the_calibration(
    tmp_path: Path, calibration: Calibration | None
) -> None:
    record = record_of(ModelInfo("made", WFLW, 64, "ab" * 32, calibration))
    path = tmp_path / "made.engine"
    write_engine(path, b"engine", record)
    assert read_engine(path) == (b"engine", record)
    # Records of before there were calibrations.
    beside = tmp_path / "made.engine.json"
    values = json.loads(beside.read_text())
    del values["info"]["calibration"]
    beside.write_text(json.dumps(values))
    assert read_engine(path)[1].info.calibration is None
