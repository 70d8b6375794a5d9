"""`python -m export.speed`: every engine's time for a batch of faces, beside the device's limit.

The network alone; `propnet-track bench` measures the whole chain from file to file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from export.compared_engines import CANDIDATES, Network, chosen, int8_network, opened
from export.untrained_network import make_untrained
from model.config import VARIANTS
from model.decoder import DEFAULT_DECODER, decode
from model.errors import InputError, run_command
from model.files import reserve_output, write_json
from model.weights import load_network
from model.zoo import find_weights
from tracker.bench.device_limit import Device, Limit
from tracker.bench.network_cost import network_work
from tracker.bench.roofline import measure_limit
from tracker.engines.base import Engine, PointEngine
from tracker.engines.onnx_file import read_onnx
from tracker.system.number_list import parse_numbers

# Enough for a median.
_RUNS = 10
_WARM_UP = 3
# A processor computes f16 graphs by converting to f32 and back: a check, not a way to run.
_NOT_MEASURED = {"onnxruntime-f16"}

_CAPTION = (
    "medians of a call, ms: crops to heatmaps; to points as the tracker does it; to points decoded "
    "on the processor. times limit: heatmaps over the least possible"
)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Speed:
    """How fast an engine is.

    Attributes:
        name: of the candidate.
        engine: its description.
        batch: crops at once.
        milliseconds: median time from crops to heatmaps, normalisation and copies included.
        points_milliseconds: from crops to points, decoded where the tracker has it done.
        decoded_here_milliseconds: from crops to points, the heatmaps decoded on the processor.
        faces_per_second: crops per second, from crops to heatmaps.
        times_limit: that time over the least that the device's measured speeds allow; None in
            8 bits, whose limit is not measured.
    """

    name: str
    engine: str
    batch: int
    milliseconds: float
    points_milliseconds: float
    decoded_here_milliseconds: float
    faces_per_second: float
    times_limit: float | None


@app.command()
def speed(
    *,
    weights: Annotated[
        str, typer.Option(help="Shipped name, or a .safetensors file with its .onnx beside it.")
    ] = "propnet-s",
    engines: Annotated[
        str, typer.Option(metavar="all|NAME,...", help=f"Of {', '.join(CANDIDATES)}.")
    ] = "all",
    batch: Annotated[str, typer.Option(metavar="N,...", help="Faces at once.")] = "1,4",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    graphs: Annotated[
        bool, typer.Option("--graphs/--no-graphs", help="CUDA graphs, where an engine has them.")
    ] = True,
    untrained: Annotated[
        bool,
        typer.Option(
            "--untrained",
            help=f"Random weights, with --weights one of {', '.join(VARIANTS)}: time is the same.",
        ),
    ] = False,
    size: Annotated[
        int, typer.Option("--input-size", help="Side of the input of --untrained, pixels.")
    ] = 256,
    seconds: Annotated[
        float, typer.Option(min=0, help="Of each measurement: enough for a steady clock.")
    ] = 2.0,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures here; replaces the file.")
    ] = None,
) -> None:
    """Measure the network alone in every engine that runs here.

    The JSON file is written anew after each batch size: who stops this has what was measured.
    """
    if json_file is not None:
        reserve_output(json_file, overwrite=True)
    with ExitStack() as stack:
        if untrained:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            weights = str(make_untrained(weights, size, folder))
        _measure(
            weights,
            engines=engines,
            batch=batch,
            threads=threads,
            graphs=graphs,
            seconds=seconds,
            json_file=json_file,
        )


def _measure(
    weights: str,
    *,
    engines: str,
    batch: str,
    threads: int | None,
    graphs: bool,
    seconds: float,
    json_file: Path | None,
) -> None:
    """Measure, print and write; see `speed`."""
    batches = parse_numbers(batch, "batch", "numbers of faces", "1,4")
    names = [name for name in chosen(engines) if name not in _NOT_MEASURED]
    if threads is not None:
        torch.set_num_threads(threads)
    _, metadata = load_network(weights)
    path = Path(weights)
    file = path.with_suffix(".onnx") if path.suffix else find_weights(weights, ".onnx")
    size = read_onnx(str(file)).info.input_size
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 256, (max(batches), size, size, 3), dtype=np.uint8)
    network = Network(weights, file, None, crops, threads, graphs, int8_network(weights))
    console = Console()
    limits: dict[str, Limit] = {}
    results: list[Speed] = []
    missing: dict[str, str] = {}

    def keep() -> None:
        if json_file is not None:
            figures = {
                "weights": metadata.name,
                "input_size": size,
                "limits": {kind: asdict(limit) for kind, limit in limits.items()},
                "engines": [asdict(result) for result in results],
                "not_measured": missing,
            }
            write_json(json_file, figures)

    for name in names:
        try:
            with console.status(f"measuring {name}"), opened(name, network) as engine:
                device, width = _kind(name)
                kind = f"{device}, {8 * width} bits"
                if kind not in limits and width > 1:
                    found = measure_limit(device, width)
                    assert found is not None  # there is torch
                    limits[kind] = found
                work = network_work(str(file), width)
                limit = limits.get(kind)
                for count in batches:
                    least = limit.seconds(work, count) if limit else None
                    results.append(_speed(name, engine, crops[:count], least, seconds))
                    keep()
        except InputError as error:
            if engines != "all":
                raise
            missing[name] = str(error)
    keep()
    console.print(_table(f"{metadata.name}, {size} x {size}", results))
    for kind, limit in limits.items():
        console.print(
            f"limit on {kind}: {limit.macs / 1e9:.0f} GMAC/s, {limit.bandwidth / 1e9:.1f} GB/s"
        )
    for name, reason in missing.items():
        console.print(f"not measured: {name}: {reason}", soft_wrap=True, highlight=False)


def _kind(name: str) -> tuple[Device, int]:
    """Device and bytes per number of a candidate."""
    on_gpu = name.startswith(("tensorrt", "torch"))
    width = 1 if name.endswith("int8") else 4 if CANDIDATES[name].exact else 2
    return "cuda" if on_gpu else "cpu", width


def _speed(
    name: str, engine: Engine, crops: NDArray[np.uint8], least: float | None, long: float
) -> Speed:
    """Measure an engine with a batch for which the device needs `least` seconds, if known."""
    seconds = _time(engine, crops, long)
    here = there = _time(lambda batch: decode(engine(batch)), crops, long)
    if isinstance(engine, PointEngine):
        there = _time(lambda batch: engine.start(batch, DEFAULT_DECODER)(), crops, long)
    return Speed(
        name,
        engine.description,
        len(crops),
        1000 * seconds,
        1000 * there,
        1000 * here,
        len(crops) / seconds,
        seconds / least if least else None,
    )


def _time(
    run: Callable[[NDArray[np.uint8]], object], crops: NDArray[np.uint8], seconds: float
) -> float:
    """Median seconds of a call, measured for so many seconds."""
    for _ in range(_WARM_UP):
        run(crops)
    times: list[float] = []
    while len(times) < _RUNS or sum(times) < seconds:
        start = perf_counter()
        run(crops)
        times.append(perf_counter() - start)
    return float(np.median(times))


def _table(heading: str, results: list[Speed]) -> Table:
    table = Table(title=heading, caption=_CAPTION)
    table.add_column("engine", no_wrap=True)
    for column in ("batch", "ms", "to points", "decoded here", "faces/s", "times limit"):
        table.add_column(column, justify="right", no_wrap=True)
    for result in results:
        table.add_row(
            result.name,
            str(result.batch),
            f"{result.milliseconds:.2f}",
            f"{result.points_milliseconds:.2f}",
            f"{result.decoded_here_milliseconds:.2f}",
            f"{result.faces_per_second:.0f}",
            "-" if result.times_limit is None else f"{result.times_limit:.1f}",
        )
    return table


def main() -> None:
    """Entry point."""
    run_command(app)


if __name__ == "__main__":
    main()
