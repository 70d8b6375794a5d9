"""The runner with a real pycuda on a real GPU; only TensorRT itself is replaced.

Its stand-in copies the crops' bytes into the outputs, on the GPU and on the runner's stream: what
contexts, page-locked memory, copies, streams and graphs do wrong shows in the bytes. TensorRT is
not needed, which a machine with a GPU may well not have.
"""

import ctypes
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from model.errors import InputError
from model.shipped_markups import WFLW
from tests.support.fake_gpu import Gpu, fake_tensorrt
from tracker.engines.base import ModelInfo
from tracker.engines.tensorrt import cuda
from tracker.engines.tensorrt.edition import Flavour
from tracker.engines.tensorrt.engine_record import EngineRecord
from tracker.engines.tensorrt.runner import Runner

SIZE, POINTS, MAXIMUM = 64, 98, 4
INFO = ModelInfo("bytes", WFLW, SIZE, "ab" * 32)
CROP = SIZE * SIZE * 3
# Bytes of each output for one crop.
ROOM = {
    "heatmaps": POINTS * (SIZE // 4) ** 2 * 4,
    "points_centroid": POINTS * 8,
    "peaks": POINTS * 4,
}


@pytest.fixture
def gpu() -> cuda.Gpu:
    pytest.importorskip("pycuda", reason="needs pycuda")
    try:
        return cuda.find_gpu()
    except InputError as error:
        pytest.skip(f"needs an NVIDIA GPU: {error}")


@pytest.fixture
def runner(gpu: cuda.Gpu, request: pytest.FixtureRequest) -> Iterator[Runner]:
    record = EngineRecord(INFO, "0" * 64, "tensorrt", "0", gpu, "f16", (1, 1, MAXIMUM), (), 1.0, "")
    flavour = Flavour("tensorrt", "0", copying_tensorrt())
    runner = Runner(flavour, b"engine", record, graphs=getattr(request, "param", True))
    yield runner
    runner.close()


def copying_tensorrt() -> Any:
    """A TensorRT whose engines copy their input into every output, crop by crop."""
    module = fake_tensorrt(Gpu(), lambda pixels: {}, SIZE, POINTS, MAXIMUM, rtx=False)
    driver = ctypes.CDLL(cuda.DRIVER)

    class Context:
        def __init__(self) -> None:
            self._addresses: dict[str, int] = {}
            self._count = 0

        def set_tensor_address(self, name: str, memory: int) -> bool:
            self._addresses[name] = memory
            return True

        def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
            self._count = shape[0]
            return name == "pixels"

        def execute_async_v3(self, stream_handle: int) -> bool:
            for name, room in ROOM.items():
                for crop in range(self._count):
                    status = driver.cuMemcpyDtoDAsync_v2(
                        ctypes.c_uint64(self._addresses[name] + crop * room),
                        ctypes.c_uint64(self._addresses["pixels"] + crop * CROP),
                        ctypes.c_size_t(min(room, CROP)),
                        ctypes.c_void_p(stream_handle),
                    )
                    if status:
                        return False
            return True

    names = {"pixels": (SIZE, SIZE, 3), "heatmaps": (POINTS, SIZE // 4, SIZE // 4)}
    names |= dict.fromkeys(("points_centroid", "points_dark", "points_quarter"), (POINTS, 2))
    names |= {"peaks": (POINTS,)}
    engine = SimpleNamespace(
        num_io_tensors=len(names),
        get_tensor_name=lambda index: list(names)[index],
        get_tensor_shape=lambda name: (-1, *names[name]),
        get_tensor_dtype=lambda name: "uint8" if name == "pixels" else "float",
        create_execution_context=Context,
    )
    module.Runtime = lambda log: SimpleNamespace(deserialize_cuda_engine=lambda data: engine)
    return module


def crops(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)


def check(pixels: np.ndarray, results: dict[str, np.ndarray]) -> None:
    for name, values in results.items():
        room = min(ROOM[name], CROP)
        found = values.reshape(len(pixels), -1).view(np.uint8)[:, :room]
        np.testing.assert_array_equal(found, pixels.reshape(len(pixels), -1)[:, :room], name)


@pytest.mark.parametrize("runner", [True, False], indirect=True)
def test_batches_and_graphs(runner: Runner) -> None:
    """One crop is a graph from the second time on; nine are two batches of four and one of one."""
    for seed, count in enumerate((1, 1, 1, 2, 4, 9, 1, 3, 0, 1)):
        for wanted in (("points_centroid", "peaks"), ("heatmaps",)):
            pixels = crops(count, seed)
            check(pixels, runner.start(pixels, wanted)())
    assert bool(runner._graphs) == runner.graphed


def test_a_batch_on_its_way(runner: Runner) -> None:
    """The caller's array may change as soon as `start` returns, and a dropped result is no harm."""
    for seed in range(20):
        pixels = crops(1, seed)
        kept = pixels.copy()
        finish = runner.start(pixels, ("points_centroid", "peaks"))
        pixels[:] = 0
        if seed % 3:
            check(kept, finish())


def test_from_several_threads(runner: Runner) -> None:
    """The context is made current in whichever thread asks."""
    failures: list[BaseException] = []

    def work(seed: int) -> None:
        try:
            for count in (1, 2, 1):
                pixels = crops(count, seed)
                check(pixels, runner.start(pixels, ("peaks",))())
        except BaseException as error:
            failures.append(error)

    for seed in range(4):
        thread = threading.Thread(target=work, args=(seed,))
        thread.start()
        thread.join()
    assert failures == []


def test_memory_is_given_back(gpu: cuda.Gpu) -> None:
    context = cuda.Context()
    record = EngineRecord(INFO, "0" * 64, "tensorrt", "0", gpu, "f16", (1, 1, MAXIMUM), (), 1.0, "")
    free = []
    for _ in range(5):
        runner = Runner(Flavour("tensorrt", "0", copying_tensorrt()), b"engine", record)
        check(crops(2, 0), runner.start(crops(2, 0), ("peaks",))())
        runner.close()
        with context.active():
            free.append(context.cuda.mem_get_info()[0])
    assert free[-1] >= free[0]
