"""Weights cut into parts come back as they were, or as near as the room allows."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors.numpy import load_file, save_file
from typer.testing import CliRunner

from model.errors import InputError
from model.files import sha256
from model.zoo import find_weights
from train.parts import app
from train.phases.outgoing import Outgoing
from train.phases.weight_parts import _decode, _encode, _shorter, join_weights, split_weights

SHIPPED = find_weights("propnet-s", ".safetensors")


def write(path: Path, seed: int = 0, odd: bool = False) -> Path:
    rng = np.random.default_rng(seed)
    tensors = {"a": rng.normal(size=(300, 40)).astype(np.float16), "b": np.float32([1e6, 2.5])}
    if odd:
        tensors["c"] = np.uint8([1])
    save_file(tensors, path, metadata={"format": "test"})
    return path


@pytest.mark.parametrize("part", [2_000, 7_001, 10_000_000])
@pytest.mark.parametrize("odd", [False, True])
def test_whole_again(tmp_path: Path, part: int, odd: bool) -> None:
    path = write(tmp_path / "net.safetensors", odd=odd)
    parts, bits = split_weights(path, tmp_path / "out", part=part, total=10_000_000)
    assert bits == 0
    assert all(p.stat().st_size <= part for p in parts)
    assert [p.name for p in parts] == [f"net.part{i + 1}of{len(parts)}" for i in range(len(parts))]
    digest = join_weights(reversed(parts), tmp_path / "back.safetensors")
    assert digest == sha256(path)
    assert (tmp_path / "back.safetensors").read_bytes() == path.read_bytes()


def test_shipped_weights_shrink(tmp_path: Path) -> None:
    size = SHIPPED.stat().st_size
    parts, bits = split_weights(SHIPPED, tmp_path, part=size, total=size)
    assert bits == 0
    assert sum(p.stat().st_size for p in parts) < 0.88 * size
    # Where there is less room, bits go.
    fewer, bits = split_weights(SHIPPED, tmp_path, part=size, total=int(0.7 * size))
    assert 1 <= bits <= 4
    assert sum(p.stat().st_size for p in fewer) <= 0.7 * size
    join_weights(fewer, tmp_path / "back.safetensors")
    whole, back = load_file(SHIPPED), load_file(tmp_path / "back.safetensors")
    for name, values in whole.items():
        if values.dtype == np.float16:
            largest = 2.0 ** (bits - 11) * np.abs(values.astype(float)) + 1e-6
            assert (np.abs(back[name].astype(float) - values.astype(float)) <= largest).all(), name
        else:
            np.testing.assert_array_equal(back[name], values)
    with pytest.raises(InputError, match=r"takes .* MiB at the least, 0\.1 are given"):
        split_weights(SHIPPED, tmp_path, part=size, total=100_000)


@given(arrays(np.uint16, st.integers(0, 50)), st.integers(0, 4))
def test_rounding_is_to_the_nearest(values: np.ndarray, bits: int) -> None:
    halves = values.view(np.float16)
    short = _shorter(halves, bits)
    assert not (short.view(np.uint16) & ((1 << bits) - 1))[np.isfinite(halves)].any()
    finite = np.isfinite(halves)
    assert np.isfinite(short[finite]).all()
    # One unit of the last place kept, halved: in the bits' own order, which is that of size.
    largest = 0x7BFF >> bits << bits
    sizes = (values & 0x7FFF).astype(int)
    expected = np.minimum((sizes + (1 << bits >> 1)) // (1 << bits) * (1 << bits), largest)
    found = (short.view(np.uint16) & 0x7FFF).astype(int)
    np.testing.assert_array_equal(found[finite], expected[finite])
    np.testing.assert_array_equal(np.signbit(short[finite]), np.signbit(halves[finite]))


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    assert _decode(_encode(data), bool(len(data) % 2)) == data


def test_wrong_parts(tmp_path: Path) -> None:
    first, _ = split_weights(
        write(tmp_path / "a.safetensors"), tmp_path / "a", part=8_000, total=10**7
    )
    other, _ = split_weights(
        write(tmp_path / "b.safetensors", 1), tmp_path / "b", part=8_000, total=10**7
    )
    out = tmp_path / "back.safetensors"
    assert len(first) >= 3
    with pytest.raises(InputError, match=rf"part 2 of {len(first)} is missing"):
        join_weights([first[0], *first[2:]], out)
    with pytest.raises(InputError, match="of different files"):
        join_weights([*first[:-1], other[-1]], out)
    with pytest.raises(InputError, match="there are no parts"):
        join_weights([], out)
    with pytest.raises(InputError, match="is no part of a weights file"):
        join_weights([tmp_path / "a.safetensors"], out)
    with pytest.raises(InputError, match="cannot read"):
        join_weights([tmp_path / "none"], out)
    data = bytearray(first[1].read_bytes())
    data[-3] ^= 0xFF
    first[1].write_bytes(data)
    with pytest.raises(InputError, match="damaged: fetch it again"):
        join_weights(first, out)
    assert not out.exists()


def test_parts_of_an_older_version_go(tmp_path: Path) -> None:
    path = write(tmp_path / "net.safetensors")
    many, _ = split_weights(path, tmp_path / "out", part=3_000, total=10**7)
    (tmp_path / "out" / "notes.txt").write_text("kept")
    few, _ = split_weights(path, tmp_path / "out", part=10**6, total=10**7)
    assert len(many) > len(few)
    names = {p.name for p in (tmp_path / "out").iterdir()}
    assert names == {"notes.txt", *(p.name for p in few)}


def test_weights_leave_as_they_come(tmp_path: Path) -> None:
    path, out = tmp_path / "best.safetensors", tmp_path / "out"
    outgoing = Outgoing(path, out, part=10**6, total=10**7)
    outgoing.follow()
    assert outgoing.state == "none"
    write(path)
    outgoing.follow()
    assert outgoing.state == "1 parts, 0 bits of each weight dropped"
    part = out / "best.part1of1"
    before = part.stat().st_mtime_ns
    outgoing.follow()
    assert part.stat().st_mtime_ns == before
    write(path, 1)
    outgoing.follow()
    assert join_weights([part], tmp_path / "back.safetensors") == sha256(path)
    tight = Outgoing(path, out, part=10**6, total=1000)
    tight.follow()
    assert "MiB at the least" in tight.state


def test_the_command(tmp_path: Path) -> None:
    runner, out = CliRunner(), tmp_path / "parts"
    done = runner.invoke(app, ["split", str(SHIPPED), "--out", str(out), "--part", "0.5"])
    assert done.exit_code == 0, done.output
    assert "parts, " in done.output
    back = tmp_path / "back.safetensors"
    done = runner.invoke(app, ["join", *map(str, out.iterdir()), "--out", str(back)])
    assert done.exit_code == 0, done.output
    assert sha256(SHIPPED) in done.output
    assert back.read_bytes() == SHIPPED.read_bytes()
