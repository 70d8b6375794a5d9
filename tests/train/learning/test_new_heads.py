"""A network for other points keeps what the old one sees, and learns the points anew."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from model.config import VARIANTS, PropNetConfig
from model.markup import Markup
from model.markup_file import markup_from_dict
from model.network.propnet import PropNet
from model.shipped_markups import IBUG
from train.learning.new_heads import can_take_over, with_new_heads

SMALL = PropNetConfig(stacks=2, channels=16, depth=1)


def corners(curves: bool = True) -> Markup:
    table = {"format": "propnet-markup-1", "name": "corners", "points": ["a", "b", "c"]}
    return markup_from_dict({**table, "curves": {"line": "0-2"} if curves else {}}, "here")


@pytest.mark.parametrize("config", [SMALL, VARIANTS["propnet-xs"]], ids=["hpm", "separable"])
@pytest.mark.parametrize("curves", [True, False])
def test_everything_but_the_heads_is_kept(config: PropNetConfig, curves: bool) -> None:
    torch.manual_seed(1)
    trained = PropNet(config)
    new = replace(config, markup=corners(curves), propagation=curves)
    network = with_new_heads(trained, new)
    image = torch.rand(1, 3, 64, 64) * 2 - 1
    torch.testing.assert_close(network.eval().stem(image), trained.eval().stem(image))
    old, values = trained.state_dict(), network.state_dict()
    changed = {
        name for name, value in values.items()
        if name not in old or old[name].shape != value.shape or not torch.equal(old[name], value)
    }  # fmt: skip
    heads = ("to_landmarks", "merge_landmarks", "to_boundaries", "propagation.merge.", "enter.")
    assert all(any(head in name for head in heads) for name in changed), changed
    assert any("to_landmarks" in name for name in changed)
    last = network.stacks[1].enter.weight
    shared = min(last.shape[1], trained.stacks[1].enter.weight.shape[1])
    torch.testing.assert_close(last[:, :shared], trained.stacks[1].enter.weight[:, :shared])
    if curves:
        merge = network.stacks[0].propagation.merge.weight
        before = trained.stacks[0].propagation.merge.weight
        torch.testing.assert_close(merge[:, : config.channels], before[:, : config.channels])
        assert merge.shape[1] == config.channels + 1
    outputs = network.train()(image.repeat(2, 1, 1, 1))
    assert outputs[-1].landmarks.shape == (2, 3, 16, 16)
    assert (outputs[-1].boundaries is not None) == curves


def test_the_seed_makes_the_heads() -> None:
    torch.manual_seed(1)
    trained = PropNet(SMALL)
    new = replace(SMALL, markup=corners())
    first, again, other = (
        with_new_heads(trained, new, seed).stacks[1].to_landmarks.weight for seed in (3, 3, 4)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_other_networks_are_refused() -> None:
    assert can_take_over(SMALL, replace(SMALL, markup=IBUG))
    assert can_take_over(SMALL, replace(SMALL, markup=corners(False), propagation=False))
    assert not can_take_over(SMALL, replace(SMALL, markup=IBUG, channels=32))
    assert not can_take_over(replace(SMALL, propagation=False), replace(SMALL, markup=IBUG))
    with pytest.raises(ValueError, match="only the points"):
        with_new_heads(PropNet(SMALL), replace(SMALL, markup=IBUG, depth=2))
