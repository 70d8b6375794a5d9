"""Numbers of things, as people say them."""

from __future__ import annotations


def counted(number: int, thing: str) -> str:
    """Give a number and what it counts: 1 frame, 2 frames."""
    return f"{number} {thing}{'s' * (number != 1)}"
