"""A short clip of a face whose motion is known exactly, made from one public-domain portrait.

It is the first clip to try the tracker on, and a test of it: between any two frames the landmarks
must move by the known similarity, so what is left is the tracker's own jitter.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from numpy.typing import NDArray

from model.errors import run_command
from tracker.assets.portrait import PORTRAIT, portrait_image
from tracker.video.frame_source import VideoInfo
from tracker.video.video_writer import VideoWriter

SIZE = (640, 480)  # width, height of the clip, pixels
RATE = Fraction(30)  # frames per second
FRAMES = 120  # four seconds, one round of the motion: the clip loops without a jump
_FACE = np.array([224.0, 125.0])  # centre of the face in the portrait, pixels

# The motion: mean and swing of the face's centre (pixels), roll (radians) and scale. The swings
# keep the face in the picture, its speed below 150 px/s, and the roll within what people do.
_CENTRE, _CENTRE_SWING = np.array([320.0, 212.0]), np.array([55.0, 12.0])
_ROLL_SWING = np.deg2rad(12.0)
_SCALE, _SCALE_SWING = 1.9, 0.12
_CRF = 24  # a resampled photograph has no fine grain to keep; 190 kB


def portrait_motion(frames: int = FRAMES) -> NDArray[np.float64]:
    """The known motion: a smooth closed round of translation, roll and scale.

    Args:
        frames: how many frames the round is sampled at.

    Returns:
        [frames, 2, 3] similarities from portrait pixels to clip pixels. Landmarks of frame j follow
        from those of frame i by matrices[j] after the inverse of matrices[i].
    """
    phase = 2 * np.pi * np.arange(frames) / frames
    # The frequencies differ, so that translation, roll and scale cannot stand in for each other.
    centre = _CENTRE + _CENTRE_SWING * np.stack([np.sin(phase), np.sin(2 * phase)], axis=1)
    roll = _ROLL_SWING * np.sin(phase + np.pi / 3)
    scale = _SCALE * (1 + _SCALE_SWING * np.cos(2 * phase))
    cos, sin = scale * np.cos(roll), scale * np.sin(roll)
    linear = np.stack([np.stack([cos, -sin], axis=1), np.stack([sin, cos], axis=1)], axis=1)
    offset = centre - linear @ _FACE
    return np.concatenate([linear, offset[:, :, None]], axis=2)


def portrait_frame(
    image: NDArray[np.uint8], matrix: NDArray[np.float64], size: tuple[int, int] = SIZE
) -> NDArray[np.uint8]:
    """One frame of the clip.

    Args:
        image: the portrait, [H, W, 3].
        matrix: [2, 3], portrait pixels to clip pixels.
        size: width and height of the frame.

    Returns:
        [height, width, 3], uint8. Beyond the portrait's border the picture is mirrored.
    """
    frame = cv2.warpAffine(
        image, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.asarray(frame, dtype=np.uint8)


def write_portrait_clip(path: Path, *, overwrite: bool = False) -> None:
    """Write the clip.

    Args:
        path: output video.
        overwrite: replace an existing file.

    Raises:
        InputError: the output cannot be written.
    """
    image = portrait_image()
    width, height = SIZE
    info = VideoInfo(str(PORTRAIT), PORTRAIT, width, height, RATE, FRAMES)
    with VideoWriter(path, info, crf=_CRF, overwrite=overwrite) as writer:
        for index, matrix in enumerate(portrait_motion()):
            writer.write(portrait_frame(image, matrix), float(index / RATE))


app = typer.Typer(add_completion=False)


@app.command()
def main(
    out: Annotated[Path, typer.Argument(metavar="OUT.mp4", help="Video to write.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT.mp4.")] = False,
) -> None:
    """Make the short clip of a portrait moved by a known motion."""
    write_portrait_clip(out, overwrite=overwrite)
    typer.echo(f"{out}: {FRAMES} frames, {SIZE[0]}x{SIZE[1]}, {RATE} frames/s")


if __name__ == "__main__":
    run_command(app)
