"""Count the blinks of every face in a video.

    python examples/blink_counter.py docs/portrait.mp4

Also shows what `FaceMeasurer` gives for each frame: openings of eyes and mouth, head pose, blinks.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tracker import Blink, FaceMeasurer, InputError, Tracker, TrackerOptions


def find_blinks(path: Path, max_faces: int = 1) -> tuple[dict[int, list[Blink]], float]:
    """Blinks in a video.

    Args:
        path: the video.
        max_faces: faces to follow.

    Returns:
        The blinks of every face, by its id, and the time of the last frame, seconds.

    Raises:
        InputError: the video cannot be read.
    """
    blinks: dict[int, list[Blink]] = {}
    seconds = 0.0
    with Tracker(options=TrackerOptions(max_faces=max_faces)) as tracker:
        measure = FaceMeasurer(tracker.markup.name)
        for frame in tracker.track(path):
            for face, measures in zip(frame.faces, measure(frame), strict=True):
                found = blinks.setdefault(face.id, [])
                if measures.blink is not None:
                    found.append(measures.blink)
            seconds = frame.timestamp
    return blinks, seconds


def main() -> None:
    """Print the blinks."""
    if len(sys.argv) != 2:
        sys.exit("usage: python examples/blink_counter.py VIDEO")
    try:
        blinks, seconds = find_blinks(Path(sys.argv[1]), max_faces=4)
    except InputError as error:
        sys.exit(f"error: {error}")
    if not blinks:
        print(f"no face in {seconds:.1f} s")
    for number, found in blinks.items():
        print(f"face {number}: {len(found)} blinks in {seconds:.1f} s")
        for blink in found:
            print(f"  at {blink.start:.2f} s, for {1000 * (blink.end - blink.start):.0f} ms")


if __name__ == "__main__":
    main()
