"""Adaptive Wing and Focal Wing losses (the paper's Eq. 1 to 5)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from model.network.propnet import StackOutput
from train.recipes.recipe import LossConfig

# Target response that counts as foreground. Adaptive Wing dilates the pixels above 0.2 by one; for
# its Gaussians that is where the response exceeds 0.05, and needs no pooling.
_FOREGROUND = 0.05
# In place of 0 in logarithms; far below what float32 predictions of about 1 can be off by.
_LEAST = 1e-30


class _AdaptiveWing(Function):
    """Eq. 1 with its closed-form slope: one power per pixel instead of autograd's three.

    On a processor the loss of 98 maps costs as much as the small network's forward pass.
    """

    @staticmethod
    def forward(ctx: Any, prediction: Tensor, target: Tensor, config: LossConfig) -> Tensor:
        exponent = config.alpha - target
        ratio = config.theta / config.epsilon
        # exp and log run in vectors on a processor, powers with varying exponents do not.
        power = torch.exp(exponent * math.log(ratio))
        slope = config.omega * exponent * (power / ratio) / (1 + power) / config.epsilon
        offset = config.theta * slope - config.omega * torch.log1p(power)
        difference = prediction - target
        error = difference.abs()
        scaled = error / config.epsilon
        # scaled ** (exponent - 1). Where the error is 0, so are the loss (`upper` is) and the
        # gradient (the sign is), whatever the logarithm's stand-in makes of this.
        lower = torch.exp((exponent - 1) * torch.log(scaled.clamp_min(_LEAST)))
        upper = lower * scaled
        small = error < config.theta
        inner_slope = config.omega / config.epsilon * exponent * lower / (1 + upper)
        ctx.save_for_backward(torch.where(small, inner_slope, slope) * difference.sign())
        return torch.where(small, config.omega * torch.log1p(upper), slope * error - offset)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return outputs[0] * gradient, None, None


def adaptive_wing(prediction: Tensor, target: Tensor, config: LossConfig) -> Tensor:
    """Adaptive Wing loss of every pixel (Eq. 1), not reduced.

    The published Adaptive Wing code divides A by omega where the paper divides by epsilon; this
    follows the paper, which makes value and slope continuous at |y - y^| = theta.

    Args:
        prediction: responses, any shape that `target` broadcasts to.
        target: true responses, 0 to 1; gets no gradient.
        config: constants.

    Returns:
        Loss >= 0, shape of `prediction`.
    """
    loss: Tensor = _AdaptiveWing.apply(prediction, target, config)
    return loss


def focal_weights(attributes: Tensor, labelled: Tensor | None = None) -> Tensor:
    """Weight of every sample of a batch (Eq. 2, summed over the classes as in Eq. 3).

    Eq. 2 gives class c the factor 1 if nobody in the batch has the attribute, else
    N / (number that have it). Taken literally it is the same for all samples of the batch, and
    multiplied by membership a sample without attributes would not be trained on at all. Our
    reading: a sample that has attribute c gets the class's factor, a sample that has not gets 1;
    the sum is divided by the number of classes so that a plain sample weighs 1.

    Args:
        attributes: [N, C], 0 or 1.
        labelled: [N] bool; samples whose attributes nobody knows do not count among the N, and
            their own attributes must be 0. None: all are known.

    Returns:
        [N] weights, >= 1.
    """
    members = attributes.to(torch.float32)
    count = members.sum(dim=0, keepdim=True)
    known = len(members) if labelled is None else labelled.sum()
    factor = torch.where(count > 0, known / count.clamp_min(1), torch.ones_like(count))
    return torch.where(members > 0, factor, torch.ones_like(members)).mean(dim=1)


def map_loss(
    predictions: Sequence[Tensor], target: Tensor, weights: Tensor, config: LossConfig
) -> Tensor:
    """Adaptive Wing over weighted samples (Eq. 3 and 4): mean over pixels, sum over stacks.

    Means instead of the paper's sums keep the scale the same for every markup and input size.

    Args:
        predictions: one [N, K, S, S] per stack.
        target: [N, K, S, S].
        weights: [N] of the samples, or [N, K] of each of their maps.
        config: constants.

    Returns:
        Scalar.
    """
    loss = adaptive_wing(torch.stack(list(predictions)).float(), target, config)
    weights = weights.reshape(*weights.shape, *(1,) * (target.dim() - weights.dim()))
    pixels = weights * (1 + config.foreground * (target > _FOREGROUND))
    return (loss * pixels).sum() / target.numel()


MapLoss = Callable[[Sequence[Tensor], Tensor, Tensor, LossConfig], Tensor]


def propnet_loss(
    outputs: Sequence[StackOutput],
    landmark_target: Tensor,
    boundary_target: Tensor | None,
    weights: Tensor,
    config: LossConfig,
    *,
    known: tuple[Tensor, Tensor] | None = None,
    of_maps: MapLoss = map_loss,
) -> Tensor:
    """Landmark loss plus beta times boundary loss, summed over the stacks (Eq. 5).

    Args:
        outputs: one per stack.
        landmark_target: [N, K, S, S].
        boundary_target: [N, M, S, S]; None only for outputs without boundary maps.
        weights: [N] weights of the samples.
        config: constants.
        known: [N, K] and [N, M] bool: the maps whose targets are known; no loss looks at others.
            None: all of them are.
        of_maps: `map_loss`, or what a compiler has made of it.

    Returns:
        Scalar.
    """
    of_landmarks = of_boundaries = weights
    if known is not None:
        of_landmarks, of_boundaries = (weights[:, None] * maps for maps in known)
    total = of_maps([o.landmarks for o in outputs], landmark_target, of_landmarks, config)
    boundaries = [o.boundaries for o in outputs if o.boundaries is not None]
    if boundaries:
        if boundary_target is None:
            raise ValueError("these outputs hold boundary maps, so a target is needed for them")
        total = total + config.beta * of_maps(boundaries, boundary_target, of_boundaries, config)
    return total
