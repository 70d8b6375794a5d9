"""`python -m model.complexity`: parameters and multiply-accumulates of every variant, by Table 8.

What is counted: one multiply-accumulate for every weight of a convolution at every position that it
is applied to, the fixed filters of anti-aliased downsampling included (0.1 %). Biases, batch
normalisation (it folds into the convolutions), activations, additions and upsampling are not. The
"FLOPS" of the paper's Table 8 are multiply-accumulates as well: the public Adaptive Wing network
has the 26.79 G that the table gives it when it is counted this way.

The networks are run on torch's meta device, which knows shapes and computes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from model.config import VARIANTS, PropNetConfig
from model.errors import InputError, run_command
from model.markup import Markup
from model.network.antialias import BlurPool, BlurredConv
from model.network.fold import fold
from model.network.propnet import PropNet
from model.network.separable import MultiViewConv
from model.shipped_markups import find_markup


@dataclass(frozen=True)
class Complexity:
    """Size and cost of a network.

    Attributes:
        parameters: learned numbers.
        macs: multiply-accumulates for one image.
    """

    parameters: int
    macs: int


# Table 8 of the paper; all three at 256 x 256 pixels and 98 points.
TABLE_8: dict[str, Complexity] = {
    "LAB": Complexity(12_290_000, 18_850_000_000),
    "AWing": Complexity(24_150_000, 26_790_000_000),
    "PropNet": Complexity(36_300_000, 42_830_000_000),
}


def count(network: nn.Module, run: Callable[[], object]) -> Complexity:
    """Count what a network does while `run` runs it on one image.

    Args:
        network: holds the modules to watch; parameters of modules that `run` does not reach do not
            count.
        run: runs the network, or a part of it, on a batch of one.

    Returns:
        Parameters used and multiply-accumulates done.
    """
    used: dict[int, int] = {}
    macs = 0

    def watch(module: nn.Module, inputs: Any, output: Tensor) -> None:
        nonlocal macs
        used.update((id(p), p.numel()) for p in module.parameters(recurse=False))
        if isinstance(module, nn.Conv2d | BlurPool):
            # One output channel's weights, [inputs / groups, height, width], per output value.
            macs += output.numel() * module.weight[0].numel()
        elif isinstance(module, BlurredConv | MultiViewConv):
            macs += output.numel() * module.kernel()[0].numel()

    leaves = [module for module in network.modules() if not any(module.children())]
    handles = [module.register_forward_hook(watch) for module in leaves]
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()
    return Complexity(sum(used.values()), macs)


def network_complexity(config: PropNetConfig, size: int = 256) -> tuple[Complexity, Complexity]:
    """Complexity of a PropNet.

    Args:
        config: the network.
        size: side of the input, pixels; a multiple of 4 * 2 ** depth.

    Returns:
        With all outputs, as in training; and of the exported path, `PropNet.landmarks`, which
        leaves out the last propagation module, and of networks for processors what folds away.

    Raises:
        InputError: the network cannot run at that size.
    """
    if not config.fits(size):
        raise InputError(
            f"the size {size} does not suit this network: use a multiple of {config.step}."
        )
    with torch.device("meta"):
        network = PropNet(config).eval()
        image = torch.empty(1, 3, size, size)
        # The others are counted as the paper does, with their coordinates.
        exported = fold(network, size) if config.folds else network
    with torch.no_grad():
        return count(network, lambda: network(image)), count(
            exported, lambda: exported.landmarks(image)
        )


def complexity_table(markup: Markup, size: int) -> Table:
    """Every variant beside Table 8; differences are to its PropNet, in percent."""
    table = Table(
        title=f"Complexity at {size} x {size} pixels, markup {markup}",
        caption="training: all outputs; export: landmarks only. Differences are to the paper's "
        "PropNet.",
    )
    table.add_column("network", no_wrap=True)
    table.add_column("path")
    for heading in ("params (M)", "diff.", "MACs (G)", "diff."):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, published in TABLE_8.items():
        table.add_row(name, "Table 8", *_cells(published))
    for name, config in VARIANTS.items():
        table.add_section()
        training, export = network_complexity(replace(config, markup=markup), size)
        table.add_row(name, "training", *_cells(training))
        table.add_row("", "export", *_cells(export))
    return table


def _cells(found: Complexity) -> tuple[str, str, str, str]:
    """Parameters and cost in the table's units, each followed by its difference."""
    paper = TABLE_8["PropNet"]
    return (
        f"{found.parameters / 1e6:.2f}",
        f"{100 * (found.parameters / paper.parameters - 1):+.2f} %",
        f"{found.macs / 1e9:.2f}",
        f"{100 * (found.macs / paper.macs - 1):+.2f} %",
    )


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    markup: Annotated[
        str, typer.Option(help="wflw98, ibug68, cofw29, or a markup file.")
    ] = "wflw98",
    size: Annotated[int, typer.Option(help="Side of the input, pixels.")] = 256,
) -> None:
    """Print parameters and multiply-accumulates of every variant beside the paper's Table 8."""
    Console().print(complexity_table(find_markup(markup), size))


if __name__ == "__main__":
    run_command(app)
