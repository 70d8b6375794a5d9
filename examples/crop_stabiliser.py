"""Write a video of one face that stays in place: upright, of one size, in the middle.

    python examples/crop_stabiliser.py docs/portrait.mp4 face.mp4

The crop follows the smoothed landmarks, so what is left moving is the face's expression.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tracker import (
    InputError,
    Tracker,
    TrackerOptions,
    VideoInfo,
    VideoReader,
    VideoWriter,
    aligned_crop,
)


def stabilise(source: Path, target: Path, size: int = 256) -> int:
    """Write the face of a video.

    Until the face is first seen the picture is black; while it is out of sight, it stands still.

    Args:
        source: video to read.
        target: video to write; must not exist.
        size: width and height of `target`, pixels.

    Returns:
        Frames in which there was a face.

    Raises:
        InputError: a video cannot be read or written.
    """
    with VideoReader(source) as video:
        rate, base = video.info.rate, video.info.time_base
        sound = source if video.info.has_audio else None
    info = VideoInfo(str(source), source, size, size, rate, time_base=base)
    crop: NDArray[np.uint8] = np.zeros((size, size, 3), np.uint8)
    seen = 0
    with (
        Tracker(options=TrackerOptions(smoothing="stable")) as tracker,
        VideoWriter(target, info, audio_from=sound) as writer,
    ):
        for frame in tracker.track(source):
            for face in frame.faces:  # at most one
                crop = aligned_crop(frame.image, face, tracker.markup, size)
                seen += 1
            writer.write(crop, frame.timestamp)
    return seen


def main() -> None:
    """Read the command line."""
    if len(sys.argv) != 3:
        sys.exit("usage: python examples/crop_stabiliser.py VIDEO OUT.mp4")
    try:
        seen = stabilise(Path(sys.argv[1]), Path(sys.argv[2]))
    except InputError as error:
        sys.exit(f"error: {error}")
    print(f"wrote {sys.argv[2]}: a face in {seen} frames")


if __name__ == "__main__":
    main()
