"""What a markup leaves a network to be, and what it cannot have: said before a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from model.config import PropNetConfig
from model.markup import Markup
from model.shipped_markups import MARKUPS
from train.data.label_groups import is_face
from train.data.sample import Sample

# Fewer than this judge nothing: the mean of ten is known to a sixth of itself.
_FEW = 10


def for_points(config: PropNetConfig, markup: Markup) -> PropNetConfig:
    """A network's configuration for other points; without curves there is no propagation."""
    return replace(config, markup=markup, propagation=config.propagation and bool(markup.curves))


def limits(markup: Markup, training: Sequence[Sample], dev: Sequence[Sample]) -> Iterator[str]:
    """What the user of a markup of his own should know of a run, a sentence each.

    Args:
        markup: of the points; about those of the package there is nothing to say.
        training: what is learned from.
        dev: what is judged by.

    Yields:
        Sentences.
    """
    if MARKUPS.get(markup.name) == markup:
        return
    pictures = len({sample.image for sample in training})
    yield (
        f"{markup}: {markup.points} points, {len(markup.curves)} curves; {len(training)} labelled "
        f"in {pictures} pictures to learn from, {len(dev)} to judge by."
    )
    if len(dev) < _FEW:
        yield f"{len(dev)} to judge by are few: the dev NME says little."
    if not markup.curves:
        yield "The markup has no curves: the network works without boundary maps (propagation)."
    if markup.pairs is None:
        yield "The markup says 'mirror: none': pictures are not mirrored."
    if not is_face(markup):
        yield (
            "The markup has no groups 'eyes' and 'mouth': views are not painted, nor covered as "
            "faces are."
        )
