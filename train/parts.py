"""`python -m train.parts`: weights in parts under a size, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from model.errors import run_command
from model.files import reserve_output
from train.phases.weight_parts import MIB, join_weights, split_weights

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)


@app.command()
def split(
    weights: Annotated[Path, typer.Argument(help="A .safetensors file.")],
    *,
    out: Annotated[Path, typer.Option(help="Folder of the parts; made if missing.")],
    part: Annotated[float, typer.Option(min=0.1, help="Most MiB of a file.")] = 15.5,
    total: Annotated[float, typer.Option(min=0.1, help="Most MiB of all of them.")] = 60,
) -> None:
    """Write weights as parts, with fewer bits where they would not fit."""
    reserve_output(out, folder=True)
    parts, bits = split_weights(weights, out, part=int(part * MIB), total=int(total * MIB))
    size = sum(path.stat().st_size for path in parts) / MIB
    rounded = f", {bits} bits of each weight dropped" if bits else ""
    typer.echo(f"{len(parts)} parts, {size:.1f} MiB{rounded}, in {out}")


@app.command()
def join(
    parts: Annotated[list[Path], typer.Argument(help="All parts of one file.")],
    *,
    out: Annotated[Path, typer.Option(help="The .safetensors file to write.")],
) -> None:
    """Put parts together again."""
    reserve_output(out, overwrite=True)
    typer.echo(f"{out}, SHA-256 {join_weights(parts, out)}")


def main() -> None:
    """Entry point."""
    run_command(app)


if __name__ == "__main__":
    main()
