from __future__ import annotations

from dataclasses import dataclass, field, make_dataclass, replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.system.settings_digest import NOT_IN_RESULTS, settings_digest

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.fractions(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@dataclass(frozen=True)
class Inner:
    width: float = 1.5
    threads: int | None = field(default=None, metadata=NOT_IN_RESULTS)


@dataclass(frozen=True)
class Outer:
    inner: Inner = Inner()
    names: frozenset[str] = frozenset({"a", "b", "c"})
    path: Path | None = None


@given(PLAIN, PLAIN)
def test_equal_settings_have_equal_digests(one: object, other: object) -> None:
    assert settings_digest(one) == settings_digest(one)
    # repr tells True from 1, which compare as equal and mean the same.
    if one != other:
        assert settings_digest(one) != settings_digest(other) or str(one) == str(other)


@pytest.mark.parametrize(
    "changed",
    [
        Outer(Inner(width=1.6)),
        Outer(names=frozenset({"a", "b"})),
        Outer(path=Path("x")),
    ],
)
def test_what_decides_results_changes_the_digest(changed: Outer) -> None:
    assert settings_digest(changed) != settings_digest(Outer())


def test_speed_alone_does_not() -> None:
    assert settings_digest(Outer(Inner(threads=4))) == settings_digest(Outer())


def test_a_new_field_counts_without_being_listed() -> None:
    wider = make_dataclass(
        "Wider", [("glow", float, field(default=0.0))], bases=(Outer,), frozen=True
    )
    assert settings_digest(wider()) != settings_digest(Outer())
    assert settings_digest(wider()) != settings_digest(replace(wider(), glow=0.5))


def test_what_has_no_lasting_text_is_refused() -> None:
    assert settings_digest(Fraction(30000, 1001)) == settings_digest(Fraction(30000, 1001))
    with pytest.raises(TypeError, match="object has no digest"):
        settings_digest(object())
