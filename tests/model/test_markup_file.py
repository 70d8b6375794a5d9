"""Markup files: what is read, what is refused and how it is named."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from model.config import PropNetConfig
from model.errors import InputError
from model.markup import Markup, Slit
from model.markup_file import FORMAT, markup_from_dict, markup_to_dict, read_markup
from model.shipped_markups import MARKUPS, WFLW, find_markup, markup_from_plain, markup_to_plain

# A kite: two ears, a nose, a string; named points, names and numbers mixed.
KITE: dict[str, Any] = {
    "format": FORMAT,
    "name": "kite",
    "points": ["nose", "left ear", "right ear", "tail", "end"],
    "curves": {
        "left": ["nose", "left ear", "tail"],
        "right": [0, 2, 3],
        "string": "3-4",
    },
    "mirror": [["left ear", "right ear"]],
    "normalizers": {"ears": ["left ear", "right ear"], "box": "box", "length": [0, [3, 4]]},
    "upright": ["left ear", "right ear"],
    "groups": {"kite": "0-3", "string": "end"},
}


def kite(**changes: Any) -> dict[str, Any]:
    values = copy.deepcopy(KITE)
    values.update(changes)
    return {key: value for key, value in values.items() if value is not ...}


def made(**changes: Any) -> Markup:
    return markup_from_dict(kite(**changes), "kite.yaml")


def test_what_a_file_says_is_what_the_markup_has(tmp_path: Path) -> None:
    file = tmp_path / "kite.yaml"
    file.write_text(yaml.safe_dump(KITE, sort_keys=False))
    markup = read_markup(file)
    assert markup == made() == find_markup(str(file))
    assert (markup.name, markup.points) == ("kite", 5)
    assert markup.curves == ((0, 1, 3), (0, 2, 3), (3, 4))
    np.testing.assert_array_equal(markup.flip, [0, 2, 1, 3, 4])
    np.testing.assert_array_equal(markup.curve_flip, [1, 0, 2])
    assert markup.groups == {"kite": (0, 1, 2, 3), "string": (4,)}
    assert markup.roles.eyes is None
    points = np.array([[0, 0], [-3, 1], [3, 1], [0, 5], [0, 9]], dtype=float)
    assert markup.normalizer(points) == 6
    assert markup.normalizer(points, "box") == pytest.approx(np.sqrt(6 * 9))
    assert markup.normalizer(points, "length") == 7
    assert markup.roll(points) == 0
    turned = points @ np.array([[0, 1], [-1, 0]])
    assert markup.roll(turned) == pytest.approx(np.pi / 2)


def test_what_is_left_out() -> None:
    plain = made(**dict.fromkeys(("curves", "mirror", "normalizers", "upright", "groups"), ...))
    assert plain.curves == ()
    np.testing.assert_array_equal(plain.flip, range(5))
    assert list(plain.normalizers) == ["box", "diagonal"]
    two = made(
        points=2, **dict.fromkeys(("curves", "mirror", "normalizers", "upright", "groups"), ...)
    )
    assert two.default_normalizer == "diagonal"
    assert two.normalizer(np.array([[0.0, 5], [8, 5]])) == 8  # whose box has no area
    assert plain.normalizer(np.array([[0, 0], [3, 4], [1, 1], [2, 2], [0, 1.0]]), "diagonal") == 5
    assert plain.groups == {"all": (0, 1, 2, 3, 4)}
    assert plain.roll(np.random.default_rng(0).normal(size=(5, 2))) == 0
    assert made(mirror="none").pairs is None
    gone = dict.fromkeys(("normalizers", "upright", "groups"), ...)
    numbered = made(points=5, mirror=[[1, 2]], curves={}, **gone)
    assert numbered.names == ("0", "1", "2", "3", "4")


def test_roles() -> None:
    roles = {
        "left_eye": {"corners": [0, 1], "upper": 2, "lower": 3},
        "wflw98": {"nose": 54, "1-2": "60-61", "tail": [16, 16, 17]},
    }
    markup = made(roles=roles)
    assert markup.roles.left_eye == Slit((0, 1), ((2, 3),))
    assert markup.roles.eyes is None
    assert markup.roles.wflw98 == {0: (54,), 1: (60,), 2: (61,), 3: (16, 16, 17)}


@pytest.mark.parametrize("markup", [*MARKUPS.values(), made()], ids=str)
def test_there_and_back(markup: Markup) -> None:
    values = json.loads(json.dumps(markup_to_dict(markup)))
    assert markup_from_dict(values, "here") == markup
    plain = json.loads(json.dumps(markup_to_plain(markup)))
    assert isinstance(plain, str) == (markup.name in MARKUPS)
    assert markup_from_plain(plain, "here") == markup
    config = PropNetConfig(stacks=2, channels=16, markup=markup)
    assert PropNetConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_another_markup_of_a_shipped_name_is_kept_whole() -> None:
    impostor = made(name="wflw98")
    assert isinstance(markup_to_plain(impostor), dict)
    assert markup_from_plain(markup_to_plain(impostor), "here") == impostor != WFLW


WRONG = {
    "format": ({"format": "propnet-markup-2"}, "format is 'propnet-markup-2', this version reads"),
    "unknown key": ({"curve": {}}, "unknown key 'curve'"),
    "name": ({"name": "My Kite"}, "name is 'My Kite'"),
    "no points": ({"points": []}, "points must be a number, or a list of names"),
    "points": ({"points": 0}, "points is 0"),
    "twice": ({"points": ["nose", "nose"]}, "the name 'nose' twice"),
    "number": ({"points": ["7", "nose"]}, "'7', which would be taken for a number"),
    "no name": ({"points": ["nose", ""]}, "where a name must stand"),
    "unknown in curve": (
        {"curves": {"a": ["nose", "beak"]}},
        "curves, 'a': there is no point 'beak'",
    ),
    "beyond": ({"curves": {"a": [0, 5]}}, "there is no point 5, they are numbered from 0 to 4"),
    "short curve": ({"curves": {"a": [0]}}, "a curve needs two points or more"),
    "curve twice": ({"curves": {"a": [0, 1, 0, 2]}}, "curves, 'a' has 'nose' twice"),
    "itself": ({"mirror": [["nose", "nose"]]}, "mirror pairs 'nose' with itself"),
    "two partners": (
        {"mirror": [[1, 2], [1, 3]]},
        "mirror pairs 'left ear' with 'tail' and with 'right ear'",
    ),
    "uneven": ({"mirror": [["0-1", "2-4"]]}, "2 points face 3"),
    "no pair": ({"mirror": [[1, 2, 3]]}, "where a pair must stand"),
    "mirror": ({"mirror": "yes"}, 'mirror must be a list of pairs, or "none"'),
    "asymmetric": (
        {"curves": {"left": [0, 1, 3]}},
        "curves, 'left': mirrored, it runs through 'nose', 'right ear', 'tail', where no curve",
    ),
    "normalizer": ({"normalizers": {"a": [0]}}, "normalizers, 'a' must be two points"),
    "no distance": ({"normalizers": {"a": [0, 0]}}, "the same points on both sides"),
    "no normalizer": ({"normalizers": {}}, "normalizers is empty"),
    "upright": ({"upright": [0, 9]}, "upright: there is no point 9"),
    "left out": ({"groups": {"kite": "0-3"}}, "groups leaves out 'end'"),
    "two groups": ({"groups": {"a": "0-3", "b": "3-4"}}, "has 'tail' in 'a' and in 'b'"),
    "role": ({"roles": {"beak": 1}}, "unknown role 'beak'"),
    "corners": (
        {"roles": {"mouth": {"corners": [1], "upper": 2, "lower": 3}}},
        "roles, mouth, corners must be two points",
    ),
    "lids": (
        {"roles": {"mouth": {"corners": [0, 1], "upper": "2-3", "lower": 4}}},
        "upper and lower must have as many points",
    ),
    "place": ({"roles": {"wflw98": {"nose": 98}}}, "98 is no point from 0 to 97"),
    "places": ({"roles": {"wflw98": {"0-2": "3-4"}}}, "3 points of '0-2' face 2"),
    "no table": ({"curves": [1, 2]}, r"curves must be a table of names, not \[1, 2\]"),
}


@pytest.mark.parametrize(("changes", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=rf"^kite\.yaml: .*{message}") as caught:
        made(**changes)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("text", ["[", "a: b: c", "\x00", "&a [*a]", "[" * 3000, "5", ""])
def test_what_is_no_markup_file(tmp_path: Path, text: str) -> None:
    file = tmp_path / "m.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=r"m\.yaml") as caught:
        read_markup(file)
    assert len(str(caught.value)) < 500
    with pytest.raises(InputError, match="cannot read"):
        read_markup(tmp_path / "none.yaml")


junk = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 99) | st.text(max_size=4) | st.just("1-3"),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from([*KITE, "roles"]), junk, min_size=1, max_size=3))
def test_any_values_make_a_markup_or_a_sentence(changes: dict[str, Any]) -> None:
    try:
        markup = markup_from_dict({**KITE, **changes}, "kite.yaml")
    except InputError as error:
        assert str(error).startswith("kite.yaml: ")
        assert len(str(error)) < 400
    else:
        assert markup_from_dict(markup_to_dict(markup), "again") == markup
