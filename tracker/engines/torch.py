"""PyTorch: the reference for the other engines, and the way to a GPU that needs no TensorRT.

The tracker itself needs no torch: only this file imports it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.decoder import Decoder
from model.errors import InputError
from model.network.propnet import PropNet
from model.weights import Metadata, load_network
from tracker.engines.base import Maps, ModelInfo, Points, Precision, normalize
from tracker.engines.torch_decode import decode_maps
from tracker.engines.torch_graph import RecordedGraph, download, upload
from tracker.system.home_process import HomeProcess

# Batches up to this size get a CUDA graph each. Larger ones keep the GPU busy for longer than the
# launches take.
_GRAPHED = 8


class TorchEngine:
    """Runs a network in memory on the device where it lies.

    On a CPU in float32. On a GPU in float32 without TF32, or in float16 with a CUDA graph for each
    small batch size; crops are normalised and heatmaps decoded there.

    The network may be in training: it is put into evaluation mode for each call and back. In
    float16 a copy is run, made here.

    Args:
        network: the network.
        info: what it is; `input_size` is the crop side that the callers will use.
        precision: "f32" or "f16".
        graphs: False runs without CUDA graphs, to see what they win.
    """

    def __init__(
        self,
        network: PropNet,
        info: ModelInfo,
        precision: Literal["f32", "f16"] = "f32",
        graphs: bool = True,
    ) -> None:
        self._home = HomeProcess("this engine was made")
        self.info = info
        self.maps = network.has_maps
        self._half = precision == "f16"
        self._network: PropNet | None = half_network(network) if self._half else network
        self._device = next(network.parameters()).device
        self._graphs: dict[tuple[int, Decoder | None], RecordedGraph] = {}
        self._records = graphs and self._half and self._device.type == "cuda"
        self.description = (
            f"PyTorch {torch.__version__}, {_describe(self._device)}, "
            f"{'f16' if self._half else 'f32'}{', CUDA graph' if self._records else ''}"
        )

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run the network.

        Args:
            crops: [N, S, S, 3], RGB, any N >= 0.

        Returns:
            Landmark heatmaps, [N, K, S/4, S/4].

        Raises:
            RuntimeError: the engine was closed.
        """
        return self._begin(crops, None)()

    def start(self, crops: NDArray[np.uint8], decoder: Decoder) -> Callable[[], Points]:
        """Put crops on their way; see `tracker.engines.base.PointEngine`.

        On a CPU nothing happens before the points are fetched.

        Raises:
            RuntimeError: the engine was closed.
        """
        finish = self._begin(crops, decoder)

        def points() -> Points:
            found = finish()
            return np.ascontiguousarray(found[..., :2]), found[..., 2].astype(np.float32)

        return points

    def with_maps(self, crops: NDArray[np.uint8]) -> tuple[NDArray[np.float32], Maps]:
        """Run the network, without a CUDA graph; see `tracker.engines.base.MapEngine`.

        Raises:
            RuntimeError: the engine was closed.
        """
        network = self._opened()
        with self._inference(network):
            planes = torch.from_numpy(normalize(crops)).to(self._device)
            output = network.inference(self._laid_out(planes))
            assert output.boundaries is not None and output.attention is not None
            maps = Maps(_array(output.boundaries), _array(output.attention.float().mean(dim=1)))
            return _array(output.landmarks), maps

    def close(self) -> None:
        """Let go of the network."""
        self._network = None
        self._graphs.clear()

    def _begin(
        self, crops: NDArray[np.uint8], decoder: Decoder | None
    ) -> Callable[[], NDArray[Any]]:
        """Begin on a GPU; returns what waits for the heatmaps, or with a decoder the points."""
        network = self._opened()

        def work(pixels: Tensor) -> Tensor:
            return self._found(network, normalize_pixels(pixels), decoder)

        if self._device.type == "cpu":

            def compute() -> NDArray[Any]:
                with self._inference(network):
                    planes = torch.from_numpy(normalize(crops))
                    return np.ascontiguousarray(self._found(network, planes, decoder).numpy())

            return compute
        with self._inference(network):
            # A quarter of the bytes go to the GPU before they are normalised.
            pixels = upload(crops, self._device)
            if not self._records or not 0 < len(crops) <= _GRAPHED:
                return download(work(pixels))
            key = len(crops), decoder
            if key not in self._graphs:
                self._graphs[key] = RecordedGraph(work, pixels)
            return download(self._graphs[key](pixels))

    def _found(self, network: PropNet, planes: Tensor, decoder: Decoder | None) -> Tensor:
        """From normalised crops to 32-bit heatmaps, or decoded."""
        maps = network.landmarks(self._laid_out(planes)).float()
        return maps if decoder is None else decode_maps(maps, decoder)

    def _laid_out(self, planes: Tensor) -> Tensor:
        planes = planes.half() if self._half else planes
        return planes.contiguous(memory_format=torch.channels_last)

    def _opened(self) -> PropNet:
        self._home.check()
        if self._network is None:
            raise RuntimeError("this engine was closed")
        return self._network

    @contextmanager
    def _inference(self, network: PropNet) -> Iterator[None]:
        """Evaluation without gradients; afterwards the network is as it was."""
        training = network.training
        network.eval()
        try:
            # TF32 would be f16's precision under f32's name.
            with (
                torch.inference_mode(),
                torch.backends.cudnn.flags(enabled=True, benchmark=self._records, allow_tf32=False),
            ):
                yield
        finally:
            network.train(training)


def _array(values: Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(values.float().cpu().numpy())


def normalize_pixels(pixels: Tensor) -> Tensor:
    """`tracker.engines.base.normalize` in torch, on the device of the pixels.

    Args:
        pixels: [N, S, S, 3], uint8, RGB.

    Returns:
        [N, 3, S, S], float32 in [-1, 1].
    """
    return pixels.permute(0, 3, 1, 2).float() * np.float32(1 / 127.5).item() - 1


def half_network(network: PropNet) -> PropNet:
    """A copy of a network that computes in float16, for inference.

    Batch normalisation keeps its variances and means in float32, which torch allows.
    """
    half = copy.deepcopy(network).eval().half()
    for module in half.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.float()
    return half


def open_torch_engine(
    weights: str, device: str = "auto", precision: Precision = "f32", graphs: bool = True
) -> TorchEngine:
    """Load trained weights into an engine.

    Args:
        weights: a shipped name or the path of a .safetensors file.
        device: "auto" (a GPU if torch sees one), "cpu", "cuda" or "cuda:1".
        precision: "f32", "f16" (on a GPU), or "auto": f16 on a GPU, f32 on a CPU.
        graphs: as for `TorchEngine`.

    Returns:
        The engine.

    Raises:
        InputError: no such weights, a damaged file, no such device, or a precision that the device
            does not have.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if precision == "auto":
        precision = "f16" if device.startswith("cuda") else "f32"
    if precision not in ("f32", "f16") or (precision == "f16" and not device.startswith("cuda")):
        raise InputError(
            f"the engine 'torch' has no precision {precision!r} on the device {device!r}: use f32."
        )
    network, metadata = load_network(weights)
    try:
        network = network.to(torch.device(device))
    except (RuntimeError, AssertionError) as error:
        first = str(error).splitlines()[0]
        raise InputError(f"torch cannot use the device {device!r}: {first}.") from error
    # Module.to(memory_format=...), which torch's own types do not know.
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.contiguous(memory_format=torch.channels_last)
    return TorchEngine(network, model_info(metadata), precision, graphs)


def model_info(metadata: Metadata) -> ModelInfo:
    """What an engine says about trained weights."""
    return ModelInfo(
        metadata.name,
        metadata.config.markup,
        metadata.input_size,
        metadata.sha256,
        metadata.calibration,
        metadata.correction,
    )


def create_torch_engine(
    weights: str,
    threads: int | None = None,
    precision: Precision = "auto",
    maps: bool = False,
) -> TorchEngine:
    """The engine `torch` of `create_engine`; torch's threads are the process's."""
    if threads is not None:
        torch.set_num_threads(threads)
    engine = open_torch_engine(weights, "auto", precision)
    if maps and not engine.maps:
        raise InputError(
            f"the network {weights} has no boundary and attention maps to draw: its landmarks "
            "depend on no propagation module."
        )
    return engine


def _describe(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()
