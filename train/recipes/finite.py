"""Numbers of settings that are numbers."""

from __future__ import annotations

import math

from model.errors import InputError


def check_finite(settings: object) -> None:
    """Refuse infinity and NaN, whichever field of a dataclass they are in.

    Args:
        settings: a dataclass; its floats, and those of its tuples, are looked at.

    Raises:
        InputError: with the name of the setting.
    """
    for name, value in vars(settings).items():
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, float) and not math.isfinite(number):
                raise InputError(f"'{name}' must be a finite number, not {number}.")


def check_range(settings: object, **most: float) -> None:
    """Refuse negative numbers, NaN, and numbers over a bound.

    Args:
        settings: a dataclass.
        most: for some of its fields the largest value that makes sense.

    Raises:
        InputError: with the name of the setting.
    """
    for name, bound in most.items():
        # False for NaN as well.
        if not 0 <= getattr(settings, name) <= bound:
            raise InputError(f"'{name}' must be from 0 to {bound:g}.")
