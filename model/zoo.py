"""Weights by name: the files shipped inside the package, checked by their SHA-256."""

from __future__ import annotations

from pathlib import Path

from model.errors import InputError
from model.files import sha256

WEIGHTS = Path(__file__).parent / "weights"
SUMS = WEIGHTS / "SHA256SUMS"
# An exported network in 8 bits lies beside the one in floats, under its name with this at the end.
INT8 = "-int8"
# What is used where nobody names one. In videos on a processor a smaller one follows its faces, and
# spares most of its time (`tracker.tracking.light_following`).
DEFAULT_WEIGHTS = "propnet-m"


def shipped() -> dict[str, str]:
    """Shipped files: name -> SHA-256, as `sha256sum` writes them."""
    if not SUMS.is_file():
        return {}
    pairs = (line.split() for line in SUMS.read_text(encoding="ascii").splitlines() if line)
    return {name.lstrip("*"): digest for digest, name in pairs}


def damaged() -> dict[str, str]:
    """Shipped files that are not what was shipped: name -> what is wrong, for people."""
    wrong = {}
    for name, digest in shipped().items():
        path = WEIGHTS / name
        if not path.is_file():
            wrong[name] = "missing: install the package again"
        elif sha256(path) != digest:
            wrong[name] = "damaged, its SHA-256 differs: install the package again"
    return wrong


def find_weights(name: str, suffix: str) -> Path:
    """File of a network.

    Args:
        name: a shipped name such as "propnet-s", or a path.
        suffix: ".safetensors" for trained weights, ".onnx" for the exported network.

    Returns:
        An existing file with that suffix.

    Raises:
        InputError: no such name or file, a wrong suffix, or a shipped file that was damaged.
    """
    path = Path(name)
    if path.suffix or path.parent != Path():
        if not path.is_file():
            raise InputError(f"no weights file {path}: check the path.")
        if path.suffix != suffix:
            raise InputError(f"{path} is not a {suffix} file, which is needed here.")
        return path
    sums = shipped()
    file = f"{name}{suffix}"
    if file not in sums:
        known = ", ".join(sorted(Path(f).stem for f in sums if f.endswith(suffix))) or "none"
        raise InputError(
            f"no shipped weights '{name}' ({suffix}): shipped are {known}; "
            "for your own give the path of the file."
        )
    path = WEIGHTS / file
    if not path.is_file() or sha256(path) != sums[file]:
        raise InputError(
            f"the shipped weights {path} are missing or damaged (SHA-256 differs): "
            "reinstall the package."
        )
    return path


def is_shipped_int8(name: str) -> bool:
    """Whether a shipped network, by its name, has a file in 8 bits as well."""
    return f"{name}{INT8}.onnx" in shipped()


def find_int8(name: str) -> Path:
    """The exported network in 8 bits.

    Args:
        name: a shipped name such as "propnet-s", with or without "-int8", or the path of the
            int8 .onnx file.

    Returns:
        An existing .onnx file.

    Raises:
        InputError: as `find_weights`, or a shipped network that has no int8 file.
    """
    path = Path(name)
    if path.suffix or path.parent != Path() or name.endswith(INT8):
        return find_weights(name, ".onnx")
    sums = shipped()
    if f"{name}.onnx" in sums and f"{name}{INT8}.onnx" not in sums:
        raise InputError(
            f"no int8 file of '{name}' is shipped: make one with python -m export.quantize and "
            "give its path, or use another precision."
        )
    return find_weights(name + INT8, ".onnx")
