"""Results of runs that are compared: reading them, and figures over seeds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from model.errors import InputError

ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class Spread:
    """Mean of a figure over seeds.

    Attributes:
        mean: of the seeds.
        deviation: their standard deviation (n - 1); None for a single one.
    """

    mean: float
    deviation: float | None


def spread(values: Sequence[float]) -> Spread:
    """Mean and deviation of at least one value."""
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Spread(float(np.mean(values)), deviation)


def figure(results: Sequence[Any], name: str) -> dict[str, Any] | None:
    """Spread of a field over results that have it, as plain values; None if none has."""
    values = [value for result in results if (value := getattr(result, name)) is not None]
    return asdict(spread(values)) if values else None


def figure_text(value: dict[str, Any] | None, digits: int, sign: str = "") -> str:
    """A spread as plain values, for people; nothing for None."""
    if value is None:
        return ""
    text = f"{value['mean']:{sign}.{digits}f}"
    return text if value["deviation"] is None else f"{text} ± {value['deviation']:.{digits}f}"


def read_trials(out: Path, file: str, kind: type[ResultT], command: str) -> list[ResultT]:
    """Results of all finished runs of a folder.

    Args:
        out: folder of the runs.
        file: name of the result within a run's folder.
        kind: a dataclass; what else a file holds is left out.
        command: what made the runs, for messages.

    Raises:
        InputError: a damaged file.
    """
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    results = []
    for path in sorted(out.glob(f"*/{file}")):
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            results.append(kind(**{name: values[name] for name in names}))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{path} is damaged: delete it and run the {command} again."
            ) from error
    return results


def check_budgets(out: Path, results: Sequence[Any], budget: Sequence[str]) -> None:
    """Find out that runs cannot be compared.

    Args:
        out: their folder, for messages.
        results: what they found.
        budget: fields that must be equal.

    Raises:
        InputError: one is not.
    """
    for key in budget:
        found = sorted({getattr(result, key) for result in results})
        if len(found) > 1:
            raise InputError(
                f"the runs in {out} differ in '{key}' ({', '.join(map(str, found))}): compare only "
                "runs of equal budgets, each budget in a folder of its own."
            )
