"""`python -m export.speed`: every engine's time for a batch of faces, beside the device's limit.

The network alone; `propnet-track bench` measures the whole chain from file to file.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Annotated

import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table

from export.candidates import CANDIDATES, Network, chosen, int8_network, opened
from export.limit import Limit, measure_limit, network_work
from model.errors import InputError, run_command
from model.files import replacing
from model.weights import load_network
from model.zoo import find_weights
from tracker.engines import Engine
from tracker.engines.onnx_file import read_onnx

# Long enough for a steady clock, and enough runs for a median.
_SECONDS = 2.0
_RUNS = 10
_WARM_UP = 3
# A processor computes fp16 graphs by converting to fp32 and back: a check, not a way to run.
_NOT_MEASURED = {"onnxruntime-f16"}

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Speed:
    """How fast an engine is.

    Attributes:
        name: of the candidate.
        engine: its description.
        batch: crops at once.
        milliseconds: median time for the batch, normalisation and copies included.
        faces_per_second: crops per second.
        times_limit: that time over the least that the device's measured speeds allow; None in
            8 bits, whose limit is not measured.
    """

    name: str
    engine: str
    batch: int
    milliseconds: float
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
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures here; replaces the file.")
    ] = None,
) -> None:
    """Measure the network alone in every engine that runs here."""
    batches = _parse(batch)
    names = [name for name in chosen(engines) if name not in _NOT_MEASURED]
    if threads is not None:
        torch.set_num_threads(threads)
    _, metadata = load_network(weights)
    path = Path(weights)
    file = path.with_suffix(".onnx") if path.suffix else find_weights(weights, ".onnx")
    size = read_onnx(str(file)).info.input_size
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 256, (max(batches), size, size, 3), dtype=np.uint8)
    network = Network(weights, file, None, crops, threads, int8_network(weights))
    console = Console()
    limits: dict[str, Limit] = {}
    results, missing = [], {}
    for name in names:
        try:
            with console.status(f"measuring {name}"), opened(name, network) as engine:
                device, width = _kind(name)
                kind = f"{device}, {8 * width} bits"
                if kind not in limits and width > 1:
                    limits[kind] = measure_limit(device, _dtype(device, width))
                work = network_work(metadata.config, size, width)
                limit = limits.get(kind)
                for count in batches:
                    seconds = _time(engine, crops[:count])
                    results.append(
                        Speed(
                            name,
                            engine.description,
                            count,
                            1000 * seconds,
                            count / seconds,
                            seconds / limit.seconds(work, count) if limit else None,
                        )
                    )
        except InputError as error:
            if engines != "all":
                raise
            missing[name] = str(error)
    console.print(_table(f"{metadata.name}, {size} x {size}", results))
    for kind, limit in limits.items():
        console.print(
            f"limit on {kind}: {limit.macs / 1e9:.0f} GMAC/s, {limit.bandwidth / 1e9:.1f} GB/s"
        )
    for name, reason in missing.items():
        console.print(f"not measured: {name}: {reason}", soft_wrap=True, highlight=False)
    if json_file is not None:
        figures = {
            "weights": metadata.name,
            "input_size": size,
            "limits": {kind: asdict(limit) for kind, limit in limits.items()},
            "engines": [asdict(result) for result in results],
            "not_measured": missing,
        }
        with replacing(json_file) as partial:
            partial.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _parse(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.strip().isdecimal() and int(part) for part in parts):
        raise InputError(f"the batch {text!r} must be numbers of faces with commas, as in 1,4.")
    return tuple(int(part) for part in parts)


def _kind(name: str) -> tuple[str, int]:
    """Device and bytes per number of a candidate."""
    on_gpu = name.startswith(("tensorrt", "torch"))
    width = 1 if name.endswith("int8") else 4 if CANDIDATES[name].exact else 2
    return "cuda" if on_gpu else "cpu", width


def _dtype(device: str, width: int) -> torch.dtype:
    if width == 4:
        return torch.float32
    return torch.float16 if device == "cuda" else torch.bfloat16


def _time(engine: Engine, crops: np.ndarray) -> float:
    """Median seconds of a call."""
    for _ in range(_WARM_UP):
        engine(crops)
    times: list[float] = []
    while len(times) < _RUNS or sum(times) < _SECONDS:
        start = perf_counter()
        engine(crops)
        times.append(perf_counter() - start)
    return float(np.median(times))


def _table(heading: str, results: list[Speed]) -> Table:
    table = Table(title=heading, caption="median of a call; times limit: over the least possible")
    table.add_column("engine", no_wrap=True)
    for column in ("batch", "ms", "faces/s", "times limit"):
        table.add_column(column, justify="right", no_wrap=True)
    for result in results:
        table.add_row(
            result.name,
            str(result.batch),
            f"{result.milliseconds:.2f}",
            f"{result.faces_per_second:.0f}",
            "-" if result.times_limit is None else f"{result.times_limit:.1f}",
        )
    return table


def main() -> None:
    """Entry point."""
    run_command(app)


if __name__ == "__main__":
    main()
