"""Compiled networks are kept, and what is kept is what was compiled."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openvino as ov
import pytest

from model.errors import InputError
from model.files import sha256
from tests.support.tiny_onnx import tiny_onnx
from tracker.engines import compiled_store
from tracker.engines.cache_folder import cache_folder
from tracker.engines.compiled_store import stored
from tracker.engines.create import create_engine
from tracker.engines.openvino import OpenVinoEngine

_SETTINGS = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": 1}


@pytest.fixture(scope="module")
def core() -> ov.Core:
    return ov.Core()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PROPNET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Network:
    """A network that counts how often it is compiled."""

    def __init__(self, core: ov.Core, folder: Path, seed: int = 0) -> None:
        self._core = core
        self.data = tiny_onnx(folder / f"tiny{seed}.onnx", seed=seed).read_bytes()
        self.compiled = 0

    def get(self, settings: dict[str, object] = _SETTINGS) -> ov.CompiledModel:
        return stored(self._core, "CPU", settings, self.data, self._compile)

    def _compile(self) -> ov.CompiledModel:
        self.compiled += 1
        model = self._core.read_model(self.data)
        model.reshape([1, 3, 64, 64])
        return self._core.compile_model(model, "CPU", _SETTINGS)


@pytest.fixture
def network(core: ov.Core, tmp_path: Path) -> Network:
    return Network(core, tmp_path)


def answer(compiled: ov.CompiledModel) -> np.ndarray:
    image = np.random.default_rng(3).normal(size=(1, 3, 64, 64)).astype(np.float32)
    return np.array(compiled([image])[0])


def only_file(cache: Path) -> Path:
    (path,) = cache.iterdir()
    return path


def test_the_second_run_reads_what_the_first_compiled(network: Network, cache: Path) -> None:
    first, second = network.get(), network.get()
    assert network.compiled == 1
    np.testing.assert_array_equal(answer(second), answer(first))
    assert only_file(cache).name.startswith("openvino-")


def test_other_networks_and_settings_have_files_of_their_own(
    network: Network, core: ov.Core, tmp_path: Path, cache: Path
) -> None:
    other = Network(core, tmp_path, seed=1)
    first, second = answer(network.get()), answer(other.get())
    assert not np.array_equal(first, second)
    network.get({**_SETTINGS, "INFERENCE_NUM_THREADS": 2})
    assert (network.compiled, other.compiled) == (2, 1)
    np.testing.assert_array_equal(answer(other.get()), second)
    assert len(list(cache.iterdir())) == 3


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def one_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def not_openvino(path: Path) -> None:
    # A right sum over what OpenVINO cannot read.
    compiled_store._write(path, b"no network")


@pytest.mark.parametrize("damage", [cut, empty, one_byte, not_openvino])
def test_a_damaged_file_is_compiled_again(
    damage: Callable[[Path], None], network: Network, cache: Path
) -> None:
    expected = answer(network.get())
    whole = sha256(only_file(cache))
    damage(only_file(cache))
    assert sha256(only_file(cache)) != whole
    np.testing.assert_array_equal(answer(network.get()), expected)
    assert network.compiled == 2
    network.get()
    assert network.compiled == 2


def test_another_processor_or_openvino_compiles_its_own(
    network: Network, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network.get()
    with monkeypatch.context() as changed:
        changed.setattr(compiled_store, "processor_name", lambda: "another")
        network.get()
        assert network.compiled == 2
    monkeypatch.setattr(compiled_store.ov, "get_version", lambda: "1.0")
    network.get()
    assert network.compiled == 3
    assert len(list(cache.iterdir())) == 3


def test_without_a_folder_it_works_all_the_same(network: Network, cache: Path) -> None:
    cache.write_text("no folder")
    first, second = network.get(), network.get()
    np.testing.assert_array_equal(answer(second), answer(first))
    assert network.compiled == 2
    assert cache.read_text() == "no folder"


def test_without_a_home_it_works_all_the_same(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container may run as a number that no list of users knows: ~ stays as it is."""
    monkeypatch.delenv("PROPNET_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    with pytest.raises(InputError, match="no home: set PROPNET_CACHE"):
        cache_folder()
    network.get()
    network.get()
    assert network.compiled == 2
    assert set(tmp_path.iterdir()) == before


def test_what_was_not_used_for_longest_goes_first(
    core: ov.Core, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks = [Network(core, tmp_path, seed) for seed in range(3)]
    files: list[Path] = []
    for network in networks[:2]:
        network.get()
        files.append((set(cache.iterdir()) - set(files)).pop())
    (cache / "another.engine").write_bytes(bytes(10_000_000))
    for path in files:
        os.utime(path, (1, 1))
    networks[0].get()  # now the second one is the oldest
    monkeypatch.setattr(compiled_store, "_MOST", 2 * files[0].stat().st_size + 100)
    networks[2].get()
    assert not files[1].exists()
    assert len(list(cache.iterdir())) == 3
    networks[0].get()
    networks[2].get()
    assert [network.compiled for network in networks] == [1, 1, 1]


@pytest.mark.parametrize("precision", ["int8", "f32"])
def test_a_shipped_network_from_the_cache_is_the_same(precision: str, cache: Path) -> None:
    crops = np.random.default_rng(1).integers(0, 256, (2, 128, 128, 3), dtype=np.uint8)
    found = []
    for _ in range(2):
        engine = OpenVinoEngine("propnet-xs", threads=1, precision=precision)
        found.append((engine(crops), *engine.start(crops, "centroid")()))
        engine.close()
        assert len(list(cache.iterdir())) == 2  # one that gives points, one that gives heatmaps
    for first, second in zip(*found, strict=True):
        np.testing.assert_array_equal(second, first)


def test_a_network_that_will_not_come_again_is_not_kept(tmp_path: Path, cache: Path) -> None:
    engine = create_engine("openvino", str(tiny_onnx(tmp_path / "tried.onnx")), 1, keep=False)
    assert engine(np.zeros((1, 64, 64, 3), dtype=np.uint8)).shape == (1, 98, 16, 16)
    engine.close()
    assert not cache.exists()


def test_the_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cache: Path) -> None:
    assert cache_folder() == cache
    monkeypatch.delenv("PROPNET_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "propnet"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "propnet"
