"""The mean of networks' weights."""

from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from model.config import PropNetConfig
from model.errors import InputError
from model.network.propnet import PropNet
from model.weights import Metadata, load_network, save_network
from tests.support.small_network import save_small
from train import mean


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("two")
    return save_small(folder / "a.safetensors", 1), save_small(folder / "b.safetensors", 2)


def run(*arguments: object) -> BaseException | None:
    return CliRunner().invoke(mean.app, [str(argument) for argument in arguments]).exception


def test_the_mean_is_the_mean(two: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "mean.safetensors"
    # Shares may add up to anything.
    assert run(f"{two[0]}=1", f"{two[1]}=3", "--out", out) is None
    made, metadata = load_network(str(out))
    (first, one), (second, other) = (load_network(str(path)) for path in two)
    found, a, b = (network.state_dict() for network in (made, first, second))
    for key, value in found.items():
        expected = 0.25 * a[key] + 0.75 * b[key] if value.is_floating_point() else a[key]
        # Files hold f16 numbers.
        assert torch.allclose(value, expected, rtol=2e-3, atol=1e-4), key
    assert (metadata.config, metadata.input_size) == (one.config, one.input_size)
    for part, share in ((one, "0.25"), (other, "0.75")):
        assert f"{share} of {part.sha256[:12]} ({part.notes})" in metadata.notes


def test_of_one_network_twice_it_is_itself(two: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "mean.safetensors"
    assert run(f"{two[0]}=2", f"{two[0]}=0.5", "--out", out) is None
    made, first = (load_network(str(path))[0].state_dict() for path in (out, two[0]))
    assert all(torch.allclose(made[key], first[key], rtol=1e-3, atol=1e-6) for key in first)


def test_what_has_no_mean(two: tuple[Path, Path], tmp_path: Path) -> None:
    wide = tmp_path / "wide.safetensors"
    config = PropNetConfig(stacks=1, channels=16, depth=1)
    save_network(wide, PropNet(config), Metadata("wide", config, 64))
    out = tmp_path / "mean.safetensors"
    for arguments, message in (
        ((f"{two[0]}=1", f"{wide}=1"), "is another network than"),
        ((f"{two[0]}=1",), "two networks or more"),
        ((f"{two[0]}=1", str(two[1])), "write FILE=SHARE"),
        ((f"{two[0]}=1", f"{two[1]}=0"), "write FILE=SHARE"),
        ((f"{two[0]}=1", f"{two[1]}=nan"), "write FILE=SHARE"),
        ((f"{two[0]}=1", f"{tmp_path / 'none.safetensors'}=1"), "no weights file"),
    ):
        error = run(*arguments, "--out", out)
        assert isinstance(error, InputError)
        assert message in str(error)
    assert not out.exists()
    error = run(f"{two[0]}=1", f"{two[1]}=1", "--out", tmp_path / "mean.onnx")
    assert isinstance(error, InputError)
    assert "written as .safetensors" in str(error)
