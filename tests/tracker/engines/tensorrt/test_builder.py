"""Real engines, built by TensorRT for RTX, which needs no GPU for it."""

import errno
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from export.onnx_graph import build_graph
from model.complexity import network_complexity
from model.config import VARIANTS
from model.errors import InputError
from model.network.propnet import PropNet
from model.weights import Metadata
from model.zoo import shipped
from tests.support.small_network import exported_small
from tests.support.tiny_onnx import tiny_onnx
from tracker.engines.decoder_graph import with_decoder
from tracker.engines.onnx_file import OUTPUT, read_onnx, with_outputs
from tracker.engines.tensorrt import engine_store
from tracker.engines.tensorrt.builder import Batch, build_engine, make_logger, parse_network
from tracker.engines.tensorrt.cuda import Gpu
from tracker.engines.tensorrt.edition import Flavour, load_flavour
from tracker.engines.tensorrt.engine_record import ANY_GPU, foreign, read_engine, record_path
from tracker.engines.tensorrt.engine_store import EnginePlan, cached_engine
from tracker.engines.tensorrt.half_precision import to_half

trt = pytest.importorskip("tensorrt_rtx", reason="pip install 'propnet-tracker[rtx]'")


@pytest.fixture(scope="module")
def flavour() -> Flavour:
    return load_flavour("tensorrt_rtx")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PROPNET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return tiny_onnx(tmp_path / "tiny.onnx")


def watcher(said: list[str]) -> SimpleNamespace:
    return SimpleNamespace(say=said.append, report=lambda phase, done: None)


def some_crops(size: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (4, size, size, 3), dtype=np.uint8)


def exported(name: str) -> onnx.ModelProto:
    """The shipped network if there is one, else one with random weights: exporting takes long."""
    if f"{name}.onnx" in shipped():
        return onnx.load_model_from_string(read_onnx(name).data)
    torch.manual_seed(0)
    network = PropNet(VARIANTS[name]).eval()
    graph = build_graph(network, Metadata(name, VARIANTS[name], 128), 128)
    return with_outputs(graph, {OUTPUT})


# `propnet` is twice the stacks of `propnet-m`, of the same layers, and takes a minute to export.
@pytest.mark.parametrize("name", ["propnet-m", "propnet-s", "propnet-xs"])
def test_an_f16_engine_of_each_model(name: str, flavour: Flavour) -> None:
    model = exported(name)
    size = model.graph.input[0].type.tensor_type.shape.dim[2].dim_value
    network = to_half(model)
    half = with_decoder(network)
    log = make_logger(trt)
    definition = parse_network(flavour, trt.Builder(log), half.SerializeToString(), log)
    assert definition.num_inputs == 1
    pixels = definition.get_input(0)
    assert (pixels.name, tuple(pixels.shape)) == ("pixels", (-1, size, size, 3))
    assert pixels.dtype == trt.DataType.UINT8
    outputs = [definition.get_output(i) for i in range(definition.num_outputs)]
    assert {output.name: tuple(output.shape) for output in outputs} == {
        "heatmaps": (-1, 98, size // 4, size // 4),
        "points_centroid": (-1, 98, 2),
        "points_dark": (-1, 98, 2),
        "points_quarter": (-1, 98, 2),
        "peaks": (-1, 98),
    }
    assert {output.dtype for output in outputs} == {trt.DataType.FLOAT}
    layers = [definition.get_layer(i) for i in range(definition.num_layers)]
    convolutions = [layer for layer in layers if layer.type == trt.LayerType.CONVOLUTION]
    assert len(convolutions) == sum(node.op_type == "Conv" for node in half.graph.node)
    # Strongly typed: what the layers say here is what the engine computes in.
    for layer in convolutions:
        assert layer.get_input(0).dtype == layer.get_output(0).dtype == trt.DataType.HALF
    # Of the network itself, only the heatmaps' cast and constants of operators are in 32 bits.
    own = {node.name for node in network.graph.node}
    in_float = [
        layer
        for layer in layers
        if layer.name in own and layer.get_output(0).dtype == trt.DataType.FLOAT
    ]
    assert {layer.type for layer in in_float} <= {trt.LayerType.CAST, trt.LayerType.CONSTANT}
    assert [layer.get_output(0).name for layer in in_float][-1] == "heatmaps"
    # And nothing of the decoder is in 16.
    around = [layer for layer in layers if layer.name.startswith(("pixels", "decoder"))]
    assert {layer.type for layer in around} >= {trt.LayerType.REDUCE, trt.LayerType.GATHER}
    assert trt.DataType.HALF not in {layer.get_output(0).dtype for layer in around}
    built = build_engine(flavour, half.SerializeToString(), Batch(1, 2, 4))
    # All the weights in two bytes each and not in four, beside the kernels.
    parameters = network_complexity(VARIANTS[name], size)[1].parameters
    assert 2 * parameters < len(built.engine) < 4 * parameters + 20e6
    assert built.timing == b""


def test_a_build_reports_and_can_be_stopped(flavour: Flavour, tiny: Path) -> None:
    seen: list[tuple[str, float]] = []
    build_engine(flavour, tiny.read_bytes(), Batch(), report=lambda *step: seen.append(step))
    assert len(seen) > 10
    assert all(0 <= done <= 1 for _, done in seen)
    assert {done for _, done in seen} >= {0, 1}

    def stop(phase: str, done: float) -> None:
        if done > 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_engine(flavour, tiny.read_bytes(), Batch(), report=stop)


def test_networks_that_tensorrt_does_not_take(flavour: Flavour, tiny: Path) -> None:
    with pytest.raises(InputError, match=r"TensorRT for RTX 1\.\S+ does not take this network: "):
        build_engine(flavour, b"nonsense", Batch())
    model = onnx.load(tiny)
    model.graph.node[2].op_type = "Sigmund"
    with pytest.raises(InputError, match=r"does not take this network: .*Plugin not found"):
        build_engine(flavour, model.SerializeToString(), Batch())


class _Around:
    """An object of the bindings with some of its methods replaced."""

    def __init__(self, real: Any) -> None:
        self.__dict__["real"] = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.real, name, value)


def test_a_build_that_fails_says_why(flavour: Flavour, tiny: Path) -> None:
    class Builder(_Around):
        def __init__(self, log: Any) -> None:
            super().__init__(trt.Builder(log))
            log.log(trt.ILogger.Severity.ERROR, "no room\n for it.")
            log.log(trt.ILogger.Severity.WARNING, "only a warning")

        def build_serialized_network(self, *_: Any) -> None:
            return None

    module = SimpleNamespace(**{**vars(trt), "Builder": Builder})
    with pytest.raises(InputError, match=r"cannot build this network: no room for it\.$"):
        build_engine(replace(flavour, module=module), tiny.read_bytes(), Batch())

    def nothing(log: Any) -> None:
        raise TypeError("factory function returned nullptr")

    module.Builder = nothing
    with pytest.raises(InputError, match="finds no GPU that it can build for: it gives no reason"):
        build_engine(replace(flavour, module=module), tiny.read_bytes(), Batch())


def test_timings_are_kept_where_tensorrt_takes_them(
    flavour: Flavour, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`tensorrt` cannot be installed here: its cache calls are checked on a stand-in."""
    calls: list[tuple[str, Any]] = []

    class Config(_Around):
        def create_timing_cache(self, timing: bytes) -> bytes:
            return timing

        def set_timing_cache(self, cache: bytes, ignore_mismatch: bool) -> bool:
            calls.append((cache.decode(), ignore_mismatch))
            return cache != b"of another GPU"

        def get_timing_cache(self) -> Any:
            return SimpleNamespace(serialize=lambda: b"new")

    class Builder(_Around):
        def __init__(self, log: Any) -> None:
            super().__init__(trt.Builder(log))

        def create_builder_config(self) -> Config:
            return Config(self.real.create_builder_config())

        def build_serialized_network(self, network: Any, config: Config) -> Any:
            return self.real.build_serialized_network(network, config.real)

    stand_in = SimpleNamespace(**{**vars(trt), "Builder": Builder})
    plain = Flavour("tensorrt", "10.0", stand_in)
    assert build_engine(plain, tiny.read_bytes(), Batch(), b"old").timing == b"new"
    assert calls == [("old", False)]
    build_engine(plain, tiny.read_bytes(), Batch(), b"of another GPU")
    assert calls[1:] == [("of another GPU", False), ("", False)]


def test_batches(flavour: Flavour) -> None:
    assert Batch.parse("1,4,16") == Batch(1, 4, 16)
    assert str(Batch.parse("2, 2,2")) == "2,2,2"
    for text in ("1,2", "1,2,3,4", "a,b,c", "", "1,-1,2", "1.5,2,3"):
        with pytest.raises(InputError, match="three numbers MIN,OPT,MAX"):
            Batch.parse(text)
    for text in ("0,1,2", "2,1,4", "1,4,2"):
        with pytest.raises(InputError, match="1 <= MIN <= OPT <= MAX"):
            Batch.parse(text)


@pytest.fixture
def recipe(flavour: Flavour, tiny: Path) -> EnginePlan:
    return EnginePlan(read_onnx(str(tiny)), flavour)


def test_the_cache_builds_once(recipe: EnginePlan, cache: Path) -> None:
    said: list[str] = []
    engine, record = cached_engine(recipe, some_crops, watcher(said))
    assert "building a TensorRT engine of tiny for any RTX GPU" in said[0]
    assert "built" in said[1]
    assert record.gpu == ANY_GPU
    assert record.precision == "f16"
    assert record.batch == (1, 1, 8)
    assert record.build_seconds > 0
    assert record.version == trt.__version__
    files = sorted(cache.iterdir())
    assert [f.suffix for f in files] == [".engine", ".json"]
    assert files[0].read_bytes() == engine
    changed = files[0].stat().st_mtime_ns
    said.clear()
    assert cached_engine(recipe, some_crops, watcher(said)) == (engine, record)
    assert not said
    assert files[0].stat().st_mtime_ns == changed


def test_every_part_of_the_key_makes_another_engine(
    recipe: EnginePlan, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other_network = read_onnx(str(tiny_onnx(tmp_path / "other.onnx", seed=1)))
    recipes = [
        recipe,
        replace(recipe, source=other_network),
        replace(recipe, precision="f32"),
        replace(recipe, batch=Batch(1, 2, 8)),
        replace(recipe, flavour=replace(recipe.flavour, version="1.0")),
    ]
    # The key alone: each of them was built above or will be on a GPU.
    keys = [r.record().key for r in recipes]
    monkeypatch.setattr(engine_store, "find_gpu", lambda: Gpu("NVIDIA A", "8.0"))
    on_gpu = replace(recipe, flavour=replace(recipe.flavour, name="tensorrt"))
    keys.append(on_gpu.record().key)
    monkeypatch.setattr(engine_store, "find_gpu", lambda: Gpu("NVIDIA A", "8.6"))
    keys.append(on_gpu.record().key)
    monkeypatch.setattr(engine_store, "find_gpu", lambda: Gpu("NVIDIA B", "8.6"))
    keys.append(on_gpu.record().key)
    assert len(set(keys)) == len(keys)
    assert len({engine_store._digest(r.record()) for r in recipes}) == len(recipes)
    assert recipe.record().key == keys[0]
    assert not cache.exists()


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _no_record(path: Path) -> None:
    record_path(path).unlink()


def _broken_record(path: Path) -> None:
    record_path(path).write_text("{}")


def _other_record(path: Path) -> None:
    values = json.loads(record_path(path).read_text())
    record_path(path).write_text(json.dumps({**values, "version": "1.2.3"}))


@pytest.mark.parametrize("spoil", [_cut, _no_record, _broken_record, _other_record])
def test_spoilt_engines_in_the_cache_are_built_again(
    recipe: EnginePlan, cache: Path, spoil: Any
) -> None:
    _, record = cached_engine(recipe, some_crops, watcher([]))
    (path,) = cache.glob("*.engine")
    spoil(path)
    said: list[str] = []
    engine, again = cached_engine(recipe, some_crops, watcher(said))
    assert "again" in said[0]
    assert again.key == record.key
    assert read_engine(path) == (engine, again)


def test_two_runs_that_need_an_engine_build_it_once(recipe: EnginePlan, cache: Path) -> None:
    """The second waits for the first, and reads what it has built."""
    said: list[str] = []
    found: list[tuple[bytes, object]] = []

    def second() -> None:
        found.append(cached_engine(recipe, some_crops, watcher(said)))

    def build(size: int) -> np.ndarray:
        thread.start()
        while not said:
            time.sleep(0.01)
        return some_crops(size)

    thread = Thread(target=second)
    first = cached_engine(replace(recipe, precision="f16"), build, watcher([]))
    thread.join(60)
    assert said == ["Another run builds this engine: waiting for it."]
    assert found == [first]
    assert {path.suffix for path in cache.iterdir()} == {".engine", ".json"}


def test_a_full_disk_during_the_build(
    recipe: EnginePlan, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        write(self, data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match=r"cannot write .*\.engine: No space left on device"):
        cached_engine(recipe, some_crops, watcher([]))
    assert not cache.exists()


def test_the_command_on_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import export.run as run_module

    write = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        if ".engine" not in self.name:
            return write(self, data)
        write(self, data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    weights, network = exported_small()
    monkeypatch.setattr(run_module, "build_graph", lambda *_: onnx.load(network))
    out = tmp_path / "out"
    out.mkdir()
    arguments = ["--weights", str(weights), "--tensorrt", str(out / "net.engine"), "--rtx"]
    monkeypatch.setattr(sys, "argv", ["export", *arguments])
    with pytest.raises(SystemExit) as stop:
        run_module.main()
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"error: cannot write {out / 'net.engine'}: No space left on device."
    assert list(out.iterdir()) == []


def test_where_an_engine_runs(recipe: EnginePlan, cache: Path) -> None:
    _, record = cached_engine(recipe, some_crops, watcher([]))
    a, b = Gpu("NVIDIA A", "8.0"), Gpu("NVIDIA B", "8.6")
    flavour = recipe.flavour
    assert foreign(record, flavour, a) is None
    assert "here is" in (foreign(record, replace(flavour, version="1.0"), a) or "")
    bound = replace(record, gpu=a)
    assert foreign(bound, flavour, a) is None
    assert "NVIDIA B (8.6)" in (foreign(bound, flavour, b) or "")
