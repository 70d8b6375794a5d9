"""The markups that come with the package: WFLW's 98 points, iBUG's 68 and COFW's 29."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from model.errors import InputError
from model.markup import AnyMarkup, Markup
from model.markup_file import MARKUPS_FOLDER, markup_from_dict, markup_to_dict, read_markup

WFLW, IBUG, COFW = (
    read_markup(MARKUPS_FOLDER / f"{name}.yaml") for name in ("wflw98", "ibug68", "cofw29")
)
MARKUPS: dict[str, Markup] = {markup.name: markup for markup in (WFLW, IBUG, COFW)}

# The 60 landmarks that both markups place at the same spot: (WFLW index, iBUG index).
WFLW_TO_IBUG: tuple[tuple[int, int], ...] = tuple(
    (spots[0], point) for point, spots in IBUG.roles.wflw98.items() if len(spots) == 1
)


def get_markup(markup: AnyMarkup) -> Markup:
    """The markup of that name; one that is given is given back.

    Raises:
        InputError: there is none.
    """
    if isinstance(markup, Markup):
        return markup
    if markup not in MARKUPS:
        raise InputError(f"unknown markup '{markup}': use one of {', '.join(MARKUPS)}.")
    return MARKUPS[markup]


def find_markup(name: str) -> Markup:
    """A markup by its name or its file.

    Args:
        name: of a shipped one, or the path of a .yaml file.

    Raises:
        InputError: no such name, or the file describes no markup.
    """
    return read_markup(Path(name)) if name.endswith((".yaml", ".yml")) else get_markup(name)


def markup_to_plain(markup: Markup) -> str | dict[str, Any]:
    """What headers of files keep: the name of a shipped markup, else all of it."""
    return markup.name if MARKUPS.get(markup.name) == markup else markup_to_dict(markup)


def markup_from_plain(value: object, where: str) -> Markup:
    """Inverse of `markup_to_plain`.

    Args:
        value: a name or a table.
        where: it comes from, for messages.

    Raises:
        InputError: neither the name of a shipped markup nor a whole one.
    """
    if not isinstance(value, str):
        return markup_from_dict(value, where)
    try:
        return get_markup(value)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
