"""Losses: Eq. 1 by autograd and at its joint, the focal weights by hand, the reduction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from model.errors import InputError
from model.network.propnet import StackOutput
from train.learning.losses import adaptive_wing, focal_weights, map_loss, propnet_loss
from train.recipes.recipe import LossConfig

PAPER = LossConfig()
PLAIN = replace(PAPER, foreground=0.0)
OTHER = LossConfig(alpha=2.4, omega=9.0, epsilon=0.7, theta=0.4)


def equation_1(prediction: Tensor, target: Tensor, config: LossConfig) -> Tensor:
    """The paper's Eq. 1 as printed, for autograd."""
    a, w, e, t = config.alpha, config.omega, config.epsilon, config.theta
    slope = w * (a - target) * (t / e) ** (a - target - 1) / (1 + (t / e) ** (a - target)) / e
    offset = t * slope - w * torch.log(1 + (t / e) ** (a - target))
    error = (target - prediction).abs()
    curved = w * torch.log(1 + (error / e) ** (a - target))
    return torch.where(error < t, curved, slope * error - offset)


def test_the_defaults_are_the_papers() -> None:
    assert (PAPER.alpha, PAPER.omega, PAPER.epsilon, PAPER.theta) == (2.1, 14.0, 1.0, 0.5)
    assert PAPER.beta == 0.5
    assert PAPER.focal


@pytest.mark.parametrize("config", [PAPER, OTHER])
def test_value_and_slope_are_those_of_equation_1(config: LossConfig) -> None:
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(500, generator=generator, dtype=torch.float64)
    prediction = (target + 2 * torch.rand(500, generator=generator).double() - 1).requires_grad_()
    found, expected = (f(prediction, target, config) for f in (adaptive_wing, equation_1))
    torch.testing.assert_close(found, expected)
    upstream = torch.rand(500, generator=generator, dtype=torch.float64)
    slopes = [torch.autograd.grad(loss, prediction, upstream)[0] for loss in (found, expected)]
    torch.testing.assert_close(*slopes)
    # Both branches took part.
    assert 0.2 < ((prediction - target).abs() < config.theta).double().mean() < 0.8


@pytest.mark.parametrize("config", [PAPER, OTHER])
def test_gradcheck(config: LossConfig) -> None:
    target = torch.tensor([0.0, 0.0, 0.3, 0.3, 1.0, 1.0, 0.9, 0.5], dtype=torch.float64)
    error = torch.tensor([0.1, 0.9, -0.2, -0.8, 0.05, -0.95, 0.7, -0.3], dtype=torch.float64)
    prediction = (target + error).requires_grad_()
    assert torch.autograd.gradcheck(lambda p: adaptive_wing(p, target, config), (prediction,))


@pytest.mark.parametrize("config", [PAPER, OTHER])
@pytest.mark.parametrize("y", [0.0, 0.1, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("side", [-1, 1])
def test_value_and_slope_are_continuous_at_theta(config: LossConfig, y: float, side: int) -> None:
    step = 1e-7
    errors = config.theta + torch.tensor([-step, step], dtype=torch.float64)
    target = torch.full((2,), y, dtype=torch.float64)
    prediction = (target + side * errors).requires_grad_()
    below, above = adaptive_wing(prediction, target, config)
    slopes = torch.autograd.grad(below + above, prediction)[0]
    assert above.item() == pytest.approx(below.item(), abs=1e-4)
    assert slopes[1].item() == pytest.approx(slopes[0].item(), abs=1e-4)
    assert abs(slopes[0].item()) > 1  # dividing by omega instead of epsilon gives a tenth of it


@pytest.mark.parametrize("y", [0.0, 0.5, 1.0])
def test_a_perfect_pixel_costs_and_pulls_nothing(y: float) -> None:
    target = torch.tensor([y])
    prediction = target.clone().requires_grad_()
    loss = adaptive_wing(prediction, target, PAPER)
    loss.backward()
    assert loss.item() == 0
    assert prediction.grad.item() == 0


def test_the_target_is_broadcast_over_stacks_and_gets_no_gradient() -> None:
    target = torch.rand(2, 3, 4, 4, requires_grad=True)
    predictions = torch.rand(5, 2, 3, 4, 4, requires_grad=True)
    loss = adaptive_wing(predictions, target, PAPER)
    assert loss.shape == predictions.shape
    loss.sum().backward()
    assert predictions.grad.shape == predictions.shape
    assert target.grad is None


def test_focal_weights_of_a_hand_computed_batch() -> None:
    attributes = torch.tensor(
        [
            [1, 0, 0, 0, 0, 0],  # one of 1: factor 4
            [0, 1, 0, 0, 0, 0],  # one of 2: factor 2
            [0, 1, 0, 1, 0, 0],  # 2, and one of 1: 4
            [0, 0, 0, 0, 0, 0],
        ]
    )
    expected = [(4 + 5) / 6, (2 + 5) / 6, (2 + 4 + 4) / 6, 1]
    np.testing.assert_allclose(focal_weights(attributes), expected, rtol=1e-6)


def test_faces_whose_attributes_nobody_knows_are_not_counted() -> None:
    attributes = torch.tensor([[1, 0], [0, 0], [0, 0], [0, 0]])
    labelled = torch.tensor([True, True, False, False])
    # One of the two that are known: factor 2, not 4.
    expected = [(2 + 1) / 2, 1, 1, 1]
    np.testing.assert_allclose(focal_weights(attributes, labelled), expected, rtol=1e-6)


def test_a_sample_without_attributes_weighs_one_in_any_batch() -> None:
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        attributes = torch.randint(0, 2, (6, 6), generator=generator)
        attributes[2] = 0
        weights = focal_weights(attributes)
        assert weights[2] == 1
        assert weights.min() >= 1


def test_batches_without_an_attribute_or_full_of_it_are_not_weighed() -> None:
    torch.testing.assert_close(focal_weights(torch.zeros(5, 6, dtype=torch.int64)), torch.ones(5))
    # Everybody has it: N / N.
    torch.testing.assert_close(focal_weights(torch.ones(5, 6, dtype=torch.int64)), torch.ones(5))


def test_the_rarer_the_attribute_the_heavier() -> None:
    for members in (1, 2, 4):
        attributes = torch.zeros(8, 6, dtype=torch.int64)
        attributes[:members, 3] = 1
        assert focal_weights(attributes)[0] == pytest.approx((8 / members + 5) / 6)


def test_map_loss_is_the_weighted_mean_summed_over_stacks() -> None:
    generator = torch.Generator().manual_seed(1)
    target = torch.rand(2, 3, 4, 4, generator=generator)
    first, second = torch.rand(2, 2, 3, 4, 4, generator=generator)
    weights = torch.tensor([1.0, 3.0])
    per_sample = [
        (equation_1(first[n], target[n], PLAIN) + equation_1(second[n], target[n], PLAIN)).mean()
        for n in range(2)
    ]
    expected = (per_sample[0] + 3 * per_sample[1]) / 2
    torch.testing.assert_close(map_loss([first, second], target, weights, PLAIN), expected)


def test_the_foreground_weighs_more() -> None:
    target = torch.tensor([0.0, 0.04, 0.06, 1.0]).reshape(1, 1, 2, 2)
    prediction = target + 0.2
    pixels = equation_1(prediction, target, PAPER).flatten()
    expected = (pixels * torch.tensor([1.0, 1.0, 11.0, 11.0])).sum() / 4
    torch.testing.assert_close(map_loss([prediction], target, torch.ones(1), PAPER), expected)


def test_the_scale_does_not_depend_on_size_or_number_of_maps() -> None:
    losses = [
        map_loss([torch.zeros(2, maps, side, side)], torch.full((2, maps, side, side), 0.3),
                 torch.ones(2), PAPER)
        for maps, side in ((3, 8), (98, 8), (3, 32))
    ]  # fmt: skip
    torch.testing.assert_close(losses[1], losses[0])
    torch.testing.assert_close(losses[2], losses[0])


def test_boundaries_count_beta() -> None:
    generator = torch.Generator().manual_seed(2)
    landmarks, boundaries = (torch.rand(1, k, 4, 4, generator=generator) for k in (3, 2))
    outputs = [StackOutput(landmarks * s, boundaries * s, None) for s in (0.2, 0.9)]
    ones = torch.ones(1)
    first, second = (map_loss([m * 0.2, m * 0.9], m, ones, PAPER) for m in (landmarks, boundaries))
    torch.testing.assert_close(
        propnet_loss(outputs, landmarks, boundaries, ones, PAPER), first + 0.5 * second
    )
    bare = [StackOutput(o.landmarks, None, None) for o in outputs]
    torch.testing.assert_close(propnet_loss(bare, landmarks, boundaries, ones, PAPER), first)


def test_maps_that_are_not_known_do_not_count() -> None:
    generator = torch.Generator().manual_seed(3)
    landmarks, boundaries = (torch.rand(2, k, 4, 4, generator=generator) for k in (3, 2))
    outputs = [StackOutput(landmarks * s, boundaries * s, None) for s in (0.2, 0.9)]
    weights = torch.tensor([1.0, 2.0])
    known = torch.tensor([[1, 1, 0], [0, 1, 1]]).bool(), torch.tensor([[1, 0], [0, 0]]).bool()
    maps = [
        (output, target, mask)
        for output, target, mask in (
            ([o.landmarks for o in outputs], landmarks, known[0]),
            ([o.boundaries for o in outputs], boundaries, known[1]),
        )
    ]
    parts = []
    for output, target, mask in maps:
        total = torch.zeros(())
        for n, k in mask.nonzero().tolist():
            one = [o[n : n + 1, k : k + 1] for o in output]
            total += weights[n] * map_loss(one, target[n : n + 1, k : k + 1], torch.ones(1), PAPER)
        parts.append(total / mask.numel())
    loss = propnet_loss(outputs, landmarks, boundaries, weights, PAPER, known=known)
    torch.testing.assert_close(loss, parts[0] + PAPER.beta * parts[1])
    changed = landmarks.clone()
    changed[0, 2] = 0.5
    other = propnet_loss(outputs, changed, boundaries, weights, PAPER, known=known)
    torch.testing.assert_close(other, loss)


def test_mixed_precision_predictions_are_judged_in_single() -> None:
    target = torch.rand(1, 2, 4, 4)
    loss = map_loss([torch.rand(1, 2, 4, 4).bfloat16()], target, torch.ones(1), PAPER)
    assert loss.dtype == torch.float32


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alpha": 2.0}, "'alpha' must be above 2"),
        ({"epsilon": 0.0}, "must be above 0"),
        ({"beta": -1.0}, "must not be negative"),
    ],
)
def test_constants_without_sense(settings: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        LossConfig(**settings)
