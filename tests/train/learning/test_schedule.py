"""Which faces an epoch serves, the learning rate, and the average of the weights."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from train.data.sample import Sample
from train.learning.feed import epoch_order
from train.learning.trainer import learning_rate
from train.learning.weight_average import WeightAverage
from train.recipes.recipe import ClosedEyes, Recipe, Source

RATES = {"half": 0.5, "twice": 2.0, "some": 1.3, "none": 0.0}
RECIPE = Recipe(sources={name: Source(rate=rate) for name, rate in RATES.items()})


def sample(source: str) -> Sample:
    return Sample(Path("x.png"), np.zeros((98, 2)), np.zeros(4), source)


SAMPLES = [sample(source) for source in ("plain", *RATES) for _ in range(400)]


def test_rates() -> None:
    order = epoch_order(SAMPLES, RECIPE, seed=0, epoch=0)
    served = Counter(order)
    by_source: dict[str, list[int]] = {}
    for index, face in enumerate(SAMPLES):
        by_source.setdefault(face.source, []).append(served[index])
    assert set(by_source["plain"]) == {1}
    assert set(by_source["twice"]) == {2}
    assert set(by_source["none"]) == {0}
    assert set(by_source["half"]) == {0, 1}
    assert set(by_source["some"]) == {1, 2}
    # Four standard deviations of the binomial.
    assert np.mean(by_source["half"]) == pytest.approx(0.5, abs=0.1)
    assert np.mean(by_source["some"]) == pytest.approx(1.3, abs=0.1)


def test_closed_eyes_are_served_more_often() -> None:
    points = np.zeros((98, 2))
    points[[64, 72], 0] = 10.0  # the inner corners; outer ones and lids at 0
    wide = points.copy()
    for upper, lower in ((61, 67), (62, 66), (63, 65), (69, 75), (70, 74), (71, 73)):
        wide[upper, 1], wide[lower, 1] = -1.6, 1.6
    faces = [Sample(Path("x.png"), p, np.zeros(4), "half") for p in (points, wide)] * 400
    recipe = replace(RECIPE, closed_eyes=ClosedEyes(below=0.3, rate=4.0))
    served = Counter(epoch_order(faces, recipe, seed=0, epoch=0))
    closed, opened = ([served[i] for i in range(first, 800, 2)] for first in (0, 1))
    assert set(closed) == {2}  # 0.5 of the source times 4
    assert np.mean(opened) == pytest.approx(0.5, abs=0.1)


def test_the_order_is_a_shuffle_fixed_by_seed_and_epoch() -> None:
    first = epoch_order(SAMPLES, Recipe(), seed=3, epoch=7)
    assert first == epoch_order(SAMPLES, Recipe(), seed=3, epoch=7)
    assert sorted(first) == list(range(len(SAMPLES)))
    assert first != sorted(first)
    assert first != epoch_order(SAMPLES, Recipe(), seed=3, epoch=8)
    assert first != epoch_order(SAMPLES, Recipe(), seed=4, epoch=7)
    assert all(type(index) is int for index in first)


def test_over_epochs_a_thinned_source_is_served_in_full() -> None:
    seen: set[int] = set()
    for epoch in range(30):
        seen.update(epoch_order(SAMPLES, RECIPE, seed=0, epoch=epoch))
    half = {i for i, face in enumerate(SAMPLES) if face.source == "half"}
    assert half <= seen


def test_cosine_with_warm_up() -> None:
    recipe = Recipe(learning_rate=0.2, warmup_steps=4, schedule="cosine")
    warm = [learning_rate(recipe, step, 0.0) for step in range(6)]
    assert warm == pytest.approx([0.05, 0.1, 0.15, 0.2, 0.2, 0.2])
    for share in (0, 0.25, 0.5, 0.9, 1):
        expected = 0.1 * (1 + math.cos(math.pi * share))
        assert learning_rate(recipe, 100, share) == pytest.approx(expected, abs=1e-12)
    # A run that went over its time does not start to climb again.
    assert learning_rate(recipe, 100, 1.5) == pytest.approx(0, abs=1e-12)


def test_constant_without_warm_up() -> None:
    recipe = Recipe(learning_rate=1e-4, warmup_steps=0, schedule="constant")
    rates = {learning_rate(recipe, step, step / 10) for step in range(11)}
    assert rates == {1e-4}


def layer(value: float) -> nn.BatchNorm1d:
    made = nn.BatchNorm1d(1)
    nn.init.constant_(made.weight, value)
    made.running_mean.fill_(10 * value)
    return made


def test_the_average_follows_its_recurrence() -> None:
    network = layer(1.0)
    average = WeightAverage(network, decay=0.5)
    assert not average.network.training
    assert not any(p.requires_grad for p in average.network.parameters())
    expected = 1.0
    for step, value in enumerate((2.0, -1.0, 4.0, 3.0, 0.5), start=1):
        nn.init.constant_(network.weight, value)
        network.running_mean.fill_(10 * value)
        network.num_batches_tracked += 1
        average.update(network)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * value
        assert average.network.weight.item() == pytest.approx(expected)
        assert average.network.running_mean.item() == pytest.approx(10 * expected)
        assert average.network.num_batches_tracked == step
    assert network.training


def test_a_decay_of_zero_is_the_network_itself() -> None:
    network = layer(1.0)
    average = WeightAverage(network, decay=0.0)
    nn.init.constant_(network.weight, 0.1)
    average.update(network)
    assert torch.equal(average.network.weight, network.weight)
