"""A line of the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# "absent": not there, and nothing that tracking needs. "failed": broken, or the look at it was.
Status = Literal["ok", "absent", "failed"]


@dataclass(frozen=True)
class Row:
    """One thing that was looked at.

    Attributes:
        name: what it is.
        value: what was found, or why nothing was.
        status: how that is.
    """

    name: str
    value: str
    status: Status = "ok"
