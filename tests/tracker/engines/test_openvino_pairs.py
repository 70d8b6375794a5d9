"""Several faces on OpenVINO go two by two, once the network is compiled for that."""

import numpy as np
import openvino
import pytest

from model.errors import InputError
from tests.support.tiny_onnx import reference, tiny_onnx
from tracker.engines import openvino as module
from tracker.engines.openvino import OpenVinoEngine


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_onnx(tmp_path_factory.mktemp("weights") / "tiny.onnx"))


@pytest.fixture
def crops() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)


def compiled(engine: OpenVinoEngine) -> "module._Pairs":
    """The pairs, waited for."""
    pairs = engine._pairs
    assert pairs is not None
    pairs.ready()
    assert pairs._compiled is not None
    pairs._compiled.exception(timeout=60)
    return pairs


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5])
def test_the_same_heatmaps_as_one_by_one(
    count: int, weights: str, crops: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = OpenVinoEngine(weights, threads=2, precision="f32")
    paired: list[int] = []
    call = module._Pairs.__call__

    def watch(self: "module._Pairs", planes: np.ndarray, heatmaps: np.ndarray) -> None:
        paired.append(len(planes))
        call(self, planes, heatmaps)

    monkeypatch.setattr(module._Pairs, "__call__", watch)
    compiled(engine)
    heatmaps = engine(crops[:count])
    assert paired == ([count - count % 2] if count >= 2 else [])
    np.testing.assert_allclose(heatmaps, reference(crops[:count]), atol=2e-6)
    kept = heatmaps.copy()
    engine(crops[::-1])
    np.testing.assert_array_equal(heatmaps, kept)
    engine.close()


def test_one_face_compiles_nothing_more_and_several_do_not_wait(
    weights: str, crops: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = OpenVinoEngine(weights, threads=2)
    assert engine._pairs is not None
    engine(crops[:1])
    assert engine._pairs._compiled is None
    # Not ready yet: one by one.
    monkeypatch.setattr(module._Pairs, "ready", lambda self: False)
    np.testing.assert_allclose(engine(crops), reference(crops), atol=2e-6)
    engine.close()
    engine.close()


def test_one_thread_has_no_pairs(weights: str, crops: np.ndarray) -> None:
    engine = OpenVinoEngine(weights, threads=1)
    assert engine._pairs is None
    np.testing.assert_allclose(engine(crops), reference(crops), atol=2e-6)
    engine.close()


def test_an_engine_may_be_closed_while_it_compiles(weights: str, crops: np.ndarray) -> None:
    engine = OpenVinoEngine(weights, threads=2)
    engine(crops)
    engine.close()


def test_a_failed_compilation_is_an_input_error(
    weights: str, crops: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = OpenVinoEngine(weights, threads=2)

    def fail(*_: object) -> openvino.CompiledModel:
        raise InputError("OpenVINO cannot load it.")

    monkeypatch.setattr(module, "_compile", fail)
    compiled(engine)
    with pytest.raises(InputError, match="cannot load it"):
        engine(crops)
    engine.close()
