"""Settings in YAML files: read, and turned into dataclasses that are strict about them."""

from __future__ import annotations

import types
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from model.errors import InputError
from train.recipes.yaml_file import read_yaml

_SHOWN = 80  # characters of a wrong value


def read_settings(name: str, folder: Path, what: str) -> tuple[Path, Any]:
    """Read a YAML file by name (`folder`/NAME.yaml) or from a path.

    Args:
        name: or path, which ends in .yaml or .yml.
        folder: of the files that we ship.
        what: the file is, for messages.

    Returns:
        The path, and what the file holds.

    Raises:
        InputError: no such file, or what `read_yaml` says.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else folder / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.yaml")))
        raise InputError(f"no {what} {name}: give a .yaml file or one of {known}.")
    return path, read_yaml(path)


def build(kind: Any, value: Any, where: str) -> Any:
    """Turn plain values into a (nested) dataclass, checking keys and types.

    Args:
        kind: a dataclass, or the type hint of one of its fields.
        value: what the file holds.
        where: the place in the file, for messages.

    Raises:
        InputError: an unknown key or a value of the wrong type.
    """
    if is_dataclass(kind) and isinstance(kind, type):
        if not isinstance(value, dict):
            raise InputError(f"{where}: expected named settings, found {_shown(value)}.")
        hints = get_type_hints(kind)
        unknown = [str(key) for key in value if key not in {f.name for f in fields(kind)}]
        if unknown:
            raise InputError(
                f"{where}: unknown setting '{unknown[0]}'; known are {', '.join(hints)}."
            )
        missing = [f.name for f in fields(kind) if _required(f) and f.name not in value]
        if missing:
            raise InputError(f"{where}: the setting '{missing[0]}' is missing.")
        settings = {k: build(hints[k], v, f"{where}, {k}") for k, v in value.items()}
        try:
            return kind(**settings)
        except InputError as error:
            raise InputError(f"{where}: {error}") from error
    origin, args = get_origin(kind), get_args(kind)
    if origin is tuple and isinstance(value, list):
        return tuple(build(args[0], v, f"{where}[{i}]") for i, v in enumerate(value))
    if origin is dict and isinstance(value, dict):
        return {str(k): build(args[1], v, f"{where}, {k}") for k, v in value.items()}
    if kind is Any or (origin is Literal and value in args):
        return value
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError as error:
            raise InputError(f"{where}: {_shown(value)} is too large.") from error
    plain = isinstance(kind, type) and not isinstance(kind, types.GenericAlias)
    # True is an int to Python, and not to whoever wrote `batch: true`.
    if plain and isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return value
    wanted = f"one of {', '.join(map(str, args))}" if origin is Literal else _type_name(kind)
    raise InputError(f"{where}: {_shown(value)} is not {wanted}.")


def _shown(value: Any) -> str:
    """A value in a message; a whole list there would hide what is wrong with it."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _required(setting: Field[Any]) -> bool:
    return setting.default is MISSING and setting.default_factory is MISSING


def _type_name(kind: Any) -> str:
    names = {
        int: "a whole number",
        # YAML 1.1 takes 1e-4, without a point, for text.
        float: "a number (with an exponent write 1.0e-4)",
        bool: "true or false",
        str: "text",
        tuple: "a list",
        dict: "a table of names",
    }
    return names.get(get_origin(kind) or kind, str(kind))
