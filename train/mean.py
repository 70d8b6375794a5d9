"""`python -m train.mean`: one network whose weights are the mean of several runs'.

Runs from one start end in one basin: their mean is as near to the labels as the best of them and
has what each alone has learned (Wortsman et al., "Model soups", ICML 2022). It costs no training.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import typer

from model.errors import InputError, run_command
from model.files import reserve_output
from model.network.propnet import PropNet
from model.weights import Metadata, load_network, save_network

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    weights: Annotated[
        list[str],
        typer.Argument(help="FILE=SHARE of each: a shipped name or a .safetensors file."),
    ],
    *,
    out: Annotated[Path, typer.Option(help="The .safetensors file to write.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT.")] = False,
) -> None:
    """Write the weighted mean of weights that were trained from one start.

    Shares may add up to anything. Correct and calibrate the mean anew: it has neither.
    """
    if out.suffix != ".safetensors":
        raise InputError(f"--out {out}: weights are written as .safetensors.")
    reserve_output(out, overwrite=overwrite)
    network, metadata = mean([_parse(text) for text in weights])
    save_network(out, network, metadata)
    typer.echo(f"{out}: {metadata.notes}")


def mean(parts: list[tuple[str, float]]) -> tuple[PropNet, Metadata]:
    """The mean of networks' weights and statistics.

    Args:
        parts: name or file, and share, of two or more.

    Returns:
        The network, and metadata that say so in their notes; name and markup are the first one's.

    Raises:
        InputError: fewer than two, unusable weights, or networks that are not of one kind.
    """
    if len(parts) < 2:
        raise InputError("a mean needs two networks or more: name them as FILE=SHARE.")
    total = sum(share for _, share in parts)
    networks = [load_network(name) for name, _ in parts]
    first, metadata = networks[0]
    kind = metadata.config, metadata.input_size
    sums = {key: torch.zeros_like(value) for key, value in first.state_dict().items()}
    notes: list[str] = []
    for (name, part), (network, own) in zip(parts, networks, strict=True):
        if (own.config, own.input_size) != kind:
            raise InputError(f"{name} is another network than {parts[0][0]}: they have no mean.")
        share = part / total
        for key, value in network.state_dict().items():
            if value.is_floating_point():  # not counters of batches, which nothing reads
                sums[key] += share * value
        notes.append(f"{share:.3g} of {own.sha256[:12]} ({own.notes})")
    first.load_state_dict(sums)
    return first, Metadata(metadata.name, *kind, f"mean: {'; '.join(notes)}")


def _parse(text: str) -> tuple[str, float]:
    name, _, number = text.rpartition("=")
    try:
        share = float(number)
    except ValueError:
        share = 0.0
    if not name or not 0 < share < float("inf"):
        raise InputError(f"{text}: write FILE=SHARE with a share above 0.")
    return name, share


if __name__ == "__main__":
    run_command(app)
