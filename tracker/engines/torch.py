"""PyTorch: the reference for the other engines, and the way to a GPU that needs no TensorRT.

The tracker itself needs no torch: only this file imports it.
"""

from __future__ import annotations

import copy
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.errors import InputError
from model.propnet import PropNet
from model.weights import load_network
from tracker.engines.base import ModelInfo, Precision, normalize

# Batches up to this size get a CUDA graph each. Larger ones keep the GPU busy for longer than the
# launches take.
_GRAPHED = 8
# torch's own recipe for recording: libraries set themselves up in the first runs.
_WARM_UP = 3


class TorchEngine:
    """Runs a network in memory on the device where it lies.

    On a CPU in float32. On a GPU in float32 without TF32, or in float16 with a CUDA graph for each
    small batch size; crops are normalised there.

    The network may be in training: it is put into evaluation mode for each call and back. In
    float16 a copy is run, made here.

    Args:
        network: the network.
        info: what it is; `input_size` is the crop side that the callers will use.
        precision: "f32" or "f16".
    """

    def __init__(
        self, network: PropNet, info: ModelInfo, precision: Literal["f32", "f16"] = "f32"
    ) -> None:
        self.info = info
        self._half = precision == "f16"
        self._network: PropNet | None = half_network(network) if self._half else network
        self._device = next(network.parameters()).device
        self._graphs: dict[int, _Graph] = {}
        self._records = self._half and self._device.type == "cuda"
        self.description = (
            f"PyTorch {torch.__version__}, {_describe(self._device)}, "
            f"{'fp16' if self._half else 'fp32'}{', CUDA graph' if self._records else ''}"
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
        if self._network is None:
            raise RuntimeError("this engine was closed")
        training = self._network.training
        self._network.eval()
        try:
            # TF32 would be fp16's precision under fp32's name.
            with (
                torch.inference_mode(),
                torch.backends.cudnn.flags(enabled=True, benchmark=self._records, allow_tf32=False),
            ):
                maps = self._run(self._network, crops)
                return np.ascontiguousarray(maps.float().cpu().numpy())
        finally:
            self._network.train(training)

    def close(self) -> None:
        """Let go of the network."""
        self._network = None
        self._graphs.clear()

    def _run(self, network: PropNet, crops: NDArray[np.uint8]) -> Tensor:
        if self._device.type == "cpu":
            planes = torch.from_numpy(normalize(crops))
            return network.landmarks(self._laid_out(planes))
        # A quarter of the bytes go to the GPU before they are normalised.
        pixels = torch.from_numpy(np.ascontiguousarray(crops)).to(self._device)
        if not self._records or not 0 < len(crops) <= _GRAPHED:
            return network.landmarks(self._laid_out(normalize_pixels(pixels)))
        if len(crops) not in self._graphs:
            self._graphs[len(crops)] = _Graph(self, network, pixels)
        return self._graphs[len(crops)](pixels)

    def _laid_out(self, planes: Tensor) -> Tensor:
        planes = planes.half() if self._half else planes
        return planes.contiguous(memory_format=torch.channels_last)


class _Graph:
    """The network recorded for one batch size: a single launch instead of hundreds."""

    def __init__(self, engine: TorchEngine, network: PropNet, pixels: Tensor) -> None:
        self._input = pixels.clone()

        def run() -> Tensor:
            return network.landmarks(engine._laid_out(normalize_pixels(self._input)))

        side_stream = torch.cuda.Stream(pixels.device)
        side_stream.wait_stream(torch.cuda.current_stream(pixels.device))
        with torch.cuda.stream(side_stream):
            for _ in range(_WARM_UP):
                run()
        torch.cuda.current_stream(pixels.device).wait_stream(side_stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._output = run()

    def __call__(self, pixels: Tensor) -> Tensor:
        """Heatmaps of the pixels; overwritten by the next call."""
        self._input.copy_(pixels)
        self._graph.replay()
        return self._output


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
    weights: str, device: str = "auto", precision: Precision = "f32"
) -> TorchEngine:
    """Load trained weights into an engine.

    Args:
        weights: a shipped name or the path of a .safetensors file.
        device: "auto" (a GPU if torch sees one), "cpu", "cuda" or "cuda:1".
        precision: "f32", "f16" (on a GPU), or "auto": f16 on a GPU, f32 on a CPU.

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
    if precision in ("bf16", "int8") or (precision == "f16" and not device.startswith("cuda")):
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
    return TorchEngine(
        network,
        ModelInfo(metadata.name, metadata.config.markup, metadata.input_size, metadata.sha256),
        "f16" if precision == "f16" else "f32",
    )


def create_torch_engine(
    weights: str, threads: int | None = None, precision: Precision = "auto"
) -> TorchEngine:
    """The engine `torch` of `tracker.engines.create_engine`; torch's threads are the process's."""
    if threads is not None:
        torch.set_num_threads(threads)
    return open_torch_engine(weights, "auto", precision)


def _describe(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()
