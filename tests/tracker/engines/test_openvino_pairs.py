"""Several faces on OpenVINO go two by two, once the network is compiled for that."""

import numpy as np
import openvino
import pytest

from model.decoder import DECODERS, DEFAULT_DECODER, Decoder, decode
from model.errors import InputError
from tests.support.small_network import exported_small
from tests.support.tiny_onnx import reference, tiny_onnx
from tracker.engines import openvino_network as module
from tracker.engines.base import PointEngine
from tracker.engines.onnx_file import OnnxFile
from tracker.engines.openvino import OpenVinoEngine


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_onnx(tmp_path_factory.mktemp("weights") / "tiny.onnx"))


@pytest.fixture
def crops() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)


def pairs_of(engine: OpenVinoEngine, decodes: bool) -> "module._Pairs | None":
    return engine._network(decodes=decodes)._pairs


def compiled(engine: OpenVinoEngine, decodes: bool = False) -> "module._Pairs":
    """The pairs of the network that gives heatmaps, or points; waited for."""
    pairs = pairs_of(engine, decodes)
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

    def watch(self: "module._Pairs", faces: np.ndarray, results: dict[str, np.ndarray]) -> None:
        paired.append(len(faces))
        call(self, faces, results)

    monkeypatch.setattr(module._Pairs, "__call__", watch)
    compiled(engine)
    heatmaps = engine(crops[:count])
    assert paired == ([count - count % 2] if count >= 2 else [])
    np.testing.assert_allclose(heatmaps, reference(crops[:count]), atol=2e-6)
    kept = heatmaps.copy()
    engine(crops[::-1])
    np.testing.assert_array_equal(heatmaps, kept)
    engine.close()


@pytest.mark.parametrize("count", [0, 1, 2, 5])
@pytest.mark.parametrize("method", DECODERS)
def test_points_are_those_of_the_heatmaps(
    count: int, method: Decoder, weights: str, crops: np.ndarray
) -> None:
    engine = OpenVinoEngine(weights, threads=2, precision="f32")
    assert isinstance(engine, PointEngine)
    compiled(engine)
    compiled(engine, decodes=True)
    points, peaks = engine.start(crops[:count], method)()
    expected, expected_peaks = decode(engine(crops[:count]), method)
    np.testing.assert_allclose(points, expected, atol=1e-4)
    np.testing.assert_array_equal(peaks, expected_peaks)
    assert points.dtype == np.float64
    kept = points.copy()
    engine.start(crops[::-1], method)()
    np.testing.assert_array_equal(points, kept)
    engine.close()
    with pytest.raises(RuntimeError, match="was closed"):
        engine.start(crops, method)()


def test_with_maps_decodes_too(crops: np.ndarray) -> None:
    """One engine for pictures with maps and for points alone."""
    path = str(exported_small()[1])
    with_maps = OpenVinoEngine(path, threads=1, precision="f32", maps=True)
    without = OpenVinoEngine(path, threads=1, precision="f32")
    for one, other in zip(
        with_maps.start(crops, DEFAULT_DECODER)(),
        without.start(crops, DEFAULT_DECODER)(),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, atol=1e-3)
    with_maps.close()
    without.close()


def test_one_face_compiles_nothing_more_and_several_do_not_wait(
    weights: str, crops: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = OpenVinoEngine(weights, threads=2)
    pairs = pairs_of(engine, decodes=False)
    assert pairs is not None
    engine(crops[:1])
    assert pairs._compiled is None
    # Not ready yet: one by one.
    monkeypatch.setattr(module._Pairs, "ready", lambda self: False)
    np.testing.assert_allclose(engine(crops), reference(crops), atol=2e-6)
    engine.close()
    engine.close()


def test_heatmaps_are_another_network_that_waits_to_be_asked_for(
    weights: str, crops: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[tuple[str, ...]] = []
    real = module._with_decoder

    def watch(file: OnnxFile, decoders: tuple[Decoder, ...]) -> bytes:
        loaded.append(decoders)
        return real(file, decoders)

    monkeypatch.setattr(module, "_with_decoder", watch)
    engine = OpenVinoEngine(weights, threads=1, precision="f32")
    engine.start(crops, DEFAULT_DECODER)()
    assert loaded == [(DEFAULT_DECODER,)]
    engine(crops)
    engine.start(crops, "dark")()
    assert loaded == [(DEFAULT_DECODER,), ()]
    engine.close()


def test_one_thread_has_no_pairs(weights: str, crops: np.ndarray) -> None:
    engine = OpenVinoEngine(weights, threads=1)
    assert pairs_of(engine, decodes=False) is None
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
    engine(crops[:1])

    def fail(*_: object) -> openvino.CompiledModel:
        raise InputError("OpenVINO cannot load it.")

    monkeypatch.setattr(module, "_compile", fail)
    compiled(engine)
    with pytest.raises(InputError, match="cannot load it"):
        engine(crops)
    engine.close()
