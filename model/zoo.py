"""Weights by name: the files shipped inside the package, checked by their SHA-256."""

from __future__ import annotations

from pathlib import Path

from model.errors import InputError
from model.files import sha256

WEIGHTS = Path(__file__).parent / "weights"
SUMS = WEIGHTS / "SHA256SUMS"


def shipped() -> dict[str, str]:
    """Shipped files: name -> SHA-256, as `sha256sum` writes them."""
    if not SUMS.is_file():
        return {}
    pairs = (line.split() for line in SUMS.read_text(encoding="ascii").splitlines() if line)
    return {name.lstrip("*"): digest for digest, name in pairs}


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
