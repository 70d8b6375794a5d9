"""What a table says of who had which id."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.support.two_faces import WIDTH
from tracker.tracking.options import TrackerOptions

# Between two frames, when some were dropped, seconds.
_SLACK = 0.5
# Longer, and the stream was silent, or the machine too busy: nobody was away, nobody looked.
_SILENT = 1.0


@dataclass
class Identities:
    """What was found.

    Attributes:
        frames: in the table.
        faces: in these frames.
        ids: different ones.
        longest_pause: within one id, seconds.
        silences: in which no frame came.
        faults: one sentence each.
    """

    frames: int = 0
    faces: int = 0
    ids: int = 0
    longest_pause: float = 0.0
    silences: int = 0
    faults: list[str] = field(default_factory=list)


def identities(table: Iterable[str]) -> Identities:
    """Follow every id through a table of `tests.soak.broadcast`.

    An id is one person's: the first stays in the left half, the second in the right. It ends when
    its face is away for longer than the tracker remembers one (`TrackerOptions.max_lost`).

    Args:
        table: lines of a table in CSV.
    """
    found = Identities()
    seen: dict[int, tuple[bool, float, int]] = {}  # id -> in the right half, when, in which frame
    frame, clock, silent = -1, 0.0, 0.0
    for row in csv.DictReader(table):
        number, time = int(row["frame"]), float(row["timestamp"])
        if number != frame:
            if time - clock > _SILENT and found.frames:
                found.silences += 1
                silent += time - clock
            found.frames += 1
            frame, clock = number, time
        if row["success"] != "1":  # a frame without faces
            continue
        found.faces += 1
        face, right = int(row["face_id"]), float(row["x_54"]) > WIDTH / 2  # tip of the nose
        now = time - silent
        if face in seen:
            before, last, where = seen[face]
            if where == number:
                found.faults.append(f"id {face} twice in frame {number}")
            found.longest_pause = max(found.longest_pause, now - last)
            if now - last > TrackerOptions.max_lost + _SLACK:
                found.faults.append(f"id {face} again after {now - last:.1f} s, at {time:.1f} s")
            if before != right:
                found.faults.append(f"id {face} went to the other person at {time:.1f} s")
        seen[face] = right, now, number
    found.ids = len(seen)
    return found
