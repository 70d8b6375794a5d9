"""A deeper network starts where the shallower one is, and a grown one where the small one is."""

from dataclasses import replace

import pytest
import torch

from model.config import PropNetConfig
from model.network.propnet import PropNet
from model.shipped_markups import IBUG
from tests.support.small_network import with_statistics
from train.learning.deepen import can_deepen, deepen
from train.learning.grow import can_grow, grow

SHALLOW = PropNetConfig(stacks=2, channels=16, depth=1)


def small(config: PropNetConfig) -> PropNet:
    torch.manual_seed(3)
    return with_statistics(PropNet(config).eval())


def outputs(network: PropNet) -> list[tuple[torch.Tensor, ...]]:
    torch.manual_seed(4)
    image = torch.rand(2, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        return [(out.landmarks, out.boundaries) for out in network.eval()(image)]


@pytest.mark.parametrize("attention", [False, True])
@pytest.mark.parametrize("stacks", [3, 5])
def test_the_first_stacks_see_the_same_and_the_others_look_with_its_maps(
    stacks: int, attention: bool
) -> None:
    shallow = small(SHALLOW)
    deep = deepen(shallow, replace(SHALLOW, stacks=stacks, last_attention=attention))
    before, after = outputs(shallow), outputs(deep)
    assert len(after) == stacks
    for own, copied in zip(before, after[:2], strict=True):
        for first, second in zip(own, copied, strict=True):
            torch.testing.assert_close(second, first, rtol=0, atol=1e-5)
    # The third is the second on the second's own boundary maps.
    x, stack = shallow.stem(torch.zeros(1, 3, 64, 64)), shallow.stacks[1]
    with torch.no_grad():
        output, x = shallow.stacks[0](x, None)
        boundaries = stack.propagation.boundary_maps(stack.predict(x, output.boundaries)[1])
        expected = stack.predict(x, boundaries)[1]
        found = deep.eval()(torch.zeros(1, 3, 64, 64))[2].landmarks
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_without_boundary_maps_every_added_stack_repeats_the_last() -> None:
    plain = replace(SHALLOW, propagation=False)
    shallow = small(plain)
    after = outputs(deepen(shallow, replace(plain, stacks=4)))
    for added in after[2:]:
        torch.testing.assert_close(added[0], after[1][0], rtol=0, atol=1e-5)


def test_copies_part_when_they_learn() -> None:
    deep = deepen(small(SHALLOW), replace(SHALLOW, stacks=4))
    optimizer = torch.optim.SGD(deep.parameters(), lr=0.1)
    torch.manual_seed(0)
    image, target = torch.rand(2, 3, 64, 64), torch.rand(2, 98, 16, 16)
    for _ in range(2):
        optimizer.zero_grad()
        sum((out.landmarks - target).square().mean() for out in deep(image)).backward()
        optimizer.step()
    merges = [deep.stacks[i].merge_features.weight for i in (1, 2)]
    assert all(merge.abs().max() > 1e-6 for merge in merges)
    first, second = (deep.stacks[i].enter.weight for i in (1, 2))
    assert (first - second).abs().max() > 1e-7


def test_deeper_and_wider() -> None:
    config = replace(SHALLOW, stacks=4, channels=32, last_attention=True)
    shallow = small(SHALLOW)
    grown, deep = grow(shallow, config), deepen(shallow, replace(SHALLOW, stacks=4))
    assert grown.config == config
    for wide, narrow in zip(outputs(grown), outputs(deep), strict=True):
        torch.testing.assert_close(wide[0], narrow[0], rtol=0, atol=1e-4)
    # What is frozen in a new network is frozen here: no loss reaches the last attention map.
    frozen = [name for name, value in grown.named_parameters() if not value.requires_grad]
    assert frozen
    assert all(name.startswith("stacks.3.propagation.") for name in frozen)


@pytest.mark.parametrize(
    "deep",
    [
        replace(SHALLOW, stacks=1),
        SHALLOW,
        replace(SHALLOW, stacks=3, depth=2),
        replace(SHALLOW, stacks=3, markup=IBUG),
    ],
)
def test_only_stacks_can_be_added(deep: PropNetConfig) -> None:
    assert not can_deepen(SHALLOW, deep)
    with pytest.raises(ValueError, match="only stacks can be added"):
        deepen(PropNet(SHALLOW), deep)


def test_one_stack_cannot_grow_into_two() -> None:
    one = replace(SHALLOW, stacks=1)
    assert not can_grow(one, SHALLOW)
    with pytest.raises(ValueError, match="only stacks can be added"):
        grow(PropNet(one), SHALLOW)


def test_a_network_grows_into_itself() -> None:
    assert can_grow(SHALLOW, SHALLOW)
