"""Pick points of one's own out of WFLW's 98, as a COCO file: a smaller network to train.

    cd examples/own_points
    python points_of_wflw.py WFLW twenty.yaml out --split train

The markup's `roles: wflw98` says which they are. Pictures are copied, so that `out` is whole.
"""

from __future__ import annotations

import argparse
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from model.errors import InputError, run_command
from model.markup import Markup
from model.markup_file import read_markup
from train.data.coco import write_coco
from train.data.sample import Sample
from train.data.wflw import read_wflw


def picked(sample: Sample, markup: Markup, image: Path) -> Sample:
    """A face with the markup's points alone; each is the mean of the spots that it stands for."""
    spots = [markup.roles.wflw98[point] for point in range(markup.points)]
    points = np.array([sample.points[list(group)].mean(axis=0) for group in spots])
    return replace(sample, image=image, points=points, own_markup=markup)


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder in WFLW's layout")
    parser.add_argument("markup", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--split", default="train")
    parser.add_argument("--faces", type=int, help="so many, by chance; all if not given")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    markup = read_markup(options.markup)
    if set(markup.roles.wflw98) != set(range(markup.points)):
        raise InputError(f"{options.markup}: roles, wflw98 must say of every point which it is.")
    faces = [sample for sample in read_wflw(options.data, options.split) if sample.has_points]
    if options.faces is not None:
        chosen = np.random.default_rng(options.seed).permutation(len(faces))[: options.faces]
        faces = [faces[index] for index in sorted(chosen)]
    images = options.out / "images"
    images.mkdir(parents=True, exist_ok=True)
    samples, sizes = [], []
    for number, face in enumerate(faces):
        image = images / f"{number:05d}{face.image.suffix}"
        shutil.copyfile(face.image, image)
        samples.append(picked(face, markup, image))
        height, width = samples[-1].load().shape[:2]
        sizes.append((width, height))
    write_coco(options.out / "annotations.json", samples, options.out, sizes)
    print(f"{options.out}: {len(samples)} faces with {markup.points} points")


if __name__ == "__main__":
    run_command(main)
