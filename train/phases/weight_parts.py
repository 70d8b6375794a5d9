"""Weights in parts of a bounded size, for ways out that take no large files.

A float16 is two bytes: sign, exponent and the first bits of the mantissa, which repeat from weight
to weight, and eight bits that are noise. Apart from each other the first kind shrinks to 70 %
(Huffman codes, measured on propnet-m), the second not at all: 85 % of the file. Where that is
still too much, the last bits of the mantissas are dropped.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from model.errors import InputError
from model.files import replacing

MIB = 2**20
_MAGIC = b"propnet-part-1\n"
# Mantissa bits of a float16 that may go: 4 leave 7 significant bits, 0.4 % of a weight, as much as
# bfloat16 has.
MOST_BITS = 4
# The largest finite float16, as bits.
_LARGEST = 0x7BFF


@dataclass(frozen=True)
class Part:
    """What the head of a part says.

    Attributes:
        sha256: of the whole file.
        index: number of the part, from 0.
        count: parts in all.
        odd: whether the whole has an odd number of bytes.
    """

    sha256: str
    index: int
    count: int
    odd: bool


def split_weights(path: Path, folder: Path, *, part: int, total: int) -> tuple[list[Path], int]:
    """Write a weights file as parts; those of another version are replaced.

    Args:
        path: a .safetensors file.
        folder: gets NAME.part1of4 and so on.
        part: most bytes of a file.
        total: most bytes of all of them.

    Returns:
        The parts, and how many bits of the mantissas were dropped for them to fit, 0 to 4.

    Raises:
        InputError: no such file, the parts cannot be written, or the weights do not fit.
    """
    for bits in range(MOST_BITS + 1):
        data = _rounded(path, bits)
        code = _encode(data)
        # Heads are a few hundred bytes.
        if len(code) + 1000 * (len(code) // part + 1) <= total:
            break
    else:
        raise InputError(
            f"{path} takes {len(code) / MIB:.1f} MiB at the least, {total / MIB:.1f} are given."
        )
    body = part - 1000
    chunks = [code[begin : begin + body] for begin in range(0, len(code), body)]
    digest = hashlib.sha256(data).hexdigest()
    written = []
    for index, chunk in enumerate(chunks):
        head = Part(digest, index, len(chunks), bool(len(data) % 2))
        target = folder / f"{path.stem}.part{index + 1}of{len(chunks)}"
        with replacing(target) as partial:
            partial.write_bytes(_MAGIC + json.dumps(asdict(head)).encode() + b"\n" + chunk)
        written.append(target)
    for other in folder.glob(f"{path.stem}.part*of*"):
        if other not in written:
            other.unlink()
    return written, bits


def join_weights(parts: Iterable[Path], out: Path) -> str:
    """Put parts together again.

    Args:
        parts: all parts of one file, in any order.
        out: the file to write.

    Returns:
        SHA-256 of the file, which is the one that was split (or its rounded copy).

    Raises:
        InputError: a part is missing, damaged, or of another file.
    """
    found: dict[int, bytes] = {}
    heads: set[tuple[str, int, bool]] = set()
    for path in parts:
        head, chunk = _read(path)
        heads.add((head.sha256, head.count, head.odd))
        found[head.index] = chunk
    if not found:
        raise InputError("there are no parts: name the files that train.parts split wrote.")
    if len(heads) > 1:
        raise InputError("the parts are of different files: name those of one.")
    digest, count, odd = heads.pop()
    missing = [str(index + 1) for index in range(count) if index not in found]
    if missing:
        raise InputError(f"part {', '.join(missing)} of {count} is missing.")
    try:
        data = _decode(b"".join(found[index] for index in range(count)), odd)
    except zlib.error as error:
        raise InputError("a part is damaged: fetch it again.") from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise InputError("a part is damaged: fetch it again.")
    with replacing(out) as partial:
        partial.write_bytes(data)
    return digest


def _read(path: Path) -> tuple[Part, bytes]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}.") from error
    head, newline, chunk = data.removeprefix(_MAGIC).partition(b"\n")
    try:
        if not data.startswith(_MAGIC) or not newline:
            raise ValueError
        return Part(**json.loads(head)), chunk
    except (ValueError, TypeError) as error:
        raise InputError(f"{path} is no part of a weights file.") from error


def _rounded(path: Path, bits: int) -> bytes:
    """The file, its float16 weights rounded to as many bits fewer."""
    try:
        if not bits:
            return path.read_bytes()
        with safe_open(path, framework="numpy") as file:
            text = file.metadata()
            tensors = {key: _shorter(file.get_tensor(key), bits) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InputError(f"cannot read {path}: {error}.") from error
    return save(tensors, metadata=text)


def _shorter(values: NDArray[np.generic], bits: int) -> NDArray[np.generic]:
    """Float16 values with the last bits of their mantissas 0, rounded; others as they are."""
    if values.dtype != np.float16:
        return values
    whole = np.ascontiguousarray(values).view(np.uint16).astype(np.uint32)
    sign, size = whole & 0x8000, whole & 0x7FFF
    size = (size + (1 << bits >> 1)) >> bits << bits
    # What rounding would make infinite stays the largest number.
    size = np.where(size > _LARGEST, _LARGEST >> bits << bits, size)
    return np.asarray((sign | size).astype(np.uint16).view(np.float16).reshape(values.shape))


def _encode(data: bytes) -> bytes:
    pairs = np.frombuffer(data + b"\0" * (len(data) % 2), np.uint8).reshape(-1, 2)
    planes = [_huffman(pairs[:, i].tobytes()) for i in (0, 1)]
    return len(planes[0]).to_bytes(8, "little") + planes[0] + planes[1]


def _huffman(plane: bytes) -> bytes:
    """Coded byte by byte: weights hold no repeated strings that would be worth a search."""
    coder = zlib.compressobj(6, zlib.DEFLATED, 15, 9, zlib.Z_HUFFMAN_ONLY)
    return coder.compress(plane) + coder.flush()


def _decode(code: bytes, odd: bool) -> bytes:
    length = int.from_bytes(code[:8], "little")
    planes = [zlib.decompress(code[8 : 8 + length]), zlib.decompress(code[8 + length :])]
    pairs = np.stack([np.frombuffer(plane, np.uint8) for plane in planes], axis=1)
    data = pairs.tobytes()
    return data[:-1] if odd else data
