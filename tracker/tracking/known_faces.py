"""The faces that a tracker follows or remembers."""

from __future__ import annotations

from itertools import compress

import numpy as np
from numpy.typing import NDArray

from model.crop import Region
from model.markup import Markup
from tracker.system.stopwatch import Stopwatch
from tracker.tracking.crossing import is_alone, repeated, rightful, slipped
from tracker.tracking.face_parts import parts
from tracker.tracking.face_track import Track
from tracker.tracking.landmark_network import Measurement, plausible
from tracker.tracking.options import TrackerOptions
from tracker.tracking.recognition import (
    OTHER_LOOK,
    SAME_LOOK,
    likeness,
    match,
    recognise,
)
from tracker.tracking.smoothing import smoothing
from tracker.tracking.steadier import Steadier

# Faces out of sight that are remembered at most: a crowd that walks past must not pile up.
_REMEMBERED = 8


class Tracks:
    """Who is in sight, who was, and which measurement belongs to whom.

    Args:
        markup: of the landmarks.
        options: of the tracker.
        stopwatch: gets the stage "smooth".
    """

    def __init__(self, markup: Markup, options: TrackerOptions, stopwatch: Stopwatch) -> None:
        self._options, self._markup = options, markup
        self._smoothing = smoothing(options.smoothing)
        self._parts = parts(markup)
        self._stopwatch = stopwatch
        self._next_id = 0
        self._tracks: list[Track] = []

    def __len__(self) -> int:
        return len(self._tracks)

    def forget(self) -> None:
        """Forget all faces. Ids go on counting."""
        self._tracks = []

    def restart(self) -> None:
        """Forget all faces and count ids from 0 again."""
        self.forget()
        self._next_id = 0

    def in_sight(self) -> list[Track]:
        """Faces seen in the last frame, oldest track first."""
        return [track for track in self._tracks if not track.lost]

    def within_reach(
        self, image: NDArray[np.uint8], timestamp: float
    ) -> list[tuple[Track, Region]]:
        """Faces in sight, or out of it for so short that they may still be there, and where.

        Args:
            image: [H, W, 3], the next frame.
            timestamp: its time, seconds.

        Returns:
            Tracks, the oldest first, each with the region of `image` to look at.
        """
        in_sight = self.in_sight()
        lost = [
            track for track in self._lost() if timestamp - track.seen_at <= self._options.max_blind
        ]
        # Oldest first, as everywhere: age decides between equals.
        looked = sorted(
            [*in_sight, *lost[: self._options.max_faces - len(in_sight)]],
            key=lambda track: track.id,
        )
        expected = [(track, track.expect(timestamp)) for track in looked]
        return [(track, region) for track, region in expected if plausible(region, image)]

    def follow(
        self, looked: list[tuple[Track, Region]], measured: list[Measurement], timestamp: float
    ) -> bool:
        """Go on with every known face where it was looked for.

        Args:
            looked: what `within_reach` gave; faces that are not in it count as not seen.
            measured: what the network said of each.
            timestamp: time of the frame, seconds.

        Returns:
            Whether a face was lost just now.
        """
        claims = [
            (track, measurement)
            for (track, _), measurement in zip(looked, measured, strict=True)
            if self._is_convincing(track, measurement)
        ]
        # Whoever slipped is missed: if it was its face after all, it is recognised when the
        # detector finds it, in this same frame.
        claims = list(compress(claims, ~slipped(claims)))
        seen = {track.id: m for track, m in compress(claims, rightful(claims))}
        newly_lost = False
        for track in self._tracks:
            if track.id in seen:
                self._see(track, seen[track.id], timestamp, is_alone(seen[track.id], seen.values()))
            else:
                newly_lost |= not track.lost
                track.miss()
        return newly_lost

    def unknown(self, regions: list[Region], image: NDArray[np.uint8]) -> list[Region]:
        """Those of the regions in which no face in sight is; these need no second look."""
        followed = [track.seen.next_region for track in self.in_sight()]
        known = {column for _, column in match(likeness(followed, regions))}
        return [
            region
            for i, region in enumerate(regions)
            if i not in known and plausible(region, image)
        ]

    def welcome(self, faces: list[Measurement], timestamp: float) -> None:
        """Go on with lost faces among newly found ones, and begin with the others.

        Args:
            faces: found by the detector and confirmed by the network; those that a track in sight
                follows already, and repetitions, are passed over.
            timestamp: time of the frame, seconds.
        """
        faces = [m for m in faces if not self._is_followed(m)]
        faces = [m for i, m in enumerate(faces) if i not in repeated(faces)]
        owners = recognise(self._lost(), faces, timestamp)
        for i, measurement in enumerate(faces):
            if i in owners:
                self._see(owners[i], measurement, timestamp)
            else:
                self._start(measurement, timestamp)

    def give_up(self, timestamp: float) -> None:
        """Forget faces out of sight for too long, and the oldest of too many."""
        known = [t for t in self._lost() if timestamp - t.seen_at <= self._options.max_lost]
        waiting = known[:_REMEMBERED]
        self._tracks = [t for t in self._tracks if not t.lost or t in waiting]

    def _is_convincing(self, track: Track, measurement: Measurement) -> bool:
        """Hysteresis: a face that is followed needs less confidence than a new one.

        Not so where the picture is another one than before: the network has run off the face, or
        somebody else is there. Such a place must convince like a new face, and for a track out of
        sight it must look like its face.
        """
        alike = float(track.look @ measurement.look)
        if track.lost:
            return alike >= SAME_LOOK and measurement.confidence >= self._options.start_confidence
        held = alike >= OTHER_LOOK
        needed = self._options.stop_confidence if held else self._options.start_confidence
        return measurement.confidence >= needed

    def _start(self, measurement: Measurement, timestamp: float) -> None:
        steadier = Steadier(self._markup, self._parts, self._smoothing)
        track = Track(self._next_id, steadier, measurement, timestamp)
        self._tracks.append(track)
        self._next_id += 1

    def _see(
        self, track: Track, measurement: Measurement, timestamp: float, alone: bool = False
    ) -> None:
        with self._stopwatch("smooth"):
            track.see(measurement, timestamp, alone)

    def _lost(self) -> list[Track]:
        """Faces out of sight, the last seen first."""
        lost = [track for track in self._tracks if track.lost]
        return sorted(lost, key=lambda track: -track.seen_at)

    def _is_followed(self, measurement: Measurement) -> bool:
        """Whether a track in sight follows this face already."""
        known = [track.seen for track in self.in_sight()]
        # Among those in sight there are no two of one face.
        return len(known) in repeated([*known, measurement])
