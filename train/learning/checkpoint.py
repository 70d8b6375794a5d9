"""Checkpoints: everything a run needs to go on as if it had never stopped."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from model.errors import InputError
from model.files import replacing
from train.learning.history import HistoryRow
from train.learning.memory import LOADER_DIED
from train.recipes.run_config import completed


@dataclass
class Progress:
    """Where a run is.

    Attributes:
        epoch: epochs finished.
        batch: batches of the current epoch finished.
        step: optimiser steps.
        images: faces trained on, over all processes.
        seconds: time spent, over all resumptions.
        loss_sum: sum of the losses of the current epoch's finished batches.
        best: lowest dev NME so far, percent.
        rows: history.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    images: int = 0
    seconds: float = 0.0
    loss_sum: float = 0.0
    best: float = float("inf")
    rows: list[HistoryRow] = field(default_factory=list)


def save_checkpoint(
    path: Path, settings: dict[str, Any], progress: Progress, states: dict[str, Any]
) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        path: file to replace.
        settings: what must not change between start and resumption.
        progress: where the run is.
        states: state dictionaries of network, average and optimiser.

    Raises:
        InputError: the file cannot be written.
    """
    content = {"settings": settings, "progress": asdict(progress), "states": states}
    try:
        with replacing(path) as partial:
            torch.save(content, partial)
    except RuntimeError as error:  # how torch reports a full disk
        if LOADER_DIED in str(error):
            raise  # of another matter: a signal brings it, at any place
        detail = str(error).splitlines()[0]
        raise InputError(f"cannot write {path}: {detail}.") from error


def load_checkpoint(path: Path, settings: dict[str, Any]) -> tuple[Progress, dict[str, Any]]:
    """Read a checkpoint.

    Args:
        path: the file.
        settings: this run's; must equal the checkpoint's, but for a run by time that shall now be
            longer.

    Returns:
        Where the run was, and the state dictionaries.

    Raises:
        InputError: damaged, or the run was started with other settings.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        found, states = completed(content["settings"]), content["states"]
        values = dict(content["progress"])
        rows = [HistoryRow(**row) for row in values.pop("rows")]
        progress = Progress(**values, rows=rows)
        different = [
            key
            for key in settings
            if found.get(key) != settings[key] and not _may_differ(key, found, settings)
        ]
    # torch's unpickler raises what its parts do, and what is sound may be no checkpoint of ours.
    except Exception as error:
        raise InputError(f"{path} is damaged: delete it to start again.") from error
    if different:
        raise InputError(
            f"{path} belongs to a run with another {', '.join(different)}: "
            "give the same settings to resume it, or another --out."
        )
    return progress, states


def _may_differ(key: str, found: dict[str, Any], settings: dict[str, Any]) -> bool:
    """Whether a difference in a setting is none that matters.

    It makes a run by time longer, which changes nothing before it; or it is of what older
    checkpoints do not tell.
    """
    if key == "dev data":
        return key not in found
    old, new = found.get(key), settings[key]
    return key == "max_minutes" and old is not None and new is not None and new > old
