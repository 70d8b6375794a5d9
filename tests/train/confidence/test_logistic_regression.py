import numpy as np
import pytest

from train.confidence.logistic_regression import fit_logistic, reliability, roc


def test_the_fit_finds_the_numbers_that_made_the_data() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(0.5, 0.2, (60_000, 2))
    chance = 1 / (1 + np.exp(-(-3 + 8 * features[:, 0] - 2 * features[:, 1])))
    offset, first, second = fit_logistic(features, rng.random(60_000) < chance)
    assert (offset, first, second) == pytest.approx((-3, 8, -2), abs=0.15)


def test_the_fit_is_the_minimum_of_its_loss() -> None:
    rng = np.random.default_rng(1)
    features, happened = rng.random((200, 2)), rng.random(200) < 0.4

    def loss(numbers: np.ndarray) -> float:
        logit = numbers[0] + features @ numbers[1:]
        sign = np.where(happened, 1, -1)
        prior = ((numbers[1:] * features.std(axis=0)) ** 2).sum() / 2
        return float(np.log1p(np.exp(-sign * logit)).sum() + prior)

    best = np.array(fit_logistic(features, happened))
    for step in 0.01 * np.concatenate([np.eye(3), -np.eye(3)]):
        assert loss(best + step) > loss(best)


def test_cases_that_can_be_told_apart_give_finite_numbers() -> None:
    values = np.linspace(0, 1, 50)[:, None]
    offset, weight = fit_logistic(values, values[:, 0] > 0.5)
    assert np.isfinite([offset, weight]).all()
    assert -offset / weight == pytest.approx(0.5, abs=0.03)
    # A feature that never changes says nothing and does no harm.
    constant = np.column_stack([values, np.full(50, 0.3)])
    assert np.isfinite(fit_logistic(constant, values[:, 0] > 0.5)).all()


def test_one_kind_cannot_be_fitted() -> None:
    with pytest.raises(ValueError, match="nothing to tell apart"):
        fit_logistic(np.ones((5, 1)), np.ones(5, dtype=bool))


def test_reliability_by_hand() -> None:
    chances = np.array([0.05, 0.05, 0.95, 1.0, 0.55])
    happened = np.array([False, True, True, True, False])
    bins = reliability(chances, happened)
    assert bins.count.tolist() == [2, 0, 0, 0, 0, 1, 0, 0, 0, 2]
    assert bins.happened[[0, 5, 9]].tolist() == [0.5, 0, 1]
    assert bins.stated[[0, 5, 9]] == pytest.approx([0.05, 0.55, 0.975])
    assert np.isnan(bins.stated[1])
    assert bins.error == pytest.approx((2 * 0.45 + 0.55 + 2 * 0.025) / 5)


def test_true_probabilities_have_hardly_any_error_and_false_ones_have() -> None:
    rng = np.random.default_rng(2)
    chances = rng.random(50_000)
    happened = rng.random(50_000) < chances
    assert reliability(chances, happened).error < 0.01
    assert reliability(np.sqrt(chances), happened).error > 0.1


def test_the_area_is_the_share_of_pairs_in_order() -> None:
    rng = np.random.default_rng(3)
    scores, happened = rng.integers(0, 12, 80) / 12, rng.random(80) < 0.4
    yes, no = scores[happened][:, None], scores[~happened]
    alarms, hits, area = roc(scores, happened)
    assert area == pytest.approx((yes > no).mean() + (yes == no).mean() / 2)
    assert (alarms[0], hits[0], alarms[-1], hits[-1]) == (0, 0, 1, 1)
    assert (np.diff(alarms) >= 0).all()
    assert (np.diff(hits) >= 0).all()
    assert roc(np.array([0.1, 0.9]), np.array([False, True]))[2] == 1
