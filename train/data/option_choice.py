"""Options that are one of some words."""

from model.errors import InputError


def check_choice(option: str, value: str, allowed: tuple[str, ...]) -> None:
    """Check that an option has one of the values that it can have.

    Raises:
        InputError: it has not.
    """
    if value not in allowed:
        raise InputError(f"--{option} is {value!r}; choose one of {', '.join(allowed)}.")
