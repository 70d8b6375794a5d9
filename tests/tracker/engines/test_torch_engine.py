import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from model.decoder import DECODERS, DEFAULT_DECODER, Decoder, decode
from model.errors import InputError
from model.network.coordconv import AddCoords, coordinates
from model.shipped_markups import WFLW
from model.weights import load_network
from tests.support.heatmap_cases import CASES, heatmaps
from tests.support.small_network import SIZE, save_small
from tracker.engines import torch as torch_module
from tracker.engines import torch_graph
from tracker.engines.base import ModelInfo, PointEngine, normalize
from tracker.engines.create import create_engine
from tracker.engines.torch import TorchEngine, half_network, normalize_pixels, open_torch_engine
from tracker.engines.torch_decode import decode_maps

INFO = ModelInfo("small", WFLW, SIZE, "")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_small(tmp_path_factory.mktemp("weights") / "small.safetensors"))


@pytest.fixture
def crops() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (3, SIZE, SIZE, 3), dtype=np.uint8)


def _maps(weights: str, crops: np.ndarray) -> np.ndarray:
    network, _ = load_network(weights)
    with torch.no_grad():
        return network(torch.from_numpy(normalize(crops)))[-1].landmarks.numpy()


def test_the_engine_gives_the_networks_last_maps(weights: str, crops: np.ndarray) -> None:
    engine = create_engine("torch", weights, threads=1)
    heatmaps = engine(crops)
    assert heatmaps.dtype == np.float32
    assert heatmaps.flags.c_contiguous
    np.testing.assert_allclose(heatmaps, _maps(weights, crops), atol=1e-5)
    assert engine(crops[:0]).shape == (0, 98, SIZE // 4, SIZE // 4)
    assert engine.info.name == "small"
    assert engine.info.input_size == SIZE
    assert engine.description.startswith(f"PyTorch {torch.__version__}, ")
    engine.close()
    with pytest.raises(RuntimeError, match="closed"):
        engine(crops)


def test_results_belong_to_the_caller(weights: str, crops: np.ndarray) -> None:
    engine = open_torch_engine(weights, "cpu")
    first = engine(crops)
    kept = first.copy()
    engine(crops[::-1].copy())
    np.testing.assert_array_equal(first, kept)
    first[:] = 0
    np.testing.assert_array_equal(engine(crops), kept)


def test_a_network_in_training_stays_in_training(weights: str, crops: np.ndarray) -> None:
    network, _ = load_network(weights)
    network.train()
    before = copy.deepcopy(network.state_dict())
    engine = TorchEngine(network, INFO)
    np.testing.assert_allclose(engine(crops), _maps(weights, crops), atol=1e-5)
    assert network.training
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_normalisation_on_the_device_is_the_one_of_training(crops: np.ndarray) -> None:
    planes = normalize_pixels(torch.from_numpy(crops))
    assert planes.dtype == torch.float32
    np.testing.assert_allclose(planes.numpy(), normalize(crops), atol=1e-7)


@pytest.mark.parametrize("method", DECODERS)
@pytest.mark.parametrize("case", CASES)
def test_decoding_on_the_device_is_numpys(case: str, method: Decoder) -> None:
    maps = heatmaps(case)
    points, peaks = decode(maps, method)
    found = decode_maps(torch.from_numpy(maps), method).numpy()
    # Both in 64 bits; only the logarithm's last digit is another library's.
    np.testing.assert_allclose(found[..., :2], points, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(found[..., 2], peaks)


def test_decoding_never_waits_for_the_device() -> None:
    """Nothing reads a value back: a CUDA graph could not record that, and "meta" has none."""
    for method in DECODERS:
        found = decode_maps(torch.zeros(2, 98, 16, 16, device="meta"), method)
        assert found.shape == (2, 98, 3)
        assert found.dtype == torch.float64


@pytest.mark.parametrize("method", DECODERS)
def test_points_instead_of_maps(weights: str, crops: np.ndarray, method: Decoder) -> None:
    engine = create_engine("torch", weights, threads=1)
    assert isinstance(engine, PointEngine)
    found, peaks = engine.start(crops, method)()
    expected, heights = decode(engine(crops), method)
    assert (found.dtype, peaks.dtype) == (np.float64, np.float32)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(peaks, heights)
    none, nothing = engine.start(crops[:0], method)()
    assert (none.shape, nothing.shape) == ((0, 98, 2), (0, 98))
    engine.close()
    with pytest.raises(RuntimeError, match="closed"):
        engine.start(crops, method)


def test_float16_computes_the_network(weights: str, crops: np.ndarray) -> None:
    """On a CPU, which is slow but rounds as a GPU does; only a GPU is offered it."""
    network, _ = load_network(weights)
    engine = TorchEngine(network, INFO, "f16")
    assert engine.description.endswith("CPU, f16")
    exact = _maps(weights, crops)
    heatmaps = engine(crops)
    assert heatmaps.dtype == np.float32
    error = np.abs(heatmaps - exact)
    assert 0 < error.max() < 0.02 * np.abs(exact).max()
    # The network that was given is left alone.
    assert {p.dtype for p in network.parameters()} == {torch.float32}
    half = half_network(network)
    for module in half.modules():
        kinds = {p.dtype for p in module.parameters(recurse=False)}
        expected = {torch.float32} if isinstance(module, nn.BatchNorm2d) else {torch.float16}
        assert not kinds or kinds == expected


def test_coordinates_are_made_on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy from the host could not be recorded into a CUDA graph."""
    assert coordinates(4, 6, torch.device("meta")).device.type == "meta"
    calls: list[Any] = []
    original = torch.linspace

    def linspace(*args: Any, **kwargs: Any) -> torch.Tensor:
        calls.append(kwargs.get("device"))
        return original(*args, **kwargs)

    monkeypatch.setattr(torch, "linspace", linspace)
    AddCoords()(torch.zeros(1, 2, 4, 4, device="meta"))
    assert calls == [torch.device("meta")] * 2


def test_requests_that_cannot_be_met(weights: str, tmp_path: Path) -> None:
    for precision in ("f16", "bf16"):
        with pytest.raises(InputError, match=rf"no precision '{precision}' on the device 'cpu'"):
            open_torch_engine(weights, "cpu", precision)
    with pytest.raises(InputError, match="torch cannot use the device 'nonsense'"):
        open_torch_engine(weights, "nonsense")
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="torch cannot use the device 'cuda'"):
            open_torch_engine(weights, "cuda", "auto")
    with pytest.raises(InputError, match="no weights file"):
        open_torch_engine(str(tmp_path / "missing.safetensors"))
    with pytest.raises(InputError, match=r"not a \.safetensors file"):
        (tmp_path / "net.onnx").write_bytes(b"")
        create_engine("torch", str(tmp_path / "net.onnx"))


class _Stream:
    def wait_stream(self, other: object) -> None:
        assert isinstance(other, _Stream)


class _Device:
    type = "cuda"


class _Cuda:
    """torch.cuda and its copies, on a processor: what is asked of it, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.did: list[str] = []
        self.graphs = 0
        cuda = self

        class Graph:
            """What was recorded runs again on the same memory."""

            def __init__(self) -> None:
                cuda.graphs += 1

            def replay(self) -> None:
                cuda.did.append("replay")
                self.run()

        class Recording:
            def __init__(self, graph: Graph) -> None: ...

            def __enter__(self) -> None:
                cuda.did.append("record")

            def __exit__(self, *_: object) -> None: ...

        class Side(Recording):
            def __enter__(self) -> None: ...

        class Event:
            def record(self) -> None:
                cuda.did.append("download")

            def synchronize(self) -> None:
                cuda.did.append("wait")

        for name, value in {
            "Stream": lambda device: _Stream(),
            "current_stream": lambda device: _Stream(),
            "stream": Side,
            "graph": Recording,
            "CUDAGraph": Graph,
            "Event": Event,
        }.items():
            monkeypatch.setattr(torch.cuda, name, value)
        init = torch_graph.RecordedGraph.__init__

        def remember(recording: Any, work: Any, pixels: torch.Tensor) -> None:
            init(recording, work, pixels)
            recording._graph.run = lambda: recording._output.copy_(work(recording._input))

        monkeypatch.setattr(torch_graph.RecordedGraph, "__init__", remember)
        monkeypatch.setattr(torch_graph, "pinned", torch.Tensor.clone)

        original = torch.Tensor.to

        def to(self: torch.Tensor, target: Any, **options: Any) -> torch.Tensor:
            if not isinstance(target, _Device):
                return original(self, target, **options)
            assert options == {"non_blocking": True}
            cuda.did.append("upload")
            return self.clone()

        monkeypatch.setattr(torch.Tensor, "to", to)


@pytest.fixture
def on_cuda(weights: str, monkeypatch: pytest.MonkeyPatch) -> tuple[TorchEngine, _Cuda]:
    """An engine that takes the processor for a GPU: what torch records is not tried here."""
    cuda = _Cuda(monkeypatch)
    engine = TorchEngine(load_network(weights)[0], INFO)
    engine._records = True
    engine._device = _Device()  # type: ignore[assignment]
    return engine, cuda


def test_small_batches_are_recorded_once(
    weights: str, crops: np.ndarray, on_cuda: tuple[TorchEngine, _Cuda]
) -> None:
    engine, cuda = on_cuda
    many = np.concatenate([crops, crops, crops])
    expected = _maps(weights, many)
    for start, count in ((0, 1), (1, 1), (0, 2), (1, 2)):
        heatmaps = engine(many[start : start + count])
        np.testing.assert_allclose(heatmaps, expected[start : start + count], atol=1e-5)
    assert cuda.graphs == 2
    assert cuda.did.count("replay") == 4
    # Too large a batch, and an empty one, are run as they are.
    assert len(many) > torch_module._GRAPHED
    np.testing.assert_allclose(engine(many), expected, atol=1e-5)
    assert engine(crops[:0]).shape[0] == 0
    assert cuda.graphs == 2


def test_points_come_later_and_alone(
    weights: str, crops: np.ndarray, on_cuda: tuple[TorchEngine, _Cuda]
) -> None:
    engine, cuda = on_cuda
    maps = _maps(weights, crops)
    engine.start(crops[:1], DEFAULT_DECODER)()
    cuda.did.clear()
    first = crops[:1].copy()
    finish = engine.start(first, DEFAULT_DECODER)
    assert cuda.did == ["upload", "replay", "download"]
    first[:] = 0  # the crops are the caller's again
    # Work of other kinds goes on the same stream; each has a recording of its own.
    other = engine.start(crops[1:2], "quarter")
    heatmaps = engine(crops[2:])
    points, peaks = finish()
    assert cuda.did[-1] == "wait"
    assert cuda.graphs == 3
    for found, i, method in ((points, 0, DEFAULT_DECODER), (other()[0], 1, "quarter")):
        np.testing.assert_allclose(found[0], decode(maps[i], method)[0], atol=0.01)
    np.testing.assert_allclose(peaks[0], decode(maps[0])[1], atol=1e-5)
    np.testing.assert_allclose(heatmaps, maps[2:], atol=1e-5)


def test_without_recording(weights: str, crops: np.ndarray) -> None:
    network, _ = load_network(weights)
    assert not TorchEngine(network, INFO, "f16", graphs=False)._records
    assert not open_torch_engine(weights, "cpu", graphs=False)._records


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_on_a_gpu(weights: str, crops: np.ndarray) -> None:
    expected = _maps(weights, crops)
    with_graph = create_engine("torch", weights)
    assert "f16, CUDA graph" in with_graph.description
    exact = open_torch_engine(weights, "cuda")
    for count in (1, 2, 1, 3):
        np.testing.assert_allclose(exact(crops[:count]), expected[:count], atol=1e-4)
        error = np.abs(with_graph(crops[:count]) - expected[:count])
        assert error.max() < 0.02 * np.abs(expected).max()
    for method in DECODERS:
        maps = exact(crops)
        found, peaks = exact.start(crops, method)()
        np.testing.assert_allclose(found, decode(maps, method)[0], atol=0.01)
        np.testing.assert_allclose(peaks, decode(maps, method)[1], atol=1e-4)
        # Recorded: the second call replays. Two batches on their way, taken in either order.
        with_graph.start(crops[:1], method)()
        later = [with_graph.start(crops[i : i + 1], method) for i in range(2)]
        pairs = [finish() for finish in reversed(later)][::-1]
        for i, (points, _) in enumerate(pairs):
            expected_points = decode(with_graph(crops[i : i + 1]), method)[0]
            assert np.median(np.abs(points - expected_points)) < 0.05
    with_graph.close()
    exact.close()


def test_the_tracker_needs_no_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = None;"
        "import tracker.tracking.face_tracker, tracker.engines, tracker.engines.onnxruntime,"
        "tracker.engines.tensorrt.engine;"
        "from tracker.engines.create import create_engine\n"
        "try: create_engine('torch', 'propnet-s')\n"
        "except Exception as error: print(error)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "the engine 'torch' needs torch: pip install 'propnet-tracker[train]'" in result.stdout
