"""From measured speeds to the way to train: which batch, compiled or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Choice:
    """A way to train.

    Attributes:
        batch: views per step.
        compiled: whether to compile the blocks.
        views_per_second: what the device is expected to learn from, loading apart.
        why: in words.
    """

    batch: int
    compiled: bool
    views_per_second: float
    why: str


def choose(reports: list[dict[str, Any]], seconds: float, batch: int) -> Choice:
    """The way that sees the most views in the time there is.

    Args:
        reports: of `train.speed`.
        seconds: for training, warm-up included.
        batch: the recipe's, taken where nothing was measured.

    Returns:
        The choice.
    """
    ways = [step for report in reports for step in report.get("steps", []) if not step["problem"]]
    if not ways:
        return Choice(batch, False, 0.0, "nothing was measured: the recipe's batch, eager")

    def views(step: dict[str, Any]) -> float:
        return float(step["views_per_second"] * max(seconds - step["warm_up_seconds"], 0.0))

    best = max(ways, key=views)
    others = "; ".join(
        f"{'compiled' if step['compiled'] else 'eager'} {step['batch']}: "
        f"{step['views_per_second']:.0f}/s after {step['warm_up_seconds']:.0f} s"
        for step in ways
    )
    return Choice(
        best["batch"],
        best["compiled"],
        best["views_per_second"],
        f"most views in {seconds:.0f} s of {others}",
    )
