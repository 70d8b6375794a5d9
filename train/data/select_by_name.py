"""Choosing faces of a dataset by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from model.errors import InputError
from train.data.sample import Sample


def select_named(samples: Sequence[Sample], names: Path) -> list[Sample]:
    """The faces whose pictures a text file names.

    Args:
        samples: faces to choose from; their pictures are files.
        names: one picture a line: the last field of the line, so that a WFLW list serves as well.
            A name fits the picture whose path ends in it ("afw/1.jpg" fits "300w/afw/1.jpg").

    Returns:
        The chosen faces in the order of the file.

    Raises:
        InputError: unreadable file, or a name that fits no picture or several.
    """
    try:
        lines = names.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the list of names {names}: {error}.") from error
    by_end: dict[str, list[Sample]] = {}
    for sample in samples:
        parts = sample.image.parts
        for start in range(len(parts)):
            by_end.setdefault("/".join(parts[start:]), []).append(sample)
    chosen = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        name = line.split()[-1]
        found = by_end.get(name, [])
        if len(found) != 1:
            raise InputError(
                f"{names}, line {number}: {name} fits {len(found)} pictures of this split; it must "
                f"fit one."
            )
        chosen.append(found[0])
    if not chosen:
        raise InputError(f"{names} names no picture.")
    return chosen
