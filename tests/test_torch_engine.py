import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_network import SIZE, save_small
from torch import nn

from model.coordconv import AddCoords, coordinates
from model.errors import InputError
from model.weights import load_network
from tracker.engines import ModelInfo, create_engine, normalize
from tracker.engines import torch as torch_module
from tracker.engines.torch import TorchEngine, half_network, normalize_pixels, open_torch_engine

INFO = ModelInfo("small", "wflw98", SIZE, "")


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


def test_float16_computes_the_network(weights: str, crops: np.ndarray) -> None:
    """On a CPU, which is slow but rounds as a GPU does; only a GPU is offered it."""
    network, _ = load_network(weights)
    engine = TorchEngine(network, INFO, "f16")
    assert engine.description.endswith("CPU, fp16")
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


class _Nothing:
    def __init__(self, *_: object) -> None: ...

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


class _Recording:
    """torch.cuda.CUDAGraph: what was recorded runs again on the same memory."""

    made = 0
    replays = 0

    def __init__(self) -> None:
        type(self).made += 1

    def replay(self) -> None:
        type(self).replays += 1


def test_small_batches_are_recorded_once(
    weights: str, crops: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The calls around a CUDA graph, on a CPU: what torch records and replays is not tried here."""
    for name, value in {
        "Stream": lambda device: _Stream(),
        "current_stream": lambda device: _Stream(),
        "stream": _Nothing,
        "graph": _Nothing,
        "CUDAGraph": _Recording,
        "get_device_name": lambda device: "NVIDIA Test",
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
    network, _ = load_network(weights)
    engine = TorchEngine(network, INFO)
    engine._half = False
    engine._records = True

    class Device:
        type = "cuda"

    engine._device = Device()  # type: ignore[assignment]
    monkeypatch.setattr(torch.Tensor, "to", lambda self, device: self.clone())
    expected = _maps(weights, np.concatenate([crops, crops, crops]))
    np.testing.assert_allclose(engine(crops[:1]), expected[:1], atol=1e-5)
    np.testing.assert_allclose(engine(crops[:1]), expected[:1], atol=1e-5)
    np.testing.assert_allclose(engine(crops[:2]), expected[:2], atol=1e-5)
    assert (_Recording.made, _Recording.replays) == (2, 3)
    # Too large a batch, and an empty one, are run as they are.
    many = np.concatenate([crops, crops, crops])
    assert len(many) > torch_module._GRAPHED
    np.testing.assert_allclose(engine(many), expected, atol=1e-5)
    assert engine(crops[:0]).shape[0] == 0
    assert _Recording.made == 2


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_on_a_gpu(weights: str, crops: np.ndarray) -> None:
    expected = _maps(weights, crops)
    with_graph = create_engine("torch", weights)
    assert "fp16, CUDA graph" in with_graph.description
    exact = open_torch_engine(weights, "cuda")
    for count in (1, 2, 1, 3):
        np.testing.assert_allclose(exact(crops[:count]), expected[:count], atol=1e-4)
        error = np.abs(with_graph(crops[:count]) - expected[:count])
        assert error.max() < 0.02 * np.abs(expected).max()
    with_graph.close()
    exact.close()


def test_the_tracker_needs_no_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = None;"
        "import tracker.tracker, tracker.engines, tracker.engines.onnxruntime,"
        "tracker.engines.tensorrt;"
        "from tracker.engines import create_engine\n"
        "try: create_engine('torch', 'propnet-s')\n"
        "except Exception as error: print(error)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "the engine 'torch' needs torch: pip install 'propnet-tracker[train]'" in result.stdout
