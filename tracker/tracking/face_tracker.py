"""The tracker: faces and their landmarks through a video, frame by frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from itertools import chain
from math import isfinite
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.crop import Region
from model.errors import InputError
from model.markup import Markup
from model.zoo import DEFAULT_WEIGHTS
from tracker.detection.finder import open_finder
from tracker.engines.base import BuildWatcher, Engine
from tracker.engines.create import create_engine
from tracker.sources.file_list import find_inputs, is_series
from tracker.sources.open_source import open_source
from tracker.sources.source_options import NO_OPTIONS, SourceOptions
from tracker.system.background_threads import ReadAhead
from tracker.system.closing import Closing
from tracker.system.home_process import HomeProcess
from tracker.system.stopwatch import Stopwatch
from tracker.tracking.appearance import CutDetector
from tracker.tracking.confirmation import confirm
from tracker.tracking.follower import Follower, choose_follower
from tracker.tracking.known_faces import Tracks
from tracker.tracking.landmark_network import LandmarkNetwork
from tracker.tracking.light_following import LightFollowing
from tracker.tracking.mirrored_look import with_mirrored_look
from tracker.tracking.options import TrackerOptions
from tracker.tracking.results import Face, TrackedFrame
from tracker.video.frame_source import FrameSource, SourceFrame

# Without a frame for so long, seconds, whoever is there may be somebody else, however alike.
_SILENCE = 30.0
# Where to look next follows from how far they are apart.
_FEWEST_POINTS = 2


class Tracker(Closing):
    """Follows faces and their landmarks.

    Every face is looked for where it was in the frame before; the face detector runs only while
    faces are missing. Use one tracker per source: it remembers where the faces are.

    Not safe to share between threads; trackers in different threads do not disturb each other. A
    process that is forked cannot use its parent's: start processes by
    `multiprocessing.get_context("spawn")`, and make a tracker in each.

    Attributes:
        engine: the network; `engine.description` says what it runs on.
        markup: order of the landmarks.
        options: as given.
        stopwatch: seconds spent so far in "cut", "detect", "crop", "engine", "decode"
            and "smooth".

    Args:
        weights: a shipped name or the path of an .onnx file.
        engine: a name for `tracker.engines.create.create_engine`, or an engine (which is then not
            closed here).
        options: how to track.
        watcher: told about an engine that has to be built first; None logs what it is told.

    Raises:
        InputError: unusable weights, a missing engine, an option out of range.

    Example:
        ```python
        with Tracker() as tracker:
            for frame in tracker.track("video.mp4"):
                for face in frame.faces:
                    print(frame.timestamp, face.id, face.landmarks[97])
        ```
    """

    def __init__(
        self,
        weights: str | Path = DEFAULT_WEIGHTS,
        engine: str | Engine = "auto",
        options: TrackerOptions | None = None,
        watcher: BuildWatcher | None = None,
    ) -> None:
        self._home = HomeProcess("this tracker was made")
        self.options = options or TrackerOptions()
        self._owns_engine = isinstance(engine, str)
        name, engine_name = None, "auto"
        if isinstance(engine, str):
            name, engine_name = str(weights), engine
            threads, precision = self.options.threads, self.options.precision
            maps = self.options.maps
            engine = create_engine(engine_name, name, threads, precision, maps, watcher=watcher)
        self.engine: Engine = engine
        self.markup: Markup = engine.info.markup
        self.stopwatch = Stopwatch()
        try:
            if self.markup.points < _FEWEST_POINTS:
                raise InputError(
                    f"the markup {self.markup} has one point, which does not say how large a thing "
                    "is: to be followed it needs two."
                )
            self._follower: Follower | None = None
            if follower := choose_follower(name, engine, self.options):
                self._follower = Follower(
                    follower,
                    engine_name,
                    markup=self.markup,
                    options=self.options,
                    stopwatch=self.stopwatch,
                )
        except BaseException:
            if self._owns_engine:
                engine.close()
            raise
        self._network = LandmarkNetwork(
            engine, self.options.decoder, self.stopwatch, self.options.maps
        )
        self._following = LightFollowing(self._network, self._follower, self.markup)
        self._finder = open_finder(
            self.options.detector,
            self.options.boxes,
            self.options.min_detection,
            self.options.threads,
        )
        self._is_cut = CutDetector()
        self._tracks = Tracks(self.markup, self.options, self.stopwatch)
        self._last_time: float | None = None
        self._last_detection: float | None = None
        self._shape: tuple[int, ...] | None = None
        self._closed = False

    def __call__(self, image: NDArray[np.uint8], timestamp: float) -> tuple[Face, ...]:
        """Follow the faces into the next frame.

        A timestamp before the last one, or another image size, means another place in the video:
        the faces known so far are forgotten, their ids are not used again. So does a cut in the
        picture.

        Args:
            image: [H, W, 3], uint8, RGB.
            timestamp: seconds, of any clock that runs forward.

        Returns:
            The faces in sight, oldest track first.

        Raises:
            InputError: not such an image, the timestamp is not a finite number, or the tracker was
                made in another process.
            RuntimeError: the tracker was closed.
        """
        self._home.check()
        if self._closed:
            raise RuntimeError("this tracker was closed: make another one.")
        _check(image)
        timestamp = _seconds(timestamp)
        rewound = self._last_time is not None and timestamp < self._last_time
        if rewound or image.shape != self._shape:
            self._forget()
        silence = timestamp - self._last_time if self._last_time is not None else 0.0
        if silence > max(_SILENCE, self.options.max_lost):
            self._tracks.forget()
        paused = silence > self.options.max_gap
        self._last_time, self._shape = timestamp, image.shape
        looked = [] if paused else self._tracks.within_reach(image, timestamp)
        finish = self._following.start(image, looked, timestamp)
        # What is sure to be needed is done while a GPU works.
        with self.stopwatch("cut"):
            if cut := self._is_cut(image):
                self._tracks.forget()
                looked = []
        sure = self._is_sure_to_detect(len(looked), timestamp)
        search = self._search(image) if sure else None
        newly_lost = self._tracks.follow(looked, [] if cut else finish(), timestamp)
        begins = self._last_detection is None
        if self._must_detect(timestamp, newly_lost):
            self._detect(image, timestamp, search or self._search(image))
            self._last_detection = timestamp
        self._tracks.give_up(timestamp)
        faces = tuple(track.face() for track in self._tracks.in_sight())
        # A picture has no other frame.
        mirrored = begins and self.markup.pairs is not None
        return with_mirrored_look(self._network, image, faces) if mirrored else faces

    def track(
        self, source: str | Path | int, options: SourceOptions = NO_OPTIONS
    ) -> Iterator[TrackedFrame]:
        """Follow faces through a whole source, from a clean start.

        A folder or a pattern (`"holiday/*.jpg"`) means its videos and pictures one after the other,
        in natural order: each begins anew at frame 0 and with face 0, and the faces of the one
        before are forgotten. A picture is a video of one frame.

        Args:
            source: path of a video or picture, folder, pattern, number or name of a camera,
                address of a stream, or "-" for raw frames; see
                `tracker.sources.open_source.open_source`.
            options: what the source cannot tell.

        Yields:
            Every frame of a file, in order; of a live source, the latest ones.

        Raises:
            InputError: the source cannot be opened or read.
        """
        sources = find_inputs([str(source)]) if is_series(source) else [source]
        for one in sources:
            self.reset()
            with open_source(one, options) as opened, _ahead(opened) as frames:
                if opened.info.live:
                    self.load()
                name = opened.info.name
                for index, timestamp, image in frames:
                    yield TrackedFrame(index, timestamp, image, self(image, timestamp), name)

    def with_maps(self, image: NDArray[np.uint8], faces: Sequence[Face]) -> tuple[Face, ...]:
        """Faces with the maps of their regions, from another run of the network.

        For faces that were kept without them, since maps take far more memory than landmarks.

        Args:
            image: [H, W, 3], uint8, RGB: the one that the faces were found in.
            faces: of a tracker with `TrackerOptions.maps`.
        """
        self._home.check()
        found = self._network(image, [face.region for face in faces])
        return tuple(
            replace(face, maps=measurement.maps)
            for face, measurement in zip(faces, found, strict=True)
        )

    @property
    def follower(self) -> str | None:
        """Weights of the network that follows faces; None if one looks at every frame."""
        return self._follower.weights if self._follower else None

    @property
    def description(self) -> str:
        """What the networks run on, for people."""
        followed = f", faces followed by {self.follower}" if self.follower else ""
        return f"{self.engine.description}{followed}"

    def smallest_face(self, width: int, height: int) -> int:
        """Height of the smallest faces that can be found in frames of a size, all in pixels."""
        return self._finder.smallest(width, height)

    @property
    def things(self) -> str:
        """What is followed, in the plural: "faces", where a face detector finds them."""
        return self._finder.things

    def load(self) -> None:
        """Load now what else the second frame will need: a camera does not wait for that.

        `track` does so for live sources.

        Raises:
            InputError: the weights of the follower cannot be used.
        """
        if self._follower is not None:
            self._follower.load()

    def reset(self) -> None:
        """Begin anew, as for another video: no face is known, ids count from 0."""
        self._forget()
        self._tracks.restart()

    def close(self) -> None:
        """Release the networks; in another process this does nothing."""
        if not self._home.is_here:
            return
        self._closed = True
        self._finder.close()
        if self._follower is not None:
            self._follower.close()
        if self._owns_engine:
            self.engine.close()

    def _forget(self) -> None:
        self._tracks.forget()
        self._is_cut.reset()
        self._last_time = self._last_detection = self._shape = None

    def _must_detect(self, timestamp: float, newly_lost: bool) -> bool:
        in_sight = len(self._tracks.in_sight())
        if in_sight >= self.options.max_faces:
            return False
        if in_sight == 0 or newly_lost or self._last_detection is None:
            return True
        return timestamp - self._last_detection >= self.options.detect_interval

    def _is_sure_to_detect(self, looked: int, timestamp: float) -> bool:
        """Whether `_must_detect` will say yes, however many of the faces looked for are found."""
        if looked >= self.options.max_faces:
            return False
        if looked == 0 or self._last_detection is None:
            return True
        return timestamp - self._last_detection >= self.options.detect_interval

    def _search(self, image: NDArray[np.uint8]) -> Iterator[list[Region]]:
        """A search for faces, with its first look taken."""
        looks = self._looks(image)
        return chain([next(looks)], looks)

    def _looks(self, image: NDArray[np.uint8]) -> Iterator[list[Region]]:
        """Regions of all faces that the detector sees, look by look."""
        # The first frame is searched thoroughly: a picture has no other. Later ones must not make
        # a video stop.
        looks = self._finder.looks(image, thorough=self._last_detection is None)
        while True:
            with self.stopwatch("detect"):
                regions = next(looks, None)
            if regions is None:
                return
            yield regions

    def _near(self, image: NDArray[np.uint8], region: Region) -> list[Region]:
        with self.stopwatch("detect"):
            return self._finder.near(image, region)

    def _detect(
        self, image: NDArray[np.uint8], timestamp: float, search: Iterator[list[Region]]
    ) -> None:
        """Find faces that are not followed: new, or lost ones again.

        The search goes on while there is room: what the network does not confirm was no face.
        """
        for regions in search:
            # With room for one face only, it is the largest that is meant.
            wanted = self._tracks.unknown(sorted(regions, key=lambda region: -region.size), image)
            while wanted and (room := self._room()) > 0:
                batch, wanted = wanted[:room], wanted[room:]
                faces = confirm(
                    self._network, image, batch, self.options, partial(self._near, image)
                )
                self._tracks.welcome(faces, timestamp)
            if self._room() <= 0:
                return

    def _room(self) -> int:
        return self.options.max_faces - len(self._tracks.in_sight())


def _ahead(source: FrameSource) -> AbstractContextManager[Iterable[SourceFrame]]:
    """Decode while the network runs; a camera has a thread of its own and must not queue up."""
    return nullcontext(source) if source.info.live else ReadAhead(source)


def _check(image: NDArray[np.uint8]) -> None:
    shape = getattr(image, "shape", None)
    if shape is None or len(shape) != 3 or shape[2] != 3 or image.dtype != np.uint8:
        got = f"{image.dtype} {list(shape)}" if shape is not None else type(image).__name__
        raise InputError(f"a frame must be a uint8 RGB array [H, W, 3], got {got}.")
    if not image.size:
        raise InputError(f"a frame must have pixels, got {list(shape)}.")


def _seconds(timestamp: float) -> float:
    """A timestamp of any kind of number: PyAV's `frame.pts * stream.time_base` is a fraction."""
    try:
        value = float(timestamp)
    except (TypeError, ValueError, OverflowError):
        value = float("nan")
    if not isfinite(value):
        raise InputError(f"a timestamp must be a finite number of seconds, got {timestamp}.")
    return value
