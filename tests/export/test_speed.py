import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import export.speed as speed_module
from model.config import VARIANTS
from model.errors import InputError
from tests.support.missing_engines import only_onnxruntime
from tests.support.small_network import CONFIG, SIZE, exported_small
from tracker.bench.device_limit import Limit
from tracker.bench.network_cost import network_work
from tracker.bench.torch_roofline import torch_limit

speed = partial(speed_module.speed, seconds=0.0)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed_module, "_RUNS", 3)
    monkeypatch.setattr(speed_module, "measure_limit", lambda device, width: Limit(1e9, 1e9))


@pytest.mark.parametrize("width", [4, 2])
def test_a_processor_has_a_limit_in_torch(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    import tracker.bench.device_limit as measuring
    import tracker.bench.torch_roofline as limit_module

    monkeypatch.setitem(limit_module._SIDES, "cpu", (64, 128))
    monkeypatch.setattr(limit_module, "_LENGTH", 1 << 16)
    monkeypatch.setattr(measuring, "_SECONDS", 0.0)
    limit = torch_limit("cpu", width)
    # Any processor of this century, under any load, and none of the next.
    assert 1e6 < limit.macs < 1e15
    assert 1e5 < limit.bandwidth < 1e14


def test_figures_of_every_engine_and_batch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "figures.json"
    speed(
        weights=str(exported_small()[0]),
        engines="openvino-f32,onnxruntime",
        batch="1,3",
        threads=1,
        json_file=file,
    )
    figures = json.loads(file.read_text())
    assert [(e["name"], e["batch"]) for e in figures["engines"]] == [
        ("openvino-f32", 1),
        ("openvino-f32", 3),
        ("onnxruntime-f32", 1),
        ("onnxruntime-f32", 3),
    ]
    work = network_work(str(exported_small()[1]), 4)
    for engine in figures["engines"]:
        seconds = engine["milliseconds"] / 1000
        assert engine["faces_per_second"] == pytest.approx(engine["batch"] / seconds)
        least = Limit(1e9, 1e9).seconds(work, engine["batch"])
        assert engine["times_limit"] == pytest.approx(seconds / least)
        points, here = (engine[key] for key in ("points_milliseconds", "decoded_here_milliseconds"))
        assert min(points, here) > 0
        # An engine without a decoder of its own has one figure.
        assert (points == here) == (engine["name"] == "onnxruntime-f32")
    assert list(figures["limits"]) == ["cpu, 32 bits"]
    assert "limit on cpu, 32 bits: 1 GMAC/s, 1.0 GB/s" in capsys.readouterr().out


def test_the_middle_of_the_times_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    # Three warm-up calls, then runs of 1, 5 and 2 seconds: 6.5 are asked for.
    clock = iter([0.0, 1.0, 1.0, 6.0, 6.0, 8.0])
    monkeypatch.setattr(speed_module, "perf_counter", lambda: next(clock))
    calls: list[int] = []
    seconds = speed_module._time(
        lambda crops: calls.append(len(crops)),  # type: ignore[func-returns-value]
        np.zeros((2, 1)),  # type: ignore[arg-type]
        6.5,
    )
    assert seconds == 2
    assert calls == [2] * 6


def test_engines_that_cannot_run_are_listed_or_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    only_onnxruntime(monkeypatch)
    weights = str(exported_small()[0])
    speed(weights=weights, threads=1)
    assert "not measured: tensorrt-f16: no such GPU." in capsys.readouterr().out
    with pytest.raises(InputError, match="no such GPU"):
        speed(weights=weights, engines="tensorrt-f16")
    for batch in ("", "0", "1,x", "-1", "1.5"):
        with pytest.raises(InputError, match="must be numbers of faces"):
            speed(weights=weights, batch=batch)


class Decoding:
    """An engine that decodes by itself; every way of asking it costs another time."""

    info, description = None, ""

    def __init__(self, clock: list[float]) -> None:
        self._clock = clock

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        self._clock[0] += 2.0
        return np.zeros((len(crops), 98, 4, 4), dtype=np.float32)

    def start(self, crops: np.ndarray, decoder: str) -> Any:
        assert decoder == "centroid"

        def finish() -> None:
            self._clock[0] += 0.5

        return finish

    def close(self) -> None: ...


def test_points_are_timed_where_they_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(speed_module, "perf_counter", lambda: clock[0])

    def slow(maps: np.ndarray) -> None:
        clock[0] += 1.0

    monkeypatch.setattr(speed_module, "decode", slow)
    crops = np.zeros((4, 16, 16, 3), dtype=np.uint8)
    result = speed_module._speed("x", Decoding(clock), crops, 0.5, 0.0)  # type: ignore[arg-type]
    assert result.milliseconds == 2000
    assert result.decoded_here_milliseconds == 3000
    assert result.points_milliseconds == 500
    assert (result.faces_per_second, result.times_limit) == (2, 4)


def test_who_stops_it_has_what_was_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real, file = speed_module._speed, tmp_path / "figures.json"

    def stopped(name: str, engine: Any, crops: np.ndarray, *times: Any) -> speed_module.Speed:
        if len(crops) > 1:
            raise KeyboardInterrupt
        return real(name, engine, crops, *times)

    monkeypatch.setattr(speed_module, "_speed", stopped)
    with pytest.raises(KeyboardInterrupt):
        speed(weights=str(exported_small()[0]), engines="onnxruntime", batch="1,2", json_file=file)
    assert [engine["batch"] for engine in json.loads(file.read_text())["engines"]] == [1]


def test_networks_that_nobody_trained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # Fewer layers than the network of the other tests has: tracing it is all that takes time here.
    plain = replace(
        CONFIG, stacks=1, propagation=False, coord_conv=False, blur_kernel=0, block="bottleneck"
    )
    monkeypatch.setitem(VARIANTS, "propnet", plain)
    file = tmp_path / "figures.json"
    options: dict[str, Any] = {"engines": "onnxruntime", "batch": "1", "threads": 1}
    speed(weights="propnet", untrained=True, size=SIZE, json_file=file, **options)
    figures = json.loads(file.read_text())
    assert (figures["weights"], figures["input_size"]) == ("propnet", SIZE)
    assert len(figures["engines"]) == 1
    with pytest.raises(InputError, match="--untrained needs --weights with one of propnet"):
        speed(weights="small", untrained=True, **options)
    with pytest.raises(InputError, match="--input-size 100 must be a multiple of 8"):
        speed(weights="propnet", untrained=True, size=100, **options)


def test_engines_are_opened_with_or_without_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    import export.compared_engines as candidates_module

    asked: list[tuple[str, bool]] = []

    def note(kind: str) -> Any:
        def make(weights: str, one: object, two: object, graphs: bool) -> Any:
            asked.append((kind, graphs))
            raise InputError("no such GPU.")

        return make

    monkeypatch.setattr(candidates_module, "TensorRtEngine", note("tensorrt"))
    monkeypatch.setattr(candidates_module, "open_torch_engine", note("torch"))
    weights = str(exported_small()[0])
    for name in ("tensorrt-f16", "torch-f16"):
        with pytest.raises(InputError):
            speed(weights=weights, engines=name, graphs=False)
        with pytest.raises(InputError):
            speed(weights=weights, engines=name)
    assert asked == [("tensorrt", False), ("tensorrt", True), ("torch", False), ("torch", True)]
