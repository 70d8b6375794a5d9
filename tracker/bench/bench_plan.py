"""Which networks, engines and numbers of faces `propnet-track bench` measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import cast, get_args

from model.errors import InputError
from model.zoo import INT8, shipped
from tracker.bench.chain_timing import BenchResult
from tracker.bench.device_limit import Device, Limit
from tracker.bench.network_cost import network_work
from tracker.bench.roofline import measure_limit
from tracker.engines.base import Precision, is_on_processor
from tracker.engines.create import ENGINES
from tracker.system.number_list import parse_numbers

PRECISIONS: tuple[str, ...] = get_args(Precision)
# Bytes of a number. A precision that is not here has no limit that could be measured.
_WIDTHS = {"f32": 4, "f16": 2, "bf16": 2}


@dataclass(frozen=True)
class Choice:
    """An engine to measure.

    Attributes:
        engine: a name that `tracker.engines.create.create_engine` takes.
        precision: likewise.
    """

    engine: str
    precision: Precision

    @property
    def name(self) -> str:
        """Like "openvino-bf16"; only the engine where it may choose its precision."""
        return self.engine if self.precision == "auto" else f"{self.engine}-{self.precision}"


def parse_engines(text: str, precision: str) -> tuple[tuple[Choice, ...], bool]:
    """Engines from "all", or from names with commas such as "openvino-bf16,onnxruntime".

    Args:
        text: as given.
        precision: for names that have none.

    Returns:
        The engines, and whether those that cannot run here are to be left out.

    Raises:
        InputError: an unknown engine or precision.
    """
    if precision not in PRECISIONS:
        known = ", ".join(PRECISIONS)
        raise InputError(f"no precision {precision!r}; choose one of {known}.")
    if text == "all":
        kinds = [p for p in PRECISIONS if p != "auto"] if precision == "auto" else [precision]
        pairs = product([name for name in ENGINES if name != "auto"], kinds)
        return tuple(Choice(name, cast(Precision, kind)) for name, kind in pairs), True
    choices = []
    for part in text.split(","):
        name, dash, kind = part.strip().partition("-")
        if name not in ENGINES:
            raise InputError(f"no engine {name!r}; choose all, or some of {', '.join(ENGINES)}.")
        if dash and kind not in PRECISIONS:
            raise InputError(f"no precision {kind!r}; choose one of {', '.join(PRECISIONS)}.")
        choices.append(Choice(name, cast(Precision, kind if dash else precision)))
    return tuple(dict.fromkeys(choices)), False


def parse_weights(texts: Sequence[str]) -> tuple[str, ...]:
    """Networks from names and paths, each of which may be a list with commas, or "all".

    Raises:
        InputError: "all", where no network is shipped.
    """
    names: list[str] = []
    for part in (part.strip() for text in texts for part in text.split(",")):
        if part == "all":
            stems = {Path(file).stem for file in shipped() if file.endswith(".onnx")}
            # A network in 8 bits is one of the precisions of the one in floats.
            found = sorted(stem for stem in stems if not stem.endswith(INT8))
            if not found:
                raise InputError("no networks are shipped: give the path of an .onnx file.")
            names += found
        else:
            names.append(part)
    return tuple(dict.fromkeys(names))


def parse_faces(text: str) -> tuple[int, ...]:
    """Numbers of faces from "1,4".

    Raises:
        InputError: not numbers over 0.
    """
    return tuple(dict.fromkeys(parse_numbers(text, "faces", "numbers", "1,4")))


@dataclass(frozen=True)
class Possible:
    """What the device could do at most.

    Attributes:
        device: what was measured, like "cpu, 32 bits".
        ms: the network's faces of one frame in that time, milliseconds.
        times: how many times that the engine took.
    """

    device: str
    ms: float
    times: float


class Limits:
    """Limits of the devices that engines ran on, each measured once."""

    def __init__(self) -> None:
        self.measured: dict[str, Limit | None] = {}

    def compare(self, weights: str, precision: str, result: BenchResult) -> Possible | None:
        """Set an engine's time against what its device could do.

        Args:
            weights: of the network.
            precision: that was asked for.
            result: what was measured.

        Returns:
            None where the limit cannot be measured (see `tracker.bench.roofline`) or the
            network not be counted: it is not an .onnx file, or another one follows the faces.
        """
        # "auto" is f32 on a processor and f16 on a GPU.
        device: Device = "cpu" if is_on_processor(result.engine) else "cuda"
        kind = {"cpu": "f32", "cuda": "f16"}[device] if precision == "auto" else precision
        if kind not in _WIDTHS or Path(weights).suffix not in ("", ".onnx") or result.follower:
            return None
        if ", int8" in result.engine:  # what "auto" took; NumPy has no such products
            return None
        width = _WIDTHS[kind]
        name = f"{device}, {8 * width} bits"
        if name not in self.measured:
            self.measured[name] = measure_limit(device, width)
        limit = self.measured[name]
        if limit is None or "engine" not in result.stage_ms or not result.faces_per_frame:
            return None
        least = 1000 * limit.seconds(network_work(weights, width), result.faces_per_frame)
        return Possible(name, least, result.stage_ms["engine"] / least)
