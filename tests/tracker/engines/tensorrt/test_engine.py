import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest

import tracker.engines.tensorrt.engine as engine_module
from model.decoder import DECODERS, DEFAULT_DECODER, Decoder, decode
from model.errors import InputError
from model.shipped_markups import WFLW
from tests.support.commands import Run
from tests.support.fake_gpu import CudaError, Gpu, fake_driver, fake_library, fake_tensorrt
from tests.support.paths import PORTRAIT_CLIP
from tests.support.tiny_onnx import reference, tiny_onnx
from tracker.engines import create as engines
from tracker.engines.base import ModelInfo, PointEngine
from tracker.engines.create import create_engine
from tracker.engines.decoder_graph import with_decoder
from tracker.engines.tensorrt import cuda
from tracker.engines.tensorrt.edition import Flavour, choose_flavour, load_flavour, supports, usable
from tracker.engines.tensorrt.engine import TensorRtEngine
from tracker.engines.tensorrt.engine_record import ANY_GPU, EngineRecord, record_path, write_engine

SIZE, POINTS, MAXIMUM = 64, 98, 4
INFO = ModelInfo("tiny", WFLW, SIZE, "ab" * 32)


@dataclass
class Machine:
    """A machine with a GPU and TensorRT, neither of them real."""

    gpu: Gpu
    flavour: Flavour
    engine: Path
    record: EngineRecord

    def write(self, engine: bytes = b"engine", **changes: Any) -> str:
        import hashlib

        record = replace(self.record, engine_sha256=hashlib.sha256(engine).hexdigest(), **changes)
        write_engine(self.engine, engine, record)
        return str(self.engine)


@pytest.fixture(params=["tensorrt", "tensorrt_rtx"])
def machine(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Machine]:
    decoded = with_decoder(onnx.load(tiny_onnx(tmp_path / "tiny.onnx")))
    session = ort.InferenceSession(decoded.SerializeToString())
    names = [output.name for output in session.get_outputs()]

    def compute(pixels: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(names, session.run(names, {"pixels": pixels}), strict=True))

    gpu, rtx = Gpu(), request.param == "tensorrt_rtx"
    module = fake_tensorrt(gpu, compute, SIZE, POINTS, MAXIMUM, rtx=rtx)
    flavour = Flavour(request.param, "12.3.4", module)
    driver = ModuleType("pycuda.driver")
    driver.__dict__.update(vars(fake_driver(gpu)))
    package = ModuleType("pycuda")
    package.driver = driver  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pycuda", package)
    monkeypatch.setitem(sys.modules, "pycuda.driver", driver)
    monkeypatch.setattr(cuda.ctypes, "CDLL", lambda name: fake_library(gpu))
    monkeypatch.setattr(engine_module, "choose_flavour", lambda gpu: flavour)
    cuda._primary_context.cache_clear()
    name = ANY_GPU if rtx else cuda.Gpu("NVIDIA Test 1", "8.9")
    record = EngineRecord(
        INFO, "0" * 64, flavour.name, "12.3.4", name, "f16", (1, 1, MAXIMUM), (), 1.0, ""
    )
    made = Machine(gpu, flavour, tmp_path / "net.engine", record)
    made.write()
    yield made
    cuda._primary_context.cache_clear()
    assert not gpu.stack
    assert gpu.alive == []


@pytest.fixture
def crops() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (9, SIZE, SIZE, 3), dtype=np.uint8)


def test_every_batch_size_gives_the_networks_maps(machine: Machine, crops: np.ndarray) -> None:
    engine = create_engine("tensorrt", str(machine.engine))
    expected = reference(crops)
    # Twice: the second time some of them are a graph. Nine crops are two batches of 4 and one of 1.
    for count in (1, 2, 4, 9, 0, 1, 2, 9):
        heatmaps = engine(crops[:count])
        assert heatmaps.shape == (count, POINTS, SIZE // 4, SIZE // 4)
        assert heatmaps.dtype == np.float32
        np.testing.assert_allclose(heatmaps, expected[:count], atol=2e-6)
    engine.close()
    engine.close()
    with pytest.raises(RuntimeError, match="closed"):
        engine(crops[:1])


def test_results_belong_to_the_caller(machine: Machine, crops: np.ndarray) -> None:
    engine = create_engine("tensorrt", str(machine.engine))
    first = engine(crops[:2])
    kept = first.copy()
    engine(crops[4:])
    np.testing.assert_array_equal(first, kept)
    engine.close()


def test_the_tuned_batch_size_runs_as_a_graph(machine: Machine, crops: np.ndarray) -> None:
    engine = create_engine("tensorrt", str(machine.engine))
    recorded = machine.flavour.name == "tensorrt"
    assert ("CUDA graph" in engine.description) == recorded
    assert engine.description.startswith("TensorRT")
    assert "NVIDIA Test 1, f16" in engine.description
    for _ in range(5):
        engine(crops[:1])
    assert machine.gpu.plain == (1 if recorded else 5)
    assert machine.gpu.launches == (4 if recorded else 0)
    # Another size in between must not disturb the recording.
    engine(crops[:3])
    np.testing.assert_allclose(engine(crops[5:6]), reference(crops[5:6]), atol=2e-6)
    assert machine.gpu.launches == (5 if recorded else 0)
    engine.close()


def test_engines_for_several_faces_at_least(machine: Machine, crops: np.ndarray) -> None:
    """Fewer crops than the engine's smallest batch are filled up."""
    engine = create_engine("tensorrt", machine.write(batch=(2, 3, MAXIMUM)))
    for count in (1, 2, 3, 4, 5, 3):
        np.testing.assert_allclose(engine(crops[:count]), reference(crops[:count]), atol=2e-6)
    engine.close()


def test_several_engines_in_one_process(machine: Machine, crops: np.ndarray) -> None:
    first, second = (create_engine("tensorrt", str(machine.engine)) for _ in range(2))
    for _ in range(2):
        np.testing.assert_allclose(first(crops[:1]), reference(crops[:1]), atol=2e-6)
        np.testing.assert_allclose(second(crops[1:2]), reference(crops[1:2]), atol=2e-6)
    first.close()
    np.testing.assert_allclose(second(crops[2:3]), reference(crops[2:3]), atol=2e-6)
    second.close()


@pytest.mark.parametrize("method", DECODERS)
def test_only_points_come_back(machine: Machine, crops: np.ndarray, method: Decoder) -> None:
    engine = create_engine("tensorrt", str(machine.engine))
    assert isinstance(engine, PointEngine)
    expected, heights = decode(reference(crops).astype(np.float32), method)
    # Twice: the second time some of them are a graph. Nine crops are two batches of 4 and one of 1.
    for count in (1, 2, 4, 9, 0, 1, 9):
        machine.gpu.downloaded = 0
        launched = machine.gpu.launches
        points, peaks = engine.start(crops[:count], method)()
        assert (points.dtype, peaks.dtype) == (np.float64, np.float32)
        # Random maps are flat: a last digit in a map is tenths of a pixel in a few points.
        assert np.median(np.abs(points - expected[:count])) < 1e-3 if count else not points.size
        np.testing.assert_allclose(peaks, heights[:count], atol=2e-6)
        if machine.gpu.launches == launched and machine.flavour.portable:
            assert machine.gpu.downloaded == count * POINTS * 3 * 4
    # Both ways in turn: each has a recording of its own.
    for _ in range(3):
        heatmaps = engine(crops[:1])
        np.testing.assert_allclose(heatmaps, reference(crops[:1]), atol=2e-6)
        points, _ = engine.start(crops[:1], method)()
        np.testing.assert_allclose(points, decode(heatmaps, method)[0], rtol=0, atol=1e-3)
    engine.close()
    with pytest.raises(RuntimeError, match="closed"):
        engine.start(crops, method)


def test_nothing_is_waited_for_before_the_points_are_fetched(
    machine: Machine, crops: np.ndarray
) -> None:
    engine = create_engine("tensorrt", str(machine.engine))
    expected, _ = engine.start(crops[:2], DEFAULT_DECODER)()
    for _ in range(2):
        waits = machine.gpu.waits
        mine = crops[:2].copy()
        finish = engine.start(mine, DEFAULT_DECODER)
        # One wait makes sure that nothing is on its way any more; the batch itself runs.
        assert machine.gpu.waits == waits + 1
        assert any(stream.busy for stream in machine.gpu.streams.values())
        mine[:] = 0  # the crops are the caller's again
        points, _ = finish()
        np.testing.assert_array_equal(points, expected)
        assert machine.gpu.waits == waits + 2
    engine.close()


def test_results_that_nobody_fetches(machine: Machine, crops: np.ndarray) -> None:
    """As when the detector fails while the GPU works, or the program is stopped."""
    engine = create_engine("tensorrt", str(machine.engine))
    lost = engine.start(crops[:3], DEFAULT_DECODER)
    points, _ = engine.start(crops[3:4], DEFAULT_DECODER)()
    np.testing.assert_allclose(points, decode(engine(crops[3:4]))[0], rtol=0, atol=1e-3)
    with pytest.raises(RuntimeError, match="a later batch has begun"):
        lost()
    taken = engine.start(crops[:1], DEFAULT_DECODER)
    taken()
    with pytest.raises(RuntimeError, match="were taken"):
        taken()
    # Closed while it works: the memory is freed when the GPU is done (the fake insists).
    engine.start(crops[:2], DEFAULT_DECODER)
    engine.close()


def test_without_graphs(machine: Machine, crops: np.ndarray) -> None:
    engine = TensorRtEngine(str(machine.engine), graphs=False)
    assert "CUDA graph" not in engine.description
    for _ in range(3):
        np.testing.assert_allclose(engine(crops[:1]), reference(crops[:1]), atol=2e-6)
    assert machine.gpu.launches == 0
    engine.close()


@pytest.mark.parametrize(
    ("refuse", "message"),
    [
        ("context", "does not take this engine: it gives no reason"),
        ("execute", "fails: kernel failed badly"),
        ("cuStreamBeginCapture_v2", r"refuses cuStreamBeginCapture_v2 \(error 900\)"),
        ("cuGraphInstantiateWithFlags", r"refuses cuGraphInstantiateWithFlags \(error 900\)"),
    ],
)
def test_failures_on_the_gpu_are_one_sentence_and_leak_nothing(
    machine: Machine, crops: np.ndarray, refuse: str, message: str
) -> None:
    if refuse.startswith("cu") and machine.flavour.portable:
        pytest.skip("TensorRT for RTX records its graphs itself")
    machine.gpu.refuse = refuse
    engine = None
    with pytest.raises(InputError, match=message):
        engine = create_engine("tensorrt", str(machine.engine))
        engine(crops[:1])
    if engine is not None:
        engine.close()


@pytest.mark.parametrize("memory", [0, 100_000, 500_000, 900_000])
def test_a_full_gpu_is_one_sentence_and_leaks_nothing(machine: Machine, memory: int) -> None:
    machine.gpu.memory = memory
    with pytest.raises(InputError, match="gives no memory"):
        create_engine("tensorrt", str(machine.engine))


def test_engine_files_that_do_not_fit(machine: Machine) -> None:
    def fails(message: str, weights: str, precision: Any = "auto") -> None:
        with pytest.raises(InputError, match=message) as caught:
            create_engine("tensorrt", weights, precision=precision)
        assert "\n" not in str(caught.value)

    path = machine.engine
    fails("no precision 'bf16'", str(path), "bf16")
    fails("computes in f16, not f32", str(path), "f32")
    fails("built with .* 10.0.1, here is .* 12.3.4", machine.write(version="10.0.1"))
    other = {"tensorrt": "tensorrt_rtx", "tensorrt_rtx": "tensorrt"}[machine.flavour.name]
    fails(f"built with {other}", machine.write(flavour=other))
    a100 = cuda.Gpu("NVIDIA A100", "8.0")
    fails(r"built for NVIDIA A100 .*\(8.9\).*--tensorrt", machine.write(gpu=a100))
    fails("does not take this engine: magic tag does not match", machine.write(b"nonsense"))
    larger = replace(INFO, input_size=128)
    fails("its record another network", machine.write(info=larger))
    machine.write()
    path.write_bytes(b"engin")
    fails("cut off, damaged", str(path))
    machine.write()
    record_path(path).write_text("{")
    fails("engine.json is damaged", str(path))
    record_path(path).write_text(json.dumps({"format": "3", **asdict(machine.record), "batch": 3}))
    fails("engine.json is damaged", str(path))
    record_path(path).write_text(json.dumps({"format": "7"}))
    fails("another format than 3", str(path))
    record_path(path).unlink()
    fails("no net.engine.json beside it", str(path))
    path.unlink()
    fails("no engine file", str(path))


def _another_gpu(machine: Machine) -> None:
    machine.write(gpu=cuda.Gpu("NVIDIA A100", "8.0"))


def _another_version(machine: Machine) -> None:
    machine.write(version="10.0.1")


def _cut_off(machine: Machine) -> None:
    machine.engine.write_bytes(b"engin")


def _nonsense(machine: Machine) -> None:
    machine.write(b"nonsense")


def _alone(machine: Machine) -> None:
    record_path(machine.engine).unlink()


def _no_memory(machine: Machine) -> None:
    machine.gpu.memory = 1000


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_another_gpu, "it was built for NVIDIA A100"),
        (_another_version, "it was built with"),
        (_cut_off, "is cut off, damaged"),
        (_nonsense, "does not take this engine"),
        (_alone, "has no net.engine.json beside it"),
        (_no_memory, "the GPU gives no memory"),
    ],
)
def test_the_command_refuses_in_one_sentence(
    machine: Machine, run: Run, spoil: Callable[[Machine], None], message: str
) -> None:
    """Requirement 4 of the issue, as the user meets it."""
    spoil(machine)
    table = machine.engine.with_name("landmarks.csv")
    result = run(
        PORTRAIT_CLIP,
        "--engine",
        "tensorrt",
        "--weights",
        machine.engine,
        "--save",
        table,
        "--overwrite",
    )
    assert result.code == 2
    assert message in result.err
    assert result.err.startswith("error: ")
    assert result.err.count("\n") == 1
    assert "Traceback" not in result.err
    assert not table.exists()


def test_missing_parts_are_named(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.gpu.devices = 0
    with pytest.raises(InputError, match="sees no NVIDIA GPU"):
        create_engine("tensorrt", str(machine.engine))
    machine.gpu.refuse = "init"
    with pytest.raises(InputError, match=r"CUDA does not start .*no CUDA-capable device"):
        create_engine("tensorrt", str(machine.engine))
    assert not usable()
    monkeypatch.setitem(sys.modules, "pycuda.driver", None)  # as if it were not installed
    monkeypatch.setitem(sys.modules, "pycuda", None)
    with pytest.raises(InputError, match="needs pycuda: pip install pycuda"):
        create_engine("tensorrt", str(machine.engine))

    def missing(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(cuda.ctypes, "CDLL", missing)
    with pytest.raises(InputError, match=r"no NVIDIA driver .*openvino or onnxruntime"):
        create_engine("tensorrt", str(machine.engine))


def test_a_pycuda_for_another_driver(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def find_spec(self, name: str, *_: Any) -> None:
            if name == "pycuda.driver":
                raise ImportError("libcurand.so.10: cannot open shared object file\nmore")

    monkeypatch.delitem(sys.modules, "pycuda.driver")
    monkeypatch.setitem(sys.modules, "pycuda", ModuleType("pycuda"))
    sys.modules["pycuda"].__path__ = []
    monkeypatch.setattr(sys, "meta_path", [Broken()])
    with pytest.raises(InputError, match=r"pycuda does not load \(libcurand.so.10: .*build pycuda"):
        create_engine("tensorrt", str(machine.engine))


def test_auto_prefers_a_gpu_that_works(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = str(tiny_onnx(machine.engine.with_name("net.onnx")))
    taken = []

    def take(weights: str, threads: int | None, precision: str, watcher: object) -> Any:
        taken.append(weights)
        return TensorRtEngine(str(machine.engine))

    monkeypatch.setattr(engine_module, "TensorRtEngine", take)
    monkeypatch.setattr(engines, "_tensorrt_usable", lambda: True)
    engine = create_engine("auto", weights)
    assert taken == [weights]
    assert engine.description.startswith("TensorRT")
    engine.close()
    # What only a processor has is looked for there.
    assert engines._choose(weights, "bf16") == "openvino"
    monkeypatch.setattr(engines, "_tensorrt_usable", lambda: False)
    engine = create_engine("auto", weights)
    assert not engine.description.startswith("TensorRT")
    engine.close()
    # Files that only one engine reads.
    assert engines._choose("net.safetensors", "auto") == "torch"
    engine = create_engine("auto", str(machine.engine))
    assert taken == [weights, str(machine.engine)]
    engine.close()


def test_which_tensorrt(monkeypatch: pytest.MonkeyPatch) -> None:
    import tracker.engines.tensorrt.edition as flavour_module

    h100 = cuda.Gpu("NVIDIA H100", "9.0")
    assert supports("tensorrt", "9.0")
    assert supports("tensorrt_rtx", "12.0")
    assert not supports("tensorrt_rtx", "9.0")
    monkeypatch.setattr(flavour_module, "installed_flavours", lambda: ("tensorrt_rtx",))
    with pytest.raises(InputError, match=r"does not run on NVIDIA H100 .*9.0"):
        choose_flavour(h100)
    with pytest.raises(InputError, match="TensorRT is not installed: pip install"):
        load_flavour("tensorrt")
    monkeypatch.setattr(flavour_module, "installed_flavours", lambda: ("tensorrt", "tensorrt_rtx"))
    old = ModuleType("tensorrt")
    old.__version__ = "8.6.1"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tensorrt", old)
    with pytest.raises(InputError, match=r"TensorRT 8\.6\.1 is too old"):
        choose_flavour(h100)
    old.__version__ = "11.4.0.106"  # type: ignore[attr-defined]
    assert choose_flavour(h100).title == "TensorRT 11.4.0.106"
    monkeypatch.setattr(flavour_module, "installed_flavours", tuple)
    with pytest.raises(InputError, match=r"TensorRT is not installed: pip install .*\[tensorrt\]"):
        load_flavour()


def test_without_a_driver_nothing_crashes(tmp_path: Path) -> None:
    """On this machine, as it is."""
    try:
        cuda.ctypes.CDLL(cuda.DRIVER)
    except OSError:
        pass
    else:
        pytest.skip("this machine has an NVIDIA driver")
    weights = str(tiny_onnx(tmp_path / "tiny.onnx"))
    with pytest.raises(InputError, match="no NVIDIA driver"):
        create_engine("tensorrt", weights)
    engine = create_engine("auto", weights)
    assert "CPU" in engine.description
    engine.close()


# The fakes have what our code uses; the real bindings must have all of it.
_CLASSES = ("ILogger", "Runtime", "ICudaEngine", "IExecutionContext")


@pytest.mark.parametrize(
    ("name", "rtx"), [("tensorrt_rtx", True), ("tensorrt_lean", False), ("tensorrt", False)]
)
def test_the_real_bindings_have_every_name(name: str, rtx: bool) -> None:
    real = pytest.importorskip(name)
    fake = fake_tensorrt(Gpu(), lambda x: {}, SIZE, POINTS, MAXIMUM, rtx=rtx)
    for kind in (*_CLASSES, *(("IRuntimeConfig",) if rtx else ())):
        ours = {n for n in vars(getattr(fake, kind)) if not n.startswith("_")}
        assert ours, kind
        missing = {n for n in ours if not hasattr(getattr(real, kind), n)}
        assert not missing, (kind, missing)
    assert real.DataType.FLOAT != real.DataType.UINT8
    assert real.ILogger.Severity.INTERNAL_ERROR is not None
    assert not rtx or real.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE is not None


def test_the_real_pycuda_has_every_name() -> None:
    pytest.importorskip("pycuda")
    try:
        real = import_module("pycuda.driver")
    except ImportError as error:
        pytest.skip(f"pycuda does not load without a driver: {error}")
    fake = fake_driver(Gpu())
    assert not {name for name in vars(fake) if not hasattr(real, name)}
    for kind in ("Device", "Context"):
        ours = {n for n in vars(getattr(fake, kind)) if not n.startswith("_")}
        assert not {n for n in ours if not hasattr(getattr(real, kind), n)}
    for name in ("synchronize", "handle"):
        assert hasattr(real.Stream, name)
    assert issubclass(real.Error, Exception)
    assert CudaError is not real.Error
