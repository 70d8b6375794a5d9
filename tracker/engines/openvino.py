"""OpenVINO on the CPU: the fastest engine on x86 processors."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from model.decoder import DEFAULT_DECODER, Decoder, decode
from model.errors import InputError
from tracker.engines.base import Maps, Points, Precision, on_processor
from tracker.engines.decoder_graph import PEAKS, POINTS
from tracker.engines.onnx_file import ATTENTION, BOUNDARIES, OUTPUT, read_onnx
from tracker.engines.openvino_network import DEVICE, OpenVinoNetwork, core
from tracker.system.home_process import HomeProcess


class OpenVinoEngine:
    """A network in OpenVINO; how faces share the threads is told at `OpenVinoNetwork`.

    The compiled network reads pixels as they are in a picture and decodes its heatmaps by itself
    (`tracker.engines.decoder_graph`), but for bf16, whose whole numbers end at 256. For heatmaps
    themselves it is compiled once more, when somebody asks for them.

    bf16 is two to three times as fast where the processor has AMX, and just as accurate on average
    (dev NME 4.526 against 4.524 %), but it moves single points: by 0.06 px of a 128 px crop on
    average, by 0.4 px at the 99th percentile. It is a choice. int8 moves them as much (0.09 and
    0.35 px); which shipped files are taken by themselves is `tracker.engines.create`'s to say.

    Thread safety: see `tracker.engines.base.Engine`.

    Args:
        weights: a shipped name or the path of an .onnx file.
        threads: CPU threads; None for as few as keep up with a camera, and all for several faces.
        precision: "f32", "bf16" (needs a processor with AVX-512 BF16 or AMX), "int8" (a file of
            export.quantize) or "auto": f32, or int8 if that is what the file is in.
        maps: whether `with_maps` will be called.
        keep: whether the compiled network is kept for the next start.

    Raises:
        InputError: unusable weights, or a precision this processor does not have.
    """

    def __init__(
        self,
        weights: str,
        threads: int | None = None,
        precision: Precision = "auto",
        maps: bool = False,
        *,
        keep: bool = True,
    ) -> None:
        _started().check()
        kind = _choose(precision)
        file = read_onnx(weights, precision, maps)
        self.maps = maps
        self._decodes = kind != "bf16" and not maps

        def load(decodes: bool) -> OpenVinoNetwork:
            return OpenVinoNetwork(file, (DEFAULT_DECODER,) if decodes else (), kind, threads, keep)

        self._load = load
        # By whether they decode.
        self._networks: dict[bool, OpenVinoNetwork] | None = {self._decodes: load(self._decodes)}
        used = self._networks[self._decodes].threads
        self._home = HomeProcess("this engine was made")
        self.info = file.info
        version = ".".join(ov.get_version().split("-")[0].split(".")[:2])
        self.description = on_processor(f"OpenVINO {version}", "int8" if file.int8 else kind, used)

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run the network; see `tracker.engines.base.Engine`."""
        return self._network(decodes=False)(crops)[OUTPUT]

    def start(self, crops: NDArray[np.uint8], decoder: Decoder) -> Callable[[], Points]:
        """Run the network and its decoder; see `tracker.engines.base.PointEngine`.

        On a processor there is nothing that could go on meanwhile: all is done when the points are
        asked for. Heatmaps stay where the network has written them.
        """

        def finish() -> Points:
            if not self._decodes or decoder != DEFAULT_DECODER:
                return decode(self(crops), decoder)
            found = self._network(decodes=True)(crops)
            return found[POINTS[decoder]].astype(np.float64), found[PEAKS]

        return finish

    def with_maps(self, crops: NDArray[np.uint8]) -> tuple[NDArray[np.float32], Maps]:
        """Run the network; see `tracker.engines.base.MapEngine`."""
        found = self._network(decodes=False)(crops)
        return found[OUTPUT], Maps(found[BOUNDARIES], found[ATTENTION])

    def close(self) -> None:
        """Release the network; a second call does nothing, nor does one in another process."""
        if not self._home.is_here or self._networks is None:
            return
        for network in self._networks.values():
            network.close()
        self._networks = None

    def _network(self, *, decodes: bool) -> OpenVinoNetwork:
        self._home.check()
        if self._networks is None:
            raise RuntimeError("this engine was closed")
        if decodes not in self._networks:
            self._networks[decodes] = self._load(decodes)
        return self._networks[decodes]


@cache
def _started() -> HomeProcess:
    """Where the first engine was made: OpenVINO's threads are a process's, not an engine's."""
    return HomeProcess("OpenVINO was started")


def _choose(precision: Precision) -> str:
    """The precision of layers in floats, checked against the processor."""
    if precision in ("auto", "f32", "int8"):
        return "f32"
    if precision != "bf16":
        raise InputError(
            f"the engine 'openvino' has no precision {precision!r}: use f32, bf16 or int8."
        )
    # What OpenVINO would choose itself: bf16 only where the processor computes in it.
    native = core().get_property(DEVICE, "INFERENCE_PRECISION_HINT")
    if native != ov.Type.bf16:
        raise InputError("this processor does not compute in bf16: use precision f32 or auto.")
    return "bf16"
