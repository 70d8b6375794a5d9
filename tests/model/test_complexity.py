"""Parameters and multiply-accumulates: the count itself, and the network against Table 8."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
import torch
from torch import nn

from model.complexity import TABLE_8, app, count, network_complexity
from model.config import VARIANTS, PropNetConfig
from model.errors import InputError, run_command
from model.network.antialias import BlurPool
from model.network.blocks import HPMBlock
from model.network.propnet import PropNet
from model.shipped_markups import COFW


@pytest.mark.parametrize(("inputs", "outputs"), [(64, 64), (32, 64)])
def test_one_hpm_block_against_its_closed_form(inputs: int, outputs: int) -> None:
    block, side = HPMBlock(inputs, outputs).eval(), 16
    found = count(block, lambda: block(torch.zeros(1, inputs, side, side)))
    half, quarter = outputs // 2, outputs // 4
    weights = 9 * (inputs * half + half * quarter + quarter * quarter)
    weights += inputs * outputs if inputs != outputs else 0
    scales_and_shifts = 2 * (inputs + half + quarter)
    assert found.macs == weights * side * side
    assert found.parameters == weights + scales_and_shifts


def test_strides_groups_and_fixed_filters_count_per_output() -> None:
    network = nn.Sequential(nn.Conv2d(8, 16, 3, stride=2, padding=1, groups=4), BlurPool(16, 3))
    found = count(network, lambda: network(torch.zeros(1, 8, 32, 32)))
    # Each of the 16 outputs sees 8 / 4 inputs; the filter sees one.
    assert found.macs == 16 * 16 * 16 * (2 * 9) + 8 * 8 * 16 * 9
    assert found.parameters == 16 * 2 * 9 + 16


def test_counting_leaves_no_hooks() -> None:
    network = nn.Conv2d(3, 4, 1)
    first, second = (count(network, lambda: network(torch.zeros(1, 3, 5, 5))) for _ in range(2))
    assert first == second
    assert not network._forward_hooks


def test_propnet_is_within_one_percent_of_table_8() -> None:
    training, export = network_complexity(VARIANTS["propnet"])
    paper = TABLE_8["PropNet"]
    assert training.parameters == pytest.approx(paper.parameters, rel=0.01)
    assert training.macs == pytest.approx(paper.macs, rel=0.01)
    # notes of the specification: the last propagation module is 3.05 M and 4.07 G.
    assert training.parameters - export.parameters == pytest.approx(3.05e6, rel=0.01)
    assert training.macs - export.macs == pytest.approx(4.07e9, rel=0.01)


@pytest.mark.parametrize("name", VARIANTS)
def test_training_uses_every_parameter_once(name: str) -> None:
    with torch.device("meta"):
        network = PropNet(VARIANTS[name])
    training, export = network_complexity(VARIANTS[name])
    assert training.parameters == sum(p.numel() for p in network.parameters())
    assert export.parameters < training.parameters


def test_cost_grows_with_the_area() -> None:
    config = PropNetConfig(stacks=1, channels=16)
    small, large = (network_complexity(config, size)[0] for size in (128, 256))
    assert large.macs == 4 * small.macs
    assert large.parameters == small.parameters
    fewer = network_complexity(replace(config, markup=COFW))[0]
    assert fewer.parameters < large.parameters


@pytest.mark.parametrize("size", [0, 100, -64])
def test_an_unsuitable_size_is_refused(size: int) -> None:
    with pytest.raises(InputError, match="multiple of 64"):
        network_complexity(PropNetConfig(), size)


def run(monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    """Exit code of the command."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "argv", ["complexity", *options])
    with pytest.raises(SystemExit) as left:
        run_command(app)
    return int(left.value.code or 0)


def test_the_command_prints_every_variant_beside_the_paper(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--markup", "ibug68", "--size", "128") == 0
    printed = capsys.readouterr().out
    for text in ("ibug68", "LAB", "AWing", "36.30", "42.83", *VARIANTS, "training", "export"):
        assert text in printed
    assert "…" not in printed


def test_the_command_refuses_an_unknown_markup(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--markup", "98") == 2
    expected = "error: unknown markup '98': use one of wflw98, ibug68, cofw29.\n"
    assert capsys.readouterr() == ("", expected)
