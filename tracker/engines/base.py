"""What every inference engine offers, and the one input normalisation."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from model.confidence import Calibration
from model.decoder import Decoder
from model.markup import Markup
from model.shape_correction import ShapeCorrection

Precision = Literal["auto", "f32", "f16", "bf16", "int8"]
# What `model.decoder.decode` gives: points [N, K, 2] in crop pixels, and peaks [N, K].
Points = tuple[NDArray[np.float64], NDArray[np.float32]]


@dataclass(frozen=True)
class ModelInfo:
    """What a weights file says about the network inside it.

    Attributes:
        name: for example "propnet-s".
        markup: its landmarks.
        input_size: side S of the square crop the network reads, pixels.
        weights_sha256: SHA-256 of the trained weights the file was exported from, hexadecimal.
        calibration: what the heights of its peaks mean; None if that was never fitted.
        correction: where labels lie beside its peaks, likewise.
    """

    name: str
    markup: Markup
    input_size: int
    weights_sha256: str
    calibration: Calibration | None = None
    correction: ShapeCorrection | None = None

    def corrected(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Decoded points [..., K, 2] of whole faces, any frame, moved to where labels have them."""
        return points if self.correction is None else self.correction(points)


class BuildWatcher(Protocol):
    """Told about the building of an engine, which may take minutes."""

    def say(self, text: str) -> object:
        """Take a sentence for the user: what is built, why, and how long it took."""

    def report(self, phase: str, done: float) -> object:
        """Take the phase of the build and its share done, 0..1."""


class LogWatcher:
    """A `BuildWatcher` for programs: sentences go to the logger `propnet`, at level INFO."""

    def say(self, text: str) -> None:
        """Log it."""
        logging.getLogger("propnet").info(text)

    def report(self, phase: str, done: float) -> None:
        """Nothing: a log is no progress bar."""


class Engine(Protocol):
    """A network ready to run.

    An engine is not safe to call from two threads at once: it reuses its input and output
    buffers. Give every thread a tracker, and so an engine, of its own. A forked process cannot use
    its parent's engine, and is told so by `InputError`: start processes by
    `multiprocessing.get_context("spawn")`.

    Attributes:
        info: what the weights file says.
        description: engine, version, device and precision, for people
            ("OpenVINO 2026.4, CPU, bf16").
    """

    info: ModelInfo
    description: str

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run the network.

        Args:
            crops: [N, S, S, 3], RGB, any N >= 0.

        Returns:
            Landmark heatmaps, [N, K, S/4, S/4]. The array belongs to the caller.
        """
        ...

    def close(self) -> None:
        """Release the network; calling the engine afterwards is an error."""
        ...


class Maps(NamedTuple):
    """What the network made of a face on its way to the last landmark heatmaps, to look at.

    Of the last propagation module that the landmarks depend on (for two stacks, the first one's).

    Attributes:
        boundaries: [..., M, S/4, S/4], float32, the predicted boundary heatmaps, about 0..1.
        attention: [..., S/4, S/4], float32 in 0..1, the attention map's mean over its channels.
    """

    boundaries: NDArray[np.float32]
    attention: NDArray[np.float32]


class MapEngine(Engine, Protocol):
    """An engine that can hand out maps too, if it was made for that (`maps`)."""

    maps: bool

    def with_maps(self, crops: NDArray[np.uint8]) -> tuple[NDArray[np.float32], Maps]:
        """Run the network: heatmaps as from a call, and maps of N faces; both the caller's."""
        ...


@runtime_checkable
class PointEngine(Engine, Protocol):
    """An engine that decodes where it computes, while the processor does something else."""

    def start(self, crops: NDArray[np.uint8], decoder: Decoder) -> Callable[[], Points]:
        """Put crops on their way to the network and its decoder.

        Args:
            crops: [N, S, S, 3], RGB, any N >= 0.
            decoder: as for `model.decoder.decode`.

        Returns:
            Waits for the points and peaks and gives them. To be called at most once, and before
            the engine is used again.
        """
        ...


def on_processor(library: str, precision: str, threads: int) -> str:
    """Description of an engine on a processor: "OpenVINO 2026.4, CPU, f32, 1 thread"."""
    return f"{library}, CPU, {precision}, {threads} thread{'s' * (threads != 1)}"


def is_on_processor(description: str) -> bool:
    """Whether an engine with a description runs on the processor: every engine names its device."""
    return ", CPU" in description


def normalize(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Turn crops into the network's input: `x / 127.5 - 1`, planes first.

    Training and every engine use this function. NumPy, OpenCV's blob functions and look-up tables
    were measured within 0.1 ms of each other for a 256 pixel crop (0.1 ms), so the plainest one is
    kept.

    Args:
        crops: [N, S, S, 3], uint8, RGB.

    Returns:
        [N, 3, S, S], float32 in [-1, 1], contiguous.
    """
    count, height, width, channels = crops.shape
    planes = np.empty((count, channels, height, width), dtype=np.float32)
    np.multiply(crops.transpose(0, 3, 1, 2), np.float32(1 / 127.5), out=planes)
    planes -= np.float32(1)
    return planes
