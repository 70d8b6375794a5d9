"""Draw labelled pictures of pliers, and a video of them: data for docs/tutorials/own-points.md.

    python examples/own_points/draw_pliers.py pliers

makes `pliers/annotations.json` (COCO keypoints), `pliers/images/` and `pliers/clip.mp4`.
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from model.errors import run_command
from model.markup_file import read_markup
from tracker.video.frame_source import VideoInfo
from tracker.video.picture_file import encode_picture
from tracker.video.video_writer import VideoWriter
from train.data.coco import write_coco
from train.data.sample import Sample, tight_box

MARKUP = Path(__file__).parent / "pliers.yaml"
SIZE = (320, 240)
# One arm, jaw up, the pivot at 0: jaw, pivot, handle, end; the other is its mirror image.
ARM = np.array([[0.04, -0.42], [0.0, 0.0], [-0.17, 0.3], [-0.13, 0.9]])
# Points of the markup: arm and place on it.
POINTS = ((1, 0), (0, 0), (0, 1), (0, 2), (1, 2), (0, 3), (1, 3))
_SHIFT = 4  # bits of a pixel that OpenCV draws to


def pliers(
    x: float, y: float, length: float, turn: float, opening: float
) -> tuple[list[NDArray[np.float64]], NDArray[np.float64]]:
    """Both arms, [4, 2] each, and the seven points [7, 2], pixels.

    Args:
        x: of the pivot, pixels.
        y: the same.
        length: from the pivot to the ends, pixels.
        turn: radians, clockwise.
        opening: of each arm, radians.
    """
    arms = []
    for side in (1, -1):
        angle = turn + side * opening
        matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        arms.append([x, y] + length * (ARM * [side, 1]) @ matrix.T)
    return arms, np.array([arms[arm][place] for arm, place in POINTS])


def random_ground(rng: np.random.Generator) -> NDArray[np.uint8]:
    """[H, W, 3]: a bench with other things on it."""
    width, height = SIZE
    small = rng.integers(30, 200, (4, 5, 3), dtype=np.uint8)
    ground = np.asarray(cv2.resize(small, SIZE, interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
    for _ in range(int(rng.integers(3, 12))):
        ends = rng.uniform(0, 1, (2, 2)) * [width, height]
        first, second = np.rint(ends).astype(int).tolist()
        colour = rng.integers(0, 256, 3).tolist()
        cv2.line(ground, first, second, colour, int(rng.integers(1, 14)), cv2.LINE_AA)
    return ground


def draw(
    ground: NDArray[np.uint8],
    arms: list[NDArray[np.float64]],
    steel: NDArray[np.float64],
    grip: NDArray[np.float64],
) -> NDArray[np.uint8]:
    """The picture [H, W, 3]: one arm over the other, with grips of another colour."""
    image = ground.copy()
    for arm in arms[::-1]:
        thick = max(float(np.linalg.norm(arm[3] - arm[1])) * 0.13, 2)
        for start, colour, width in ((0, steel, thick), (2, grip, 1.35 * thick)):
            fixed = np.rint(arm[start:] * (1 << _SHIFT)).astype(np.int32)
            dark, light = (0.55 * colour).tolist(), colour.tolist()
            for paint, share in ((dark, 1.0), (light, 0.5)):
                stroke = max(round(share * width), 1)
                cv2.polylines(image, [fixed], False, paint, stroke, cv2.LINE_AA, _SHIFT)
    centre = np.rint(arms[0][1] * (1 << _SHIFT)).astype(int).tolist()
    radius = round(0.4 * thick * (1 << _SHIFT))
    cv2.circle(image, centre, radius, (0.35 * steel).tolist(), -1, cv2.LINE_AA, _SHIFT)
    return image


def look(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """As a camera sees it: a little blurred, with noise."""
    blurred = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.4, 1.2)))
    noisy = blurred + rng.normal(0, rng.uniform(1, 6), image.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def random_picture(rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """A picture and its points."""
    width, height = SIZE
    arms, points = pliers(
        width * rng.uniform(0.35, 0.65),
        height * rng.uniform(0.35, 0.6),
        rng.uniform(50, 95),
        rng.uniform(-0.8, 0.8),
        rng.uniform(0.02, 0.45),
    )
    colours = rng.uniform(90, 250), rng.uniform(20, 250, 3)
    steel = np.full(3, colours[0])
    return look(draw(random_ground(rng), arms, steel, colours[1]), rng), points


def write_clip(path: Path, rng: np.random.Generator, frames: int) -> None:
    """Pliers that are waved, opened and closed."""
    width, height = SIZE
    info = VideoInfo("clip", None, width, height, rate=Fraction(25), time_base=Fraction(1, 25))
    ground = random_ground(rng)
    with VideoWriter(path, info, overwrite=True) as writer:
        for index in range(frames):
            time = index / 25
            arms, _ = pliers(
                width * (0.5 + 0.14 * np.sin(1.3 * time)),
                height * (0.45 + 0.05 * np.sin(2.1 * time)),
                75 + 12 * np.sin(0.9 * time),
                0.6 * np.sin(1.7 * time),
                0.23 + 0.2 * np.sin(4 * time),
            )
            picture = draw(ground, arms, np.full(3, 200.0), np.array([210.0, 60.0, 40.0]))
            writer.write(look(picture, rng), time)


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=int, default=150)
    parser.add_argument("--frames", type=int, default=250, help="of the video")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    markup = read_markup(MARKUP)
    images = options.folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    samples = []
    for number in range(options.pictures):
        picture, points = random_picture(rng)
        path = images / f"{number:04d}.jpg"
        path.write_bytes(encode_picture(picture, path.suffix))
        samples.append(Sample(path, points, tight_box(points), "pliers", own_markup=markup))
    sizes = [SIZE] * len(samples)
    write_coco(options.folder / "annotations.json", samples, options.folder, sizes)
    write_clip(options.folder / "clip.mp4", rng, options.frames)
    print(f"{options.folder}: {len(samples)} pictures, a video of {options.frames} frames")


if __name__ == "__main__":
    run_command(main)
