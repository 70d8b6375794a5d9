"""Ways to damage a file: bytes of any kind, numbers and words of those that are text."""

from __future__ import annotations

import io
import json
import re
import struct
import zlib
from collections.abc import Callable, Sequence
from random import Random

Mutate = Callable[[Random, Sequence[bytes]], bytes]

_BYTES = (0, 1, 0x7F, 0x80, 0xFF)
_NUMBERS = (0, 1, 2, 127, 255, 256, 4096, 65535, 1 << 20, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)
_WORDS = (
    "nan", "inf", "-inf", ".nan", ".inf", "1e308", "1e-320", "-1", "0", "-0.0", "1e9", "-1e9",
    "99999999999999999999", "0x10", "1_000", "１２", "1,5", "''", '"', "{", "}", "[", "]", "null",
    "true", "~", "*a", "&a", "<<", "!!binary x", "!!python/name:os.system", "2026-13-45", "? x",
    "\0", "\ufeff", "\u2028", "\x1b[31m", "é", "%", "- ", ": ", "#", "9" * 5000, "x" * 3000,
    "1:" * 400 + "1", "[" * 200, "{a: " * 60,
)  # fmt: skip


def damaged(random: Random, seeds: Sequence[bytes]) -> bytes:
    """One of the seeds with its bytes changed in up to eight places."""
    data = bytearray(random.choice(seeds))
    for _ in range(1 + min(int(random.expovariate(0.7)), 7)):
        data = random.choice(_WAYS)(random, data, seeds)
    return bytes(data)


def damaged_png(random: Random, seeds: Sequence[bytes]) -> bytes:
    """The same; checksums of PNG chunks are made right again now and then: decoders stop there."""
    data = damaged(random, seeds)
    return with_checksums(data) if random.random() < 0.7 else data


def with_checksums(data: bytes) -> bytes:
    """A PNG file whose chunks have the checksums of what they hold; others stay as they are."""
    if not data.startswith(b"\x89PNG"):
        return data
    out, place = bytearray(data), 8
    while place + 12 <= len(out):
        end = place + 8 + int.from_bytes(out[place : place + 4], "big")
        if end + 4 > len(out):
            break
        out[end : end + 4] = zlib.crc32(bytes(out[place + 4 : end])).to_bytes(4, "big")
        place = end + 4
    return bytes(out)


def damaged_text(random: Random, seeds: Sequence[bytes]) -> bytes:
    """Words, numbers and lines changed; sometimes bytes as well."""
    if random.random() < 0.15:
        return damaged(random, seeds)
    text = random.choice(seeds).decode()
    for _ in range(1 + min(int(random.expovariate(0.7)), 7)):
        text = random.choice(_TEXT_WAYS)(random, text)
    return text.encode("utf-8", "surrogatepass")


def damaged_safetensors(random: Random, seeds: Sequence[bytes]) -> bytes:
    """Half of the time the header as text, with the length that it then has."""
    if random.random() < 0.5:
        return damaged(random, seeds)
    data = random.choice(seeds)
    length = int.from_bytes(data[:8], "little")
    header, rest = data[8 : 8 + length], data[8 + length :]
    if random.random() < 0.5:
        values = json.loads(header)
        key = random.choice(list(values["__metadata__"]))
        text = damaged_text(random, [values["__metadata__"][key].encode()])
        values["__metadata__"][key] = text.decode("utf-8", "replace")
        header = json.dumps(values).encode()
    else:
        header = damaged_text(random, [header])
    return struct.pack("<Q", len(header)) + header + rest


def damaged_onnx(random: Random, seeds: Sequence[bytes]) -> bytes:
    """Half of the time fields of the graph: names, shapes, attributes, metadata."""
    data = random.choice(seeds)
    if random.random() < 0.5:
        return damaged(random, seeds)
    import onnx

    model = onnx.load_model_from_string(data)
    for _ in range(random.randint(1, 3)):
        _damage_graph(random, model)
    return bytes(model.SerializeToString())


def damaged_mat(random: Random, seeds: Sequence[bytes]) -> bytes:
    """A third of the time values of the file, written by HDF5 itself."""
    data = random.choice(seeds)
    if random.random() < 0.67:
        return damaged(random, [data])
    import h5py
    import numpy as np

    file = io.BytesIO(data)
    with h5py.File(file, "r+") as mat:
        name = "phisT"
        labels = mat[name][()]
        way = random.randrange(4)
        if way == 0:
            row, column = random.randrange(labels.shape[0]), random.randrange(labels.shape[1])
            mat[name][row, column] = random.choice([np.nan, np.inf, -1e30, 1e308, 0.0])
        elif way == 1:
            del mat[name]
            shape = [random.choice([1, 3, 29, 87, 1 << 20, 1 << 40]) for _ in range(2)]
            mat.create_dataset(name, shape, dtype=random.choice(["f8", "u1", "S4"]), chunks=True)
        elif way == 2:
            shape = [random.choice([0, 1, 3, 64, 1 << 16]) for _ in range(random.randint(1, 4))]
            kind = random.choice(["u1", "f4"])
            mat.create_dataset(
                "#refs#/more", shape, dtype=kind, chunks=True if 0 not in shape else None
            )
            mat["IsT"][0, random.randrange(labels.shape[1])] = mat["#refs#/more"].ref
        else:
            mat["IsT"][0, 0] = random.choice([mat["/"].ref, mat["#refs#"].ref, mat[name].ref])
    return file.getvalue()


def _damage_graph(random: Random, model: object) -> None:
    graph = model.graph  # type: ignore[attr-defined]
    way = random.randrange(8)
    node = random.choice(graph.node)
    number = random.choice([*_NUMBERS, -1, 1 << 40, 1 << 62])
    if way == 0:
        node.op_type = random.choice(["Relu", "Conv", "Resize", "Loop", "If", "Nothing", "", "Pad"])
    elif way == 1 and node.input:
        names = [name for other in graph.node for name in (*other.input, *other.output)]
        node.input[random.randrange(len(node.input))] = random.choice([*names, "nobody", ""])
    elif way == 2 and graph.initializer:
        tensor = random.choice(graph.initializer)
        if tensor.dims:
            tensor.dims[random.randrange(len(tensor.dims))] = number
    elif way == 3 and graph.initializer:
        random.choice(graph.initializer).data_type = random.randrange(25)
    elif way == 4 and node.attribute:
        attribute = random.choice(node.attribute)
        if attribute.ints:
            attribute.ints[random.randrange(len(attribute.ints))] = number
        else:
            attribute.i = number
    elif way == 5:
        entry = random.choice(model.metadata_props)  # type: ignore[attr-defined]
        entry.value = random.choice([entry.value[1:], *_WORDS]).replace("\0", "")
    elif way == 6:
        value = random.choice([*graph.input, *graph.output])
        dims = value.type.tensor_type.shape.dim
        if dims:
            random.choice(dims).dim_value = number
    else:
        graph.node.remove(node)


def _place(random: Random, data: bytearray) -> int:
    """Half of the places are near the beginning, where headers are."""
    if not data:
        return 0
    if random.random() < 0.5:
        return min(int(2 ** random.uniform(0, 10)) - 1, len(data) - 1)
    return random.randrange(len(data))


def _block(random: Random, data: bytearray) -> slice:
    start = _place(random, data)
    return slice(start, start + int(2 ** random.uniform(0, 11)))


def _flip(random: Random, data: bytearray, _: Sequence[bytes]) -> bytearray:
    if data:
        data[_place(random, data)] ^= 1 << random.randrange(8)
    return data


def _set(random: Random, data: bytearray, _: Sequence[bytes]) -> bytearray:
    if data:
        data[_place(random, data)] = random.choice(_BYTES)
    return data


def _number(random: Random, data: bytearray, _: Sequence[bytes]) -> bytearray:
    size, order = random.choice([1, 2, 4, 8]), random.choice(["big", "little"])
    value = random.choice(_NUMBERS) % (1 << 8 * size)
    if random.random() < 0.2:
        value = (1 << 8 * size) - 1
    place = _place(random, data)
    data[place : place + size] = value.to_bytes(size, order)  # type: ignore[arg-type]
    return data


def _cut(random: Random, data: bytearray, _: Sequence[bytes]) -> bytearray:
    return data[: _place(random, data)]


def _remove(random: Random, data: bytearray, _: Sequence[bytes]) -> bytearray:
    del data[_block(random, data)]
    return data


def _repeat(random: Random, data: bytearray, _: Sequence[bytes]) -> bytearray:
    block = data[_block(random, data)]
    place = _place(random, data)
    data[place:place] = block * random.choice([1, 1, 2, 20])
    return data


def _clear(random: Random, data: bytearray, _: Sequence[bytes]) -> bytearray:
    block = _block(random, data)
    data[block] = bytes([random.choice(_BYTES)]) * len(data[block])
    return data


def _noise(random: Random, data: bytearray, _: Sequence[bytes]) -> bytearray:
    block = _block(random, data)
    data[block] = random.randbytes(len(data[block]))
    return data


def _splice(random: Random, data: bytearray, seeds: Sequence[bytes]) -> bytearray:
    other = bytearray(random.choice(seeds))
    return data[: _place(random, data)] + other[_place(random, other) :]


_WAYS = (_flip, _flip, _flip, _set, _number, _number, _number, _cut, _remove, _repeat, _clear,
         _noise, _splice)  # fmt: skip


def _word(random: Random, text: str) -> str:
    words = list(re.finditer(r"[^\s,:{}\[\]]+", text))
    if not words:
        return text
    word = random.choice(words)
    return text[: word.start()] + random.choice(_WORDS) + text[word.end() :]


def _digit(random: Random, text: str) -> str:
    digits = list(re.finditer(r"\d", text))
    if not digits:
        return text
    at = random.choice(digits).start()
    return text[:at] + random.choice(["9", "-", ".", "e", "0" * 20, "9" * 20]) + text[at + 1 :]


def _lines(random: Random, text: str) -> str:
    lines = text.splitlines(keepends=True)
    if not lines:
        return text
    at, other = random.randrange(len(lines)), random.randrange(len(lines))
    way = random.randrange(5)
    if way == 0:
        del lines[at]
    elif way == 1:
        lines[at:at] = [lines[other]] * random.choice([1, 1, 3])
    elif way == 2:
        lines[at], lines[other] = lines[other], lines[at]
    elif way == 3:
        lines = lines[:at]
    else:
        lines[at] = lines[at][: random.randrange(len(lines[at]) + 1)]
    return "".join(lines)


def _insert(random: Random, text: str) -> str:
    at = random.randrange(len(text) + 1)
    return text[:at] + random.choice(_WORDS) + text[at:]


def _ends(random: Random, text: str) -> str:
    return text.replace("\n", random.choice(["\r\n", "\r", "\n\n", " ", "\t\n"]))


def _all_numbers(random: Random, text: str) -> str:
    factor = random.choice([0.0, -1.0, 1e3, 1e300, 1e-9])
    return re.sub(r"-?\d+\.\d+", lambda found: f"{float(found[0]) * factor:g}", text)


_TEXT_WAYS = (_word, _word, _word, _digit, _digit, _lines, _lines, _insert, _ends, _all_numbers)
