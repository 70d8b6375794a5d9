"""The network: every idea alone, its arithmetic against references, and what training reaches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate
from torch import nn

from model.config import VARIANTS, PropNetConfig, get_variant
from model.errors import InputError
from model.markup import Markup
from model.network.antialias import BlurPool
from model.network.blocks import BottleneckBlock, HPMBlock
from model.network.coordconv import AddCoords, coordinates
from model.network.hourglass import Hourglass
from model.network.propnet import PropNet, Stem
from model.shipped_markups import COFW, IBUG, MARKUPS, get_markup

# Every idea of the paper on, at the smallest width.
TINY = PropNetConfig(stacks=2, channels=16, depth=2)

CONFIGS = {
    "all on": TINY,
    "one stack": replace(TINY, stacks=1),
    "three stacks": replace(TINY, stacks=3),
    "bottleneck": replace(TINY, block="bottleneck"),
    "separable": replace(TINY, block="separable", blur_kernel=2, attention_depth=1),
    "wide where maps are small": replace(TINY, block="separable", widths=(32, 48)),
    "no propagation": replace(TINY, propagation=False),
    "no coordinates": replace(TINY, coord_conv=False),
    "max pooling": replace(TINY, blur_kernel=0),
    "blur 2": replace(TINY, blur_kernel=2),
    "blur 5": replace(TINY, blur_kernel=5),
    "last attention": replace(TINY, last_attention=True),
    "68 points": replace(TINY, markup=IBUG),
    "29 points": replace(TINY, markup=COFW),
    "baseline": replace(
        TINY, block="bottleneck", propagation=False, coord_conv=False, blur_kernel=0
    ),
}
EVERY = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)


def images(count: int = 2, size: int = 64) -> torch.Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(1)) * 2 - 1


@EVERY
@pytest.mark.parametrize("size", [64, 128])
def test_output_shapes(config: PropNetConfig, size: int) -> None:
    network = PropNet(config).eval()
    markup, side = get_markup(config.markup), size // 4
    with torch.inference_mode():
        outputs = network(images(size=size))
    assert len(outputs) == config.stacks
    for i, output in enumerate(outputs):
        assert output.landmarks.shape == (2, markup.points, side, side)
        if not config.propagation:
            assert output.boundaries is output.attention is None
            continue
        assert output.boundaries.shape == (2, len(markup.curves), side, side)
        if i < config.stacks - 1 or config.last_attention:
            assert output.attention.shape == (2, config.channels, side, side)
            assert 0 < output.attention.min() < output.attention.max() < 1
        else:
            assert output.attention is None


@pytest.mark.parametrize("size", [128, 256])
@pytest.mark.parametrize("markup", MARKUPS.values(), ids=MARKUPS)
def test_the_small_variant_runs_at_both_training_sizes(markup: Markup, size: int) -> None:
    network = PropNet(replace(VARIANTS["propnet-s"], markup=markup)).eval()
    with torch.inference_mode():
        maps = network.landmarks(images(1, size))
    assert maps.shape == (1, markup.points, size // 4, size // 4)


@EVERY
def test_the_exported_path_gives_the_last_landmarks(config: PropNetConfig) -> None:
    network = PropNet(config).eval()
    with torch.inference_mode():
        torch.testing.assert_close(
            network.landmarks(images()), network(images())[-1].landmarks, rtol=0, atol=0
        )


@EVERY
def test_gradients_reach_every_parameter(config: PropNetConfig) -> None:
    torch.manual_seed(0)
    network = PropNet(config)
    maps = [m for o in network(images()) for m in (o.landmarks, o.boundaries) if m is not None]
    # Random weights, so that no symmetric sum cancels.
    sum((m * torch.randn_like(m)).sum() for m in maps).backward()
    idle = [name for name, p in network.named_parameters() if p.grad is None]
    still = [
        name for name, p in network.named_parameters() if p.grad is not None and not p.grad.any()
    ]
    assert still == []
    frozen = [name for name, p in network.named_parameters() if not p.requires_grad]
    assert idle == frozen
    if config.last_attention:
        last = f"stacks.{config.stacks - 1}.propagation."
        branches = tuple(last + name for name in ("merge.", "hourglass.", "to_attention."))
        assert frozen
        assert all(name.startswith(branches) for name in frozen)
    else:
        assert frozen == []


def test_each_switch_changes_what_is_built() -> None:
    def kinds(config: PropNetConfig) -> set[type]:
        return {type(module) for module in PropNet(config).modules()}

    assert {HPMBlock, BlurPool, AddCoords} <= kinds(TINY)
    assert nn.MaxPool2d not in kinds(TINY)
    baseline = kinds(CONFIGS["baseline"])
    assert {BottleneckBlock, nn.MaxPool2d} <= baseline
    assert not {HPMBlock, BlurPool, AddCoords} & baseline
    assert BottleneckBlock not in kinds(TINY)
    assert all(stack.propagation is not None for stack in PropNet(TINY).stacks)
    assert all(stack.propagation is None for stack in PropNet(CONFIGS["baseline"]).stacks)


def test_attention_steers_the_next_stack_but_not_its_own() -> None:
    torch.manual_seed(0)
    network = PropNet(TINY).eval()
    with torch.inference_mode():
        before = network(images())
        network.stacks[0].propagation.to_attention.bias += 3
        after = network(images())
    torch.testing.assert_close(after[0].landmarks, before[0].landmarks, rtol=0, atol=0)
    assert (after[0].attention > before[0].attention).all()
    assert (after[1].landmarks - before[1].landmarks).abs().max() > 1e-4


@pytest.mark.parametrize("kernel", [2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_blur_pool_against_scipy(kernel: int, stride: int) -> None:
    taps = {2: [1, 1], 3: [1, 2, 1], 5: [1, 4, 6, 4, 1]}[kernel]
    square = np.outer(taps, taps) / np.sum(taps) ** 2
    image = np.random.default_rng(0).normal(size=(2, 3, 12, 10))
    # scipy centres an even filter on its second tap, the network on its first.
    origin = -1 if kernel == 2 else 0
    expected = np.stack(
        [[correlate(c, square, mode="nearest", origin=origin) for c in x] for x in image]
    )[..., ::stride, ::stride]
    found = BlurPool(3, kernel, stride)(torch.from_numpy(image).float())
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("kernel", [2, 3, 5])
def test_blur_pool_keeps_a_constant(kernel: int) -> None:
    found = BlurPool(2, kernel)(torch.full((1, 2, 8, 8), 0.7))
    torch.testing.assert_close(found, torch.full((1, 2, 4, 4), 0.7))


def test_blur_pool_removes_the_frequency_that_subsampling_folds() -> None:
    # Alternating columns: subsampled they would be a constant of either sign, by the phase.
    waves = torch.tensor([1.0, -1.0]).repeat(8).expand(1, 1, 16, 16)
    for kernel in (2, 3, 5):
        inner = BlurPool(1, kernel)(waves)[..., 1:-1, 1:-1]
        assert inner.abs().max() < 1e-6


@pytest.mark.parametrize("kernel", [2, 3, 5])
def test_downsampling_a_shifted_image(kernel: int) -> None:
    """A slow wave of any phase comes out as every other pixel of it, times the filter's gain."""
    frequency = 2 * np.pi * 3 / 64
    x = np.arange(64)
    half = {2: 0.5, 3: 0.0, 5: 0.0}[kernel]  # an even filter looks half a pixel ahead
    gain = np.cos(frequency / 2) ** (kernel - 1)
    for shift in (0.0, 0.25, 1.0, 1.5):
        wave = torch.tensor(np.cos(frequency * (x - shift)), dtype=torch.float32)
        found = BlurPool(1, kernel)(wave.expand(1, 1, 64, 64))[0, 0, 8]
        expected = gain * np.cos(frequency * (2 * np.arange(32) + half - shift))
        np.testing.assert_allclose(found[2:-2], expected[2:-2], atol=1e-5)


@pytest.mark.parametrize("kernel", [2, 3, 5])
def test_blurring_before_the_stems_convolution_equals_blurring_after(kernel: int) -> None:
    torch.manual_seed(0)
    stem = Stem(replace(TINY, coord_conv=False, blur_kernel=kernel))
    strided = stem.conv[0]
    plain = nn.Conv2d(3, strided.out_channels, 7, padding=3, bias=False)
    plain.load_state_dict(strided.state_dict())
    image = images(1)
    with torch.inference_mode():
        before = strided(stem.blur(image))
        after = BlurPool(strided.out_channels, kernel, stride=2)(plain(image))
    # The border is extended differently: zeros by the convolution, copies by the filter.
    inner = (..., slice(4, -4), slice(4, -4))
    torch.testing.assert_close(before[inner], after[inner])
    assert before.shape == after.shape


def test_coordinates() -> None:
    x, y, radius = coordinates(3, 5)[0]
    np.testing.assert_allclose(x, np.tile([-1, -0.5, 0, 0.5, 1], (3, 1)))
    np.testing.assert_allclose(y, np.repeat([[-1], [0], [1]], 5, axis=1))
    expected = [[np.hypot(-1 + 0.5 * c, -1 + r) / np.sqrt(2) for c in range(5)] for r in range(3)]
    np.testing.assert_allclose(radius, expected, atol=1e-6)


def test_coord_conv_appends_its_channels() -> None:
    features = torch.randn(2, 4, 8, 8)
    added = AddCoords()(features)
    assert added.shape == (2, 7, 8, 8)
    torch.testing.assert_close(added[:, :4], features)
    torch.testing.assert_close(added[1, 4:], coordinates(8, 8)[0])


def test_masked_coordinates_follow_the_strongest_boundary() -> None:
    boundaries = torch.zeros(2, 3, 8, 8)
    boundaries[0, 1, 2, 3] = 0.06
    boundaries[0, 2, 4, 4] = 0.05  # not above the threshold
    boundaries[1, 0, 7, 0] = 1
    added = AddCoords(masked=True)(torch.zeros(2, 4, 8, 8), boundaries)
    assert added.shape == (2, 9, 8, 8)
    x, y, _ = coordinates(8, 8)[0]
    expected = torch.zeros(2, 2, 8, 8)
    expected[0, :, 2, 3] = torch.tensor([x[2, 3], y[2, 3]])
    expected[1, :, 7, 0] = torch.tensor([-1.0, 1.0])
    torch.testing.assert_close(added[:, 7:], expected)
    with pytest.raises(ValueError, match="boundary maps"):
        AddCoords(masked=True)(torch.zeros(1, 4, 8, 8))


def test_coordinates_follow_type_and_are_no_weights() -> None:
    added = AddCoords()(torch.zeros(1, 1, 4, 4, dtype=torch.bfloat16))
    assert added.dtype == torch.bfloat16
    # Neither coordinates nor filters are stored: they follow from the configuration.
    stored = {name.rsplit(".", 1)[1] for name in PropNet(TINY).state_dict()}
    assert stored == {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}
    assert not any(".blur." in name or "down" in name for name in PropNet(TINY).state_dict())


def test_hpm_block_concatenates_three_views() -> None:
    torch.manual_seed(0)
    block, x = HPMBlock(16, 16).eval(), torch.randn(1, 16, 15, 15)
    relu = torch.relu
    scale = 1 / np.sqrt(1 + 1e-5)  # batch normalisation as built

    def conv(layer: nn.Sequential, value: torch.Tensor) -> torch.Tensor:
        return nn.functional.conv2d(relu(value * scale), layer[2].weight, padding=1)

    with torch.inference_mode():
        first = conv(block.wide, x)
        second = conv(block.middle, first)
        third = conv(block.deep, second)
        torch.testing.assert_close(block(x), torch.cat([first, second, third], dim=1) + x)
    assert [t.shape[1] for t in (first, second, third)] == [8, 4, 4]


@pytest.mark.parametrize(
    ("view", "reach"), [(slice(0, 8), 1), (slice(8, 12), 2), (slice(12, 16), 3)]
)
def test_hpm_views_see_3_5_and_7_pixels(view: slice, reach: int) -> None:
    torch.manual_seed(0)
    block = HPMBlock(16, 16).eval()
    x = torch.randn(1, 16, 15, 15, requires_grad=True)
    (block(x) - x)[:, view, 7, 7].sum().backward()
    rows, columns = np.nonzero(x.grad[0].abs().sum(dim=0).numpy())
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (
        7 - reach, 7 + reach, 7 - reach, 7 + reach,
    )  # fmt: skip


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_hourglass_of_each_depth(depth: int) -> None:
    hourglass = Hourglass(depth, 16, "hpm", 3).eval()
    blocks = [m for m in hourglass.modules() if isinstance(m, HPMBlock)]
    # notes of the specification: 13 blocks at depth 4, 7 at depth 2.
    assert len(blocks) == 3 * depth + 1
    seen: list[tuple[int, ...]] = []
    for block in blocks:
        block.register_forward_hook(lambda _m, _i, out: seen.append(tuple(out.shape[-2:])))
    with torch.inference_mode():
        assert hourglass(torch.zeros(1, 16, 32, 16)).shape == (1, 16, 32, 16)
    assert min(seen) == (32 >> depth, 16 >> depth)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"stacks": 0}, "stacks must be at least 1"),
        ({"channels": 24}, "channels must be a positive multiple of 16"),
        ({"depth": 0}, "depth must be at least 1"),
        ({"depth": 3, "widths": [64, 64]}, "widths must be as many as depth, or none"),
        ({"depth": 1, "widths": [40]}, "widths must be positive multiples of 16"),
        ({"attention_depth": 0}, "attention_depth must be at least 1"),
        ({"block": "resnet"}, "block must be 'hpm', 'bottleneck' or 'separable'"),
        ({"blur_kernel": 4}, "blur_kernel must be 0, 2, 3 or 5"),
        ({"markup": "wflw"}, "unknown markup 'wflw': use one of wflw98, ibug68, cofw29"),
        ({"stacks": 0, "depth": 0}, "stacks must be at least 1; depth must be at least 1"),
    ],
)
def test_impossible_configurations_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        PropNetConfig.from_dict(settings)


def test_configurations_survive_a_file() -> None:
    for config in (*VARIANTS.values(), *CONFIGS.values()):
        assert PropNetConfig.from_dict(config.to_dict()) == config
    with pytest.raises(InputError, match="unknown network setting: width"):
        PropNetConfig.from_dict({"width": 3})


def test_variants() -> None:
    assert get_variant("propnet") == PropNetConfig(stacks=4, channels=256, last_attention=True)
    assert (get_variant("propnet-m").stacks, get_variant("propnet-m").channels) == (2, 128)
    assert (get_variant("propnet-s").stacks, get_variant("propnet-s").channels) == (2, 64)
    assert (get_variant("propnet-xs").stacks, get_variant("propnet-xs").channels) == (2, 64)
    with pytest.raises(InputError, match="unknown model 'propnet-xl': use one of propnet, propn"):
        get_variant("propnet-xl")
    # Every idea of the paper is in every size.
    for config in VARIANTS.values():
        assert config.stacks > 1
        assert config.propagation
        assert config.coord_conv
        assert config.blur_kernel > 1
        assert config.block in ("hpm", "separable")


@pytest.mark.parametrize(
    ("config", "step"),
    [
        (PropNetConfig(stacks=2, channels=16), 64),
        (PropNetConfig(stacks=2, channels=16, depth=1), 16),
        (PropNetConfig(stacks=2, channels=16, depth=1, propagation=False), 8),
    ],
)
def test_the_step_of_the_sizes_that_it_reads(config: PropNetConfig, step: int) -> None:
    assert config.step == step
    network = PropNet(config).eval()
    with torch.inference_mode():
        maps = network(torch.zeros(1, 3, 3 * step, 3 * step))[-1].landmarks
        assert maps.shape[-1] == 3 * step // 4
        with pytest.raises(RuntimeError, match="must match"):
            network(torch.zeros(1, 3, 5 * step // 2, 5 * step // 2))
