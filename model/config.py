"""Configuration of the network: one definition, three sizes, every idea of the paper optional."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

from model.errors import InputError
from model.heatmap import STRIDE
from model.markup import Markup
from model.shipped_markups import WFLW, markup_from_plain, markup_to_plain

# Bounds far above every network of ours: a damaged file must not ask for all memory.
_MOST = {"stacks": 16, "channels": 1024, "depth": 8, "widths": 1024, "attention_depth": 8}


@dataclass(frozen=True)
class PropNetConfig:
    """What to build.

    Attributes:
        stacks: hourglasses in a row (paper: 4).
        channels: width of the feature maps (paper: 256); a multiple of 16, so that the quarter
            width of a block stays a multiple of 4.
        depth: down- and upsamplings of an hourglass; 4 takes 64 x 64 maps to 4 x 4.
        widths: of the hourglass's maps after each halving; empty keeps `channels`, as the paper
            does. Small maps are cheap, so a narrow network may be wide there.
        attention_depth: the same as `depth` in a propagation module (paper: 2).
        markup: the landmarks that it finds, and their boundaries.
        block: "hpm" for the multi-view block, "bottleneck" for the baseline (Table 5), "separable"
            for the multi-view block for processors (`model.network.separable`). With that one the
            boundary maps, too, are made channel by channel, and the stem's blur is a part of its
            convolution.
        propagation: propagation module between hourglasses and boundary supervision (Table 4).
        coord_conv: CoordConv at the stem and the entry of every hourglass.
        blur_kernel: anti-aliased downsampling with this kernel size, 2, 3 or 5 (Table 6); 0 uses
            max pooling and a plain strided convolution (baseline).
        last_attention: the last propagation module computes its attention map too. No later
            hourglass uses it, so no loss reaches it and its weights stay frozen, but Table 8 counts
            it.
    """

    stacks: int = 4
    channels: int = 256
    depth: int = 4
    widths: tuple[int, ...] = ()
    attention_depth: int = 2
    markup: Markup = WFLW
    block: Literal["hpm", "bottleneck", "separable"] = "hpm"
    propagation: bool = True
    coord_conv: bool = True
    blur_kernel: int = 3
    last_attention: bool = False

    def __post_init__(self) -> None:
        problems = []
        if self.stacks < 1:
            problems.append("stacks must be at least 1")
        if self.channels < 16 or self.channels % 16:
            problems.append("channels must be a positive multiple of 16")
        if self.depth < 1:
            problems.append("depth must be at least 1")
        if self.widths and len(self.widths) != self.depth:
            problems.append("widths must be as many as depth, or none")
        if any(width < 16 or width % 16 for width in self.widths):
            problems.append("widths must be positive multiples of 16")
        if self.attention_depth < 1:
            problems.append("attention_depth must be at least 1")
        if self.propagation and not self.markup.curves:
            problems.append(f"the markup {self.markup.name} has no curves to propagate along")
        if self.block not in ("hpm", "bottleneck", "separable"):
            problems.append("block must be 'hpm', 'bottleneck' or 'separable'")
        for name, most in _MOST.items():
            value = getattr(self, name)
            if max(value if name == "widths" else (value,), default=0) > most:
                problems.append(f"{name} must not be above {most}")
        if self.blur_kernel not in (0, 2, 3, 5):
            problems.append("blur_kernel must be 0, 2, 3 or 5")
        if problems:
            raise InputError(f"network configuration: {'; '.join(problems)}.")

    @property
    def folds(self) -> bool:
        """Whether it is a network for processors, which `model.network.fold` makes smaller."""
        return self.block == "separable"

    @property
    def step(self) -> int:
        """Sides of its input are multiples of this, pixels: every map has two halves."""
        halvings = max(self.depth, self.attention_depth if self.propagation else 0)
        return int(STRIDE * 2**halvings)

    def fits(self, size: int) -> bool:
        """Whether it can read crops with sides of so many pixels."""
        return size > 0 and size % self.step == 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for files; a markup that comes with the package by its name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        plain = {key: list(v) if isinstance(v, tuple) else v for key, v in values.items()}
        return {**plain, "markup": markup_to_plain(self.markup)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> PropNetConfig:
        """Inverse of `to_dict`.

        Raises:
            InputError: an unknown key or a value out of range.
        """
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown:
            raise InputError(f"unknown network setting: {', '.join(sorted(unknown))}.")
        # JSON has lists only.
        known: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        if "markup" in known:
            known["markup"] = markup_from_plain(known["markup"], "network configuration")
        return cls(**known)


# The paper's network, and three for processors without a GPU. Two stacks is the smallest network
# that still has an attention map at inference: the last propagation module feeds nothing. The last
# one learned best of the cheap shapes that were trained (docs/results.md).
VARIANTS: dict[str, PropNetConfig] = {
    "propnet": PropNetConfig(stacks=4, channels=256, last_attention=True),
    "propnet-m": PropNetConfig(stacks=2, channels=128),
    "propnet-s": PropNetConfig(stacks=2, channels=64),
    "propnet-xs": PropNetConfig(
        stacks=2,
        channels=64,
        depth=3,
        widths=(128, 192, 192),
        attention_depth=1,
        block="separable",
        blur_kernel=2,
    ),
}


def get_variant(name: str) -> PropNetConfig:
    """Configuration of a named variant.

    Raises:
        InputError: there is no such variant.
    """
    if name not in VARIANTS:
        raise InputError(f"unknown model '{name}': use one of {', '.join(VARIANTS)}.")
    return VARIANTS[name]
