"""Weights files and the shipped ones: what is written is read, and what is broken is named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from model import zoo
from model.config import PropNetConfig, get_variant
from model.errors import InputError
from model.files import sha256
from model.network.propnet import PropNet
from model.shipped_markups import COFW, WFLW
from model.weights import Metadata, load_network, save_network
from model.zoo import find_weights
from tests.support.shipped_weights import SHIPPED
from tracker.engines.onnx_file import read_onnx

CONFIG = PropNetConfig(stacks=2, channels=16, depth=2, markup=COFW)
METADATA = Metadata("tiny", CONFIG, 128, "recipe x, dev NME 5.0 %")


def network() -> PropNet:
    torch.manual_seed(3)
    made = PropNet(CONFIG)
    made(torch.rand(4, 3, 64, 64))  # batch statistics that are not those of a new network
    return made.eval()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.safetensors"
    save_network(path, network(), METADATA)
    return path


def rewrite(path: Path, change: dict[str, str | None], drop: str = "") -> None:
    """The same file with another header, or without a tensor."""
    with safe_open(path, framework="pt") as content:
        header = {**(content.metadata() or {}), **change}
        tensors = {k: content.get_tensor(k) for k in content.keys() if k != drop}  # noqa: SIM118
    save_file(tensors, path, metadata={k: v for k, v in header.items() if v is not None})


def sentence(path: Path | str) -> str:
    """What loading reports: one line, naming the file."""
    with pytest.raises(InputError) as caught:
        load_network(str(path))
    text = str(caught.value)
    assert "\n" not in text
    assert text.endswith(".")
    return text


def test_half_precision_round_trip(file: Path) -> None:
    saved = network().state_dict()
    loaded, metadata = load_network(str(file))
    assert not loaded.training
    for key, value in loaded.state_dict().items():
        if key.endswith("num_batches_tracked"):
            continue
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, saved[key].half().float(), rtol=0, atol=0)
    assert metadata == replace(METADATA, sha256=sha256(file))
    with safe_open(file, framework="pt") as content:
        assert {content.get_tensor(k).dtype for k in content.keys()} == {torch.float16}  # noqa: SIM118


def test_full_precision_round_trip_gives_the_same_output(tmp_path: Path) -> None:
    path, made, image = tmp_path / "full.safetensors", network(), torch.rand(1, 3, 64, 64)
    save_network(path, made, METADATA, torch.float32)
    with torch.inference_mode():
        torch.testing.assert_close(
            load_network(str(path))[0].landmarks(image), made.landmarks(image), rtol=0, atol=0
        )


def test_the_header_is_the_documented_one(file: Path) -> None:
    with safe_open(file, framework="pt") as content:
        header = content.metadata()
    assert header["format"] == "propnet-weights-1"
    assert header["name"] == "tiny"
    assert header["input_size"] == "128"
    assert header["notes"] == "recipe x, dev NME 5.0 %"
    assert json.loads(header["config"]) == CONFIG.to_dict()


def test_values_beyond_half_precision_are_kept(tmp_path: Path) -> None:
    made, path = network(), tmp_path / "large.safetensors"
    made.stem.conv[1].running_var.fill_(1e6)
    save_network(path, made, METADATA)
    loaded, _ = load_network(str(path))
    assert loaded.stem.conv[1].running_var.tolist() == [1e6] * 4


def test_nothing_else_is_left_in_the_folder(file: Path) -> None:
    save_network(file, network(), METADATA)  # replaces
    assert [p.name for p in file.parent.iterdir()] == [file.name]


def test_an_unwritable_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("a file where a folder is needed")
    with pytest.raises(InputError, match=r"cannot write .*plain/x\.safetensors"):
        save_network(tmp_path / "plain" / "x.safetensors", network(), METADATA)


@pytest.mark.parametrize("kept", [0, 5, 300, 5000])
def test_a_truncated_file(file: Path, kept: int) -> None:
    file.write_bytes(file.read_bytes()[:kept])
    assert sentence(file).startswith(f"{file} is damaged or not a safetensors file: ")


def test_a_file_of_something_else(file: Path) -> None:
    file.write_text("PK not weights at all " * 50)
    assert sentence(file).startswith(f"{file} is damaged or not a safetensors file: ")


def test_a_safetensors_file_of_another_program(file: Path) -> None:
    save_file({"weight": torch.zeros(3)}, file)
    assert sentence(file) == f"{file} holds no PropNet weights (format None)."
    rewrite(file, {"format": "propnet-weights-2"})
    assert sentence(file) == f"{file} holds no PropNet weights (format 'propnet-weights-2')."


@pytest.mark.parametrize(
    "change",
    [
        {"config": None},
        {"config": "{"},
        {"config": "[1]"},
        {"config": '{"stacks": "two"}'},
        {"name": None},
        {"input_size": "large"},
        {"input_size": "69"},  # the hourglass would halve an odd map
    ],
)
def test_a_header_without_sense(file: Path, change: dict[str, Any]) -> None:
    rewrite(file, change)
    assert sentence(file) == f"{file} is damaged: its header does not describe a PropNet."


def test_a_header_of_an_impossible_network(file: Path) -> None:
    rewrite(file, {"config": json.dumps({**CONFIG.to_dict(), "markup": "wflw99"})})
    assert sentence(file).startswith(
        f"{file}: network configuration: unknown markup 'wflw99': use one of "
    )
    rewrite(file, {"config": json.dumps({"width": 64})})
    assert sentence(file) == f"{file}: unknown network setting: width."


def test_weights_of_another_shape(file: Path) -> None:
    rewrite(file, {"config": json.dumps({**CONFIG.to_dict(), "markup": "ibug68"})})
    assert sentence(file).startswith(f"{file} does not fit its own configuration: see stacks.0.")
    rewrite(file, {"config": json.dumps({**CONFIG.to_dict(), "stacks": 3})})
    assert "see stacks.2." in sentence(file) or "see stacks.1." in sentence(file)


def test_a_missing_tensor(file: Path) -> None:
    rewrite(file, {}, drop="stem.conv.0.weight")
    assert sentence(file) == f"{file} does not fit its own configuration: see stem.conv.0.weight."


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of shipped weights with one network in it."""
    folder = tmp_path / "weights"
    save_network(folder / "tiny.safetensors", network(), METADATA)
    digest = sha256(folder / "tiny.safetensors")
    (folder / "SHA256SUMS").write_text(f"{digest}  tiny.safetensors\n\n{'0' * 64} *gone.onnx\n")
    monkeypatch.setattr(zoo, "WEIGHTS", folder)
    monkeypatch.setattr(zoo, "SUMS", folder / "SHA256SUMS")
    return folder


def test_a_shipped_name_is_its_file(shelf: Path) -> None:
    assert zoo.find_weights("tiny", ".safetensors") == shelf / "tiny.safetensors"
    assert load_network("tiny")[1].name == "tiny"
    assert set(zoo.shipped()) == {"tiny.safetensors", "gone.onnx"}


def test_an_unknown_name_lists_the_known_ones(shelf: Path) -> None:
    assert sentence("big") == (
        "no shipped weights 'big' (.safetensors): shipped are tiny; "
        "for your own give the path of the file."
    )
    with pytest.raises(InputError, match=r"no shipped weights 'tiny' \(.onnx\): shipped are gone;"):
        zoo.find_weights("tiny", ".onnx")
    (shelf / "SHA256SUMS").unlink()
    assert "shipped are none" in sentence("tiny")


def test_a_shipped_file_that_changed_is_refused(shelf: Path) -> None:
    path = shelf / "tiny.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    expected = "missing or damaged (SHA-256 differs): reinstall the package."
    assert sentence("tiny").endswith(expected)
    path.unlink()
    assert sentence("tiny").endswith(expected)
    with pytest.raises(InputError, match="missing or damaged"):
        zoo.find_weights("gone", ".onnx")


def test_paths(shelf: Path, tmp_path: Path) -> None:
    assert zoo.find_weights(str(shelf / "tiny.safetensors"), ".safetensors").is_file()
    missing = tmp_path / "none.safetensors"
    assert sentence(missing) == f"no weights file {missing}: check the path."
    # A folder makes it a path, although the name is known.
    assert sentence("weights/tiny") == "no weights file weights/tiny: check the path."
    with pytest.raises(InputError, match=r"tiny.safetensors is not a .onnx file"):
        zoo.find_weights(str(shelf / "tiny.safetensors"), ".onnx")


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_files_of_a_network_belong_together(name: str) -> None:
    network, metadata = load_network(name)
    assert metadata.name == name
    assert metadata.config == get_variant(name)
    assert metadata.calibration is not None
    assert metadata.correction is not None
    assert all(bool(value.isfinite().all()) for value in network.state_dict().values())
    for file in (name, f"{name}{zoo.INT8}"):
        info = read_onnx(file).info
        assert (info.name, info.input_size, info.markup) == (name, metadata.input_size, WFLW)
        assert info.calibration == metadata.calibration
        assert info.correction == metadata.correction
        assert find_weights(file, ".onnx").name == f"{file}.onnx"
    # Notes are read by everybody and say nothing about the machine.
    assert "/" not in metadata.notes


def test_a_header_that_asks_for_all_memory(tmp_path: Path) -> None:
    def written(text: dict[str, str]) -> str:
        path = tmp_path / "a.safetensors"
        save_file({"a": torch.zeros(1)}, path, metadata={"format": "propnet-weights-1", **text})
        return str(path)

    good = {"name": "a", "input_size": "64"}
    # 60 GB of weights, of which the file has four bytes.
    wide = '{"stacks": 16, "channels": 1024, "depth": 8, "attention_depth": 8}'
    for text, message in (
        ({**good, "config": wide, "input_size": "1024"}, "does not fit its own configuration"),
        ({**good, "config": '{"stacks": 1000000000}'}, "stacks must not be above 16"),
        ({**good, "config": '{"channels": 1600000000}'}, "channels must not be above"),
        ({**good, "config": "[" * 100_000}, "does not describe a PropNet"),
        ({**good, "config": "{}", "input_size": "9" * 30}, "does not describe a PropNet"),
    ):
        with pytest.raises(InputError, match=message):
            load_network(written(text))
