"""A digest of everything in a tree of dataclasses that decides results, so that no list is kept."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields, is_dataclass
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

# Metadata of a field that changes how a result is reached (threads, say), and never the result.
# Fields without it count: whoever forgets it makes a batch do its files again, no worse.
NOT_IN_RESULTS = MappingProxyType({"in_results": False})


def settings_digest(*values: Any) -> str:
    """Digest of values, 16 hexadecimal digits: equal for equal settings, in every process.

    Args:
        values: dataclasses (without their fields marked `NOT_IN_RESULTS`), and what they may hold:
            None, booleans, numbers, strings, paths, tuples, lists, sets and dictionaries of them.

    Raises:
        TypeError: anything else: its text might differ from process to process.
    """
    plain = json.dumps([_plain(value) for value in values], sort_keys=True)
    return hashlib.sha256(plain.encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    """The value as JSON has it."""
    if is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: _plain(getattr(value, field.name))
            for field in fields(value)
            if field.metadata.get("in_results", True)
        }
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Path | Fraction):
        return str(value)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(map(_plain, value))
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    raise TypeError(f"a setting of the type {type(value).__name__} has no digest")
