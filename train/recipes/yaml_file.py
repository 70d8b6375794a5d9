"""YAML files read within bounds: 300 bytes of anchors can stand for gigabytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from model.errors import InputError

# Recipes and lists of changes have 3 kB, 4 levels and 100 values.
_MOST_BYTES = 1 << 20
_DEEPEST = 20
_MOST_VALUES = 10_000
_LONGEST = 1000


def read_yaml(path: Path) -> Any:
    """What a YAML file holds.

    Args:
        path: an existing file.

    Raises:
        InputError: not YAML, it cannot be read, or it stands for more than settings do: too large,
            too deep, or with anchors that grow.
    """
    try:
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise InputError(f"{path} has {size} bytes, too many for settings.")
        text = path.read_text(encoding="utf-8")
        _check_bounds(text, path)
        return yaml.safe_load(text)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}.") from error
    # ValueError and those after it: dates and numbers that only look like some.
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError) as error:
        detail = " ".join(str(error).split())
        raise InputError(f"{path} is not a YAML file: {detail}.") from error


def _check_bounds(text: str, path: Path) -> None:
    """Count what the text stands for, without making it."""
    # Anchor and values so far of every list and table that is open; the first is the file.
    opened: list[tuple[str | None, int]] = [(None, 0)]
    sizes: dict[str, int] = {}
    for event in yaml.parse(text, yaml.SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            opened.append((event.anchor, 1))
            if len(opened) > _DEEPEST:
                raise InputError(f"{path} is nested more than {_DEEPEST} deep: no settings are.")
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, count = opened.pop()
        elif isinstance(event, yaml.AliasEvent):
            if any(event.anchor == anchor for anchor, _ in opened):
                raise InputError(f"{path}: *{event.anchor} stands within itself.")
            anchor, count = None, sizes.get(str(event.anchor), 1)
        elif isinstance(event, yaml.ScalarEvent):
            if len(event.value) > _LONGEST:
                raise InputError(f"{path} holds a value of {len(event.value)} characters.")
            anchor, count = event.anchor, 1
        else:
            continue
        if anchor is not None:
            sizes[anchor] = count
        opened[-1] = (opened[-1][0], opened[-1][1] + count)
        if opened[-1][1] > _MOST_VALUES:
            raise InputError(
                f"{path} stands for more than {_MOST_VALUES} values, too many for settings."
            )
