"""Markup files: one's own landmarks, described in YAML (docs/markups.md explains every key)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import yaml

from model.errors import InputError
from model.markup import Group, Markup, Normalizer, Roles, Slit

FORMAT = "propnet-markup-1"
_LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
MARKUPS_FOLDER = Path(__file__).parent / "markups"
_KEYS = (
    "format",
    "name",
    "points",
    "curves",
    "mirror",
    "normalizers",
    "upright",
    "groups",
    "roles",
)
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_RANGE = re.compile(r"(\d+)-(\d+)")
# More than any face markup has (478), and few enough for maps of all to fit into memory.
_MOST = 1000
# So many points may lie on one line.
_FLAT = 2


def read_markup(path: Path) -> Markup:
    """Read a markup file.

    Args:
        path: a .yaml file (JSON is YAML too).

    Returns:
        The markup.

    Raises:
        InputError: it cannot be read, is no YAML, or describes no markup; says where and what.
    """
    try:
        # A tenth of the Python loader's time, and as safe.
        values = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}.") from error
    # ValueError: dates and numbers that cannot be, bytes that are no text.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        detail = " ".join(str(error).split())[:200]
        raise InputError(f"{path} is not a YAML file: {detail}.") from error
    return markup_from_dict(values, str(path))


def markup_from_dict(values: object, where: str) -> Markup:
    """A markup from what a file or a header holds.

    Args:
        values: as of a markup file.
        where: it comes from, for messages.

    Raises:
        InputError: it is no markup; names the key and the value.
    """
    return _Reader(where).markup(values)


def markup_to_dict(markup: Markup) -> dict[str, Any]:
    """What `markup_from_dict` makes the same markup of: numbers, texts, lists and tables only."""
    roles: dict[str, Any] = {
        name: {
            "corners": list(slit.corners),
            "upper": [pair[0] for pair in slit.pairs],
            "lower": [pair[1] for pair in slit.pairs],
        }
        for name in ("left_eye", "right_eye", "mouth")
        if (slit := getattr(markup.roles, name)) is not None
    }
    if markup.roles.wflw98:
        roles["wflw98"] = {str(i): list(group) for i, group in markup.roles.wflw98.items()}
    numbered = markup.names == tuple(str(i) for i in range(markup.points))
    return {
        "format": FORMAT,
        "name": markup.name,
        "points": markup.points if numbered else list(markup.names),
        "curves": {name: list(curve) for name, curve in markup.named_curves.items()},
        "mirror": "none" if markup.pairs is None else [list(pair) for pair in markup.pairs],
        "normalizers": {
            name: rule if isinstance(rule, str) else [list(group) for group in rule]
            for name, rule in markup.normalizers.items()
        },
        "upright": None if markup.upright is None else [list(group) for group in markup.upright],
        "groups": {name: list(group) for name, group in markup.groups.items()},
        "roles": roles,
    }


class _Reader:
    """Checks a markup key by key.

    Args:
        where: the file, for messages.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self._names: dict[str, int] = {}
        self._count = 0

    def markup(self, values: object) -> Markup:
        table = self._table(values, "the file")
        self._known(table, _KEYS, "key")
        if table.get("format") != FORMAT:
            raise self._wrong(f"format is {table.get('format')!r}, this version reads {FORMAT}")
        name = table.get("name")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise self._wrong(
                f"name is {name!r}: it must be text of small letters, digits and _ . -, at most 64"
            )
        names = self._point_names(table.get("points"))
        curves = self._curves(table.get("curves"))
        pairs = self._pairs(table.get("mirror", []))
        markup = Markup(
            name=name,
            names=names,
            named_curves=curves,
            pairs=pairs,
            normalizers=self._normalizers(table.get("normalizers")),
            upright=self._two_groups(table["upright"], "upright") if table.get("upright") else None,
            groups=self._groups(table.get("groups")),
            roles=self._roles(table.get("roles")),
        )
        self._check_mirrored_curves(markup)
        return markup

    def _point_names(self, value: object) -> tuple[str, ...]:
        if isinstance(value, int) and not isinstance(value, bool):
            if not 1 <= value <= _MOST:
                raise self._wrong(f"points is {value}: it must be from 1 to {_MOST}")
            names = [str(i) for i in range(value)]
        elif isinstance(value, list) and 1 <= len(value) <= _MOST:
            names = [self._point_name(name) for name in value]
        else:
            raise self._wrong("points must be a number, or a list of names")
        for name in names:
            if name in self._names:
                raise self._wrong(f"points has the name '{name}' twice")
            self._names[name] = len(self._names)
        self._count = len(names)
        return tuple(names)

    def _point_name(self, name: object) -> str:
        if not isinstance(name, str) or not name.strip() or len(name) > 64:
            raise self._wrong(f"points has {name!r} where a name must stand")
        if name.isdecimal() or _RANGE.fullmatch(name):
            raise self._wrong(f"points has the name '{name}', which would be taken for a number")
        return name

    def _curves(self, value: object) -> dict[str, Group]:
        curves = {}
        for name, members in self._table(value or {}, "curves").items():
            curve = self._points(members, f"curves, '{name}'")
            if len(curve) < 2:
                raise self._wrong(f"curves, '{name}': a curve needs two points or more")
            if any(a == b for a, b in pairwise(curve)):
                raise self._wrong(f"curves, '{name}' has a point twice in a row")
            curves[str(name)] = curve
        return curves

    def _pairs(self, value: object) -> tuple[tuple[int, int], ...] | None:
        if value == "none":
            return None
        if not isinstance(value, list):
            raise self._wrong('mirror must be a list of pairs, or "none"')
        pairs: list[tuple[int, int]] = []
        partner: dict[int, int] = {}
        for entry in value:
            if not isinstance(entry, list) or len(entry) != 2:
                raise self._wrong(f"mirror has {entry!r} where a pair must stand")
            left, right = (self._points(side, "mirror") for side in entry)
            if len(left) != len(right):
                raise self._wrong(f"mirror, {entry!r}: {len(left)} points face {len(right)}")
            for pair in zip(left, right, strict=True):
                if pair[0] == pair[1]:
                    raise self._wrong(
                        f"mirror pairs {self._call(pair[0])} with itself: leave it out"
                    )
                for one, other in (pair, pair[::-1]):
                    if one in partner:
                        raise self._wrong(
                            f"mirror pairs {self._call(one)} with {self._call(other)} and with "
                            f"{self._call(partner[one])}"
                        )
                    partner[one] = other
                pairs.append(pair)
        return tuple(pairs)

    def _normalizers(self, value: object) -> dict[str, Normalizer]:
        if value is None:
            if self._count > _FLAT:
                return {"box": "box", "diagonal": "diagonal"}
            # The box of two level points has no area.
            return {"diagonal": "diagonal", "box": "box"}
        rules: dict[str, Normalizer] = {}
        for name, rule in self._table(value, "normalizers").items():
            where = f"normalizers, '{name}'"
            rules[str(name)] = (
                cast("Literal['box', 'diagonal']", rule)
                if rule in ("box", "diagonal")
                else self._two_groups(rule, where)
            )
        if not rules:
            raise self._wrong("normalizers is empty: leave it out, or name one")
        return rules

    def _two_groups(self, value: object, where: str) -> tuple[Group, Group]:
        if not isinstance(value, list) or len(value) != 2:
            raise self._wrong(f"{where} must be two points, or two lists of them")
        first, second = (self._points(side, where) for side in value)
        if set(first) == set(second):
            raise self._wrong(f"{where} has the same points on both sides")
        return first, second

    def _groups(self, value: object) -> dict[str, Group]:
        if value is None:
            return {"all": tuple(range(self._count))}
        groups, owner = {}, dict[int, str]()
        for name, members in self._table(value, "groups").items():
            groups[str(name)] = tuple(sorted(self._points(members, f"groups, '{name}'")))
            for point in groups[str(name)]:
                if point in owner:
                    raise self._wrong(
                        f"groups has {self._call(point)} in '{owner[point]}' and in '{name}'"
                    )
                owner[point] = str(name)
        left = sorted(set(range(self._count)) - set(owner))
        if left:
            raise self._wrong(f"groups leaves out {self._call(left[0])}: put it into one of them")
        return groups

    def _roles(self, value: object) -> Roles:
        table = self._table(value or {}, "roles")
        self._known(table, ("left_eye", "right_eye", "mouth", "wflw98"), "role")
        slits = {
            name: self._slit(table[name], f"roles, {name}")
            for name in ("left_eye", "right_eye", "mouth")
            if name in table
        }
        return Roles(**slits, wflw98=self._places(table.get("wflw98") or {}))

    def _slit(self, value: object, where: str) -> Slit:
        table = self._table(value, where)
        self._known(table, ("corners", "upper", "lower"), f"key of {where}")
        sides = {key: self._points(table.get(key), f"{where}, {key}") for key in ("upper", "lower")}
        corners = self._points(table.get("corners"), f"{where}, corners")
        if len(corners) != 2 or corners[0] == corners[1]:
            raise self._wrong(f"{where}, corners must be two points")
        if len(sides["upper"]) != len(sides["lower"]):
            raise self._wrong(f"{where}: upper and lower must have as many points, in order")
        pairs = tuple(zip(sides["upper"], sides["lower"], strict=True))
        return Slit((corners[0], corners[1]), pairs)

    def _places(self, value: object) -> dict[int, Group]:
        places: dict[int, Group] = {}
        for key, target in self._table(value, "roles, wflw98").items():
            own = self._points(key, "roles, wflw98")
            theirs = _spots(target)
            if not theirs or not all(0 <= spot < 98 for spot in theirs):
                raise self._wrong(f"roles, wflw98: {target!r} is no point from 0 to 97")
            if len(own) > 1 and len(own) != len(theirs):
                raise self._wrong(
                    f"roles, wflw98: {len(own)} points of '{key}' face {len(theirs)} of WFLW's"
                )
            for i, point in enumerate(own):
                places[point] = tuple(theirs) if len(own) == 1 else (theirs[i],)
        return places

    def _points(self, value: object, where: str) -> Group:
        """Indices of a number, a name, a range "3-7" or a list of these; each at most once."""
        found = tuple(self._each(value, where))
        if not found:
            raise self._wrong(f"{where}: points are missing")
        if len(set(found)) < len(found):
            twice = next(point for point in found if found.count(point) > 1)
            if not (where.startswith("curves") and found[0] == found[-1] == twice):
                raise self._wrong(f"{where} has {self._call(twice)} twice")
        return found

    def _each(self, value: object, where: str) -> Iterator[int]:
        if isinstance(value, list):
            for member in value:
                yield from self._each(member, where)
            return
        if isinstance(value, str) and value in self._names:
            yield self._names[value]
            return
        spots = _spots(value)
        if not spots:
            raise self._wrong(f"{where}: there is no point {value!r}")
        for spot in spots:
            if spot >= self._count:
                raise self._wrong(
                    f"{where}: there is no point {spot}, they are numbered from 0 to "
                    f"{self._count - 1}"
                )
            yield spot

    def _check_mirrored_curves(self, markup: Markup) -> None:
        if markup.pairs is None:
            return
        flip = markup.flip
        lines = {frozenset((c, c[::-1])) for c in markup.curves}
        for name, curve in markup.named_curves.items():
            image = tuple(flip[list(curve)].tolist())
            if frozenset((image, image[::-1])) not in lines:
                way = ", ".join(self._call(point) for point in image[:4])
                raise self._wrong(
                    f"curves, '{name}': mirrored, it runs through {way}"
                    f"{', ...' if len(image) > 4 else ''}, where no curve runs: add that one, or "
                    "mend mirror"
                )

    def _call(self, point: int) -> str:
        name = list(self._names)[point]
        return f"point {name}" if name.isdecimal() else f"'{name}'"

    def _table(self, value: object, what: str) -> Mapping[Any, Any]:
        if not isinstance(value, dict):
            raise self._wrong(f"{what} must be a table of names, not {_short(value)}")
        return value

    def _known(self, table: Mapping[Any, Any], known: tuple[str, ...], what: str) -> None:
        unknown = [key for key in table if key not in known]
        if unknown:
            raise self._wrong(f"unknown {what} {_short(unknown[0])}; known are {', '.join(known)}")

    def _wrong(self, text: str) -> InputError:
        return InputError(f"{self._where}: {text}.")


def _spots(value: object) -> list[int]:
    """Numbers of a number, a range, or a list of these; empty if it is none."""
    if isinstance(value, list):
        parts = [_spots(member) for member in value]
        return [spot for part in parts for spot in part] if all(parts) else []
    if isinstance(value, int) and not isinstance(value, bool):
        return [value] if value >= 0 else []
    if isinstance(value, str) and value.isdecimal() and len(value) < 5:
        return [int(value)]
    ends = _RANGE.fullmatch(value) if isinstance(value, str) else None
    if ends is None or max(len(end) for end in ends.groups()) > 4:
        return []
    first, last = (int(end) for end in ends.groups())
    step = 1 if last >= first else -1
    return np.arange(first, last + step, step).tolist()


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
