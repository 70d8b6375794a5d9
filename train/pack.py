"""`python -m train.pack`: a smaller copy of a folder in WFLW's layout, for training elsewhere.

Each face's picture is cut to what training can look at, shrunk to what a network reads, and coded
again. Labels stay exact: coordinates follow the cut and the scale without rounding to pixels.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Annotated

import cv2
import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from model.crop import CROP_SCALE, region_from_box
from model.errors import InputError, run_command
from model.files import replacing, reserve_output
from train.data.datasets import read_dataset
from train.data.sample import Sample
from train.data.wflw import IMAGES, SPLITS, format_line, list_path, write_list

# Side of the cut over the long side of the landmark box. The augmentation's farthest corner: a crop
# of 1.3 / 0.85 boxes turned by 45 degrees reaches 1.08 boxes from its centre, which is up to 0.13
# boxes off: 2.4. The packs' own pictures hold 2.0; beyond, border pixels repeat as they do there.
REACH = 2.4
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    *,
    data: Annotated[Path, typer.Option(help="Folder in WFLW's layout.")],
    out: Annotated[Path, typer.Option(help="Folder to make; must not exist.")],
    size: Annotated[
        int, typer.Option(min=64, help="Side of the input that the copy must be good for, pixels.")
    ] = 256,
    quality: Annotated[int, typer.Option(min=1, max=100, help="Of the WebP coding.")] = 85,
    digits: Annotated[
        int, typer.Option(min=0, max=9, help="Of coordinates, behind the point.")
    ] = 4,
    leave_out: Annotated[
        list[str] | None, typer.Option(help="Training faces of this source; repeat for several.")
    ] = None,
) -> None:
    """Write a smaller copy of a dataset in WFLW's layout, all splits that it has."""
    if out.exists():
        raise InputError(f"{out} exists: name a new folder, or remove it.")
    reserve_output(out)
    splits = {
        split: _kept(read_dataset("wflw", data, split), leave_out or [], split)
        for split in SPLITS
        if list_path(data, split).is_file() or split == "train"
    }
    taken: set[str] = set()
    before = after = 0
    with replacing(out, folder=True) as partial:
        for split, samples in splits.items():
            lines = []
            for sample in track(
                samples, split, console=Console(stderr=True), transient=True, total=len(samples)
            ):
                image, points, box = pack_face(sample, size)
                name = free_name(sample.image.relative_to(data / IMAGES), taken)
                path = partial / IMAGES / name
                path.parent.mkdir(parents=True, exist_ok=True)
                code = encode(image, quality)
                path.write_bytes(code)
                before, after = before + sample.image.stat().st_size, after + len(code)
                lines.append(format_line(replace(sample, points=points, box=box), name, digits))
            write_list(partial, split, lines)
    faces = sum(len(samples) for samples in splits.values())
    typer.echo(f"{faces} faces, pictures {before / 2**20:.1f} -> {after / 2**20:.1f} MiB, in {out}")


def _kept(samples: list[Sample], leave_out: list[str], split: str) -> list[Sample]:
    """A split without some sources; faces to judge by all stay."""
    if split != "train":
        return samples
    kept = [sample for sample in samples if not sample.source.startswith(tuple(leave_out))]
    if not kept:
        raise InputError(f"--leave-out {' '.join(leave_out)} leaves no face to train on.")
    return kept


def pack_face(
    sample: Sample, size: int
) -> tuple[NDArray[np.uint8], NDArray[np.float64], NDArray[np.float64]]:
    """The part of a picture that training can look at.

    Args:
        sample: the face.
        size: side of the network's input, pixels: a face whose crop has more is shrunk to it.

    Returns:
        Picture [h, w, 3] RGB, points [K, 2] and box [4] in its pixels.

    Raises:
        InputError: the picture cannot be read.
    """
    image = sample.load()
    height, width = image.shape[:2]
    region = region_from_box(sample.box)
    reach = REACH * region.size / CROP_SCALE / 2
    # A box outside the picture still needs a pixel.
    x0 = int(np.clip(np.floor(region.x - reach), 0, width - 1))
    y0 = int(np.clip(np.floor(region.y - reach), 0, height - 1))
    x1 = int(np.clip(np.ceil(region.x + reach) + 1, x0 + 1, width))
    y1 = int(np.clip(np.ceil(region.y + reach) + 1, y0 + 1, height))
    part = np.ascontiguousarray(image[y0:y1, x0:x1])
    scale = min(1.0, size / region.size)
    sides = max(1, round(scale * (x1 - x0))), max(1, round(scale * (y1 - y0)))
    if scale < 1:
        part = np.asarray(cv2.resize(part, sides, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    # What the rounding of the sides did is in the factors, not in the labels.
    factors = np.array(sides) / (x1 - x0, y1 - y0)

    def move(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((points - (x0, y0) + 0.5) * factors - 0.5, dtype=np.float64)

    return part, move(sample.points), move(sample.box.reshape(2, 2)).ravel()


def encode(image: NDArray[np.uint8], quality: int) -> bytes:
    """A picture [H, W, 3] RGB as WebP, about half of JPEG's bytes at the same look."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return bytes(cv2.imencode(".webp", bgr, [cv2.IMWRITE_WEBP_QUALITY, quality])[1])


def free_name(picture: Path, taken: set[str]) -> str:
    """A name in the same folder, which tells the source, that no other face has yet.

    Args:
        picture: relative to the folder of the pictures; several faces may share one.
        taken: names given; the new one is added.
    """
    path = PurePosixPath(picture.as_posix())
    name, number = path.with_suffix(".webp"), 1
    while str(name) in taken:
        name, number = path.with_name(f"{path.stem}-{number}.webp"), number + 1
    taken.add(str(name))
    return str(name)


if __name__ == "__main__":
    run_command(app)
