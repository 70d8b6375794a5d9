"""The device's limit, and a network's work: against the torch module and closed forms."""

from pathlib import Path

import onnx
import pytest

from model.complexity import network_complexity
from model.config import VARIANTS
from model.errors import InputError
from tests.support.small_network import CONFIG, SIZE, exported_small
from tests.support.tiny_onnx import tiny_onnx
from tracker.bench import device_limit, roofline
from tracker.bench.device_limit import Limit
from tracker.bench.network_cost import Work, network_work
from tracker.bench.roofline import measure_limit
from tracker.engines.onnx_file import read_onnx


def test_the_limit_is_the_slower_of_computing_and_reading() -> None:
    limit = Limit(macs=100.0, bandwidth=10.0)
    assert limit.seconds(Work(macs=500, weight_bytes=20), 1) == 5
    assert limit.seconds(Work(macs=500, weight_bytes=20), 4) == 20
    # The weights are read once for the whole batch.
    assert limit.seconds(Work(macs=1, weight_bytes=200), 4) == 20


def test_work_of_one_convolution(tmp_path: Path) -> None:
    # 3 x 3 x 3 -> 98 maps of 16 x 16, no bias.
    weights = str(tiny_onnx(tmp_path / "tiny.onnx"))
    assert network_work(weights, 4) == Work(98 * 27 * 16 * 16, 4 * 98 * 27)
    assert network_work(weights, 2).weight_bytes == 2 * 98 * 27


def test_work_is_that_of_the_torch_modules() -> None:
    found = network_work(str(exported_small()[1]), 4)
    expected = network_complexity(CONFIG, SIZE)[1]
    assert found.macs == expected.macs
    # The export folds some scales into weights; the fixed filters are read, but not learned.
    assert found.weight_bytes / 4 == pytest.approx(expected.parameters, rel=0.02)


def test_work_of_the_shipped_network() -> None:
    expected = network_complexity(VARIANTS["propnet-s"], read_onnx("propnet-s").info.input_size)[1]
    assert network_work("propnet-s", 4).macs == expected.macs


def test_a_network_with_other_layers_is_not_undercounted(tmp_path: Path) -> None:
    path = tiny_onnx(tmp_path / "other.onnx")
    model = onnx.load(path)
    model.graph.node[1].op_type = "ConvTranspose"
    onnx.save(model, path)
    with pytest.raises(InputError, match="ConvTranspose layers is not counted"):
        network_work(str(path), 4)


def test_a_processor_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roofline, "_SIDES", (64, 128))
    monkeypatch.setattr(roofline, "_PIECE", 1 << 10)
    monkeypatch.setattr(device_limit, "_SECONDS", 0.0)
    limit = measure_limit("cpu", 4)
    assert limit is not None
    # Any processor of this century, under any load, and none of the next.
    assert 1e6 < limit.macs < 1e15
    assert 1e5 < limit.bandwidth < 1e14


def test_the_fastest_run_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 3.0, 3.0, 4.0, 4.0, 9.0, 9.0, 11.0, 11.0, 15.0])
    monkeypatch.setattr(device_limit, "perf_counter", lambda: next(clock))
    calls: list[int] = []
    assert device_limit.fastest(lambda: calls.append(0)) == 1
    assert len(calls) == 6  # the first one warms up


def test_other_formats_take_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roofline, "find_spec", lambda name: None)
    assert measure_limit("cuda", 2) is None
    assert measure_limit("cpu", 2) is None
