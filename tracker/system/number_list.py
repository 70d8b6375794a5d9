"""Numbers with commas, as options take them."""

from __future__ import annotations

from model.errors import InputError


def parse_numbers(text: str, name: str, kind: str, example: str) -> tuple[int, ...]:
    """Whole numbers over 0 from a text like "1,4".

    Args:
        text: what was given.
        name: of the option, for the message.
        kind: what the numbers are, for the message: "numbers of faces".
        example: a text that would do, for the message.

    Returns:
        The numbers, in their order.

    Raises:
        InputError: not such a list.
    """
    parts = text.split(",")
    if not all(part.strip().isdecimal() and int(part) for part in parts):
        raise InputError(f"the {name} {text!r} must be {kind} with commas, as in {example}.")
    return tuple(int(part) for part in parts)
