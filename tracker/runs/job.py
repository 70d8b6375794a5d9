"""What to do with one source, and what was done."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from model.errors import InputError
from model.stop_signals import StopFlag
from model.zoo import DEFAULT_WEIGHTS
from tracker.drawing.annotated_picture import Comparison
from tracker.drawing.draw_faces import DEFAULT_LAYERS
from tracker.drawing.style import DrawStyle
from tracker.measures.intrinsics import Intrinsics
from tracker.outputs.side_outputs import SideOutputs
from tracker.sources.source_options import SourceOptions
from tracker.system.settings_digest import NOT_IN_RESULTS
from tracker.tracking.options import TrackerOptions
from tracker.video.codec import check_codec


@dataclass(frozen=True)
class Job:
    """What to do with one source. What decides the results goes into a batch's manifest by itself.

    Attributes:
        source: what to read, see `tracker.sources.open_source.open_source`.
        source_options: what the source cannot tell.
        out: annotated video (of a picture: picture) to write, or None.
        save: table of landmarks to write, or None.
        more_tables: further ones, of the same landmarks.
        show: whether to show the annotated frames in a window.
        weights: shipped name or path of a network.
        engine: name of the engine that runs it.
        options: how to track.
        layers: what to draw; the network's maps only with `TrackerOptions.maps`.
        style: sizes and colours.
        compare: what `out` and the window show on the left, see
            `tracker.drawing.annotated_picture.Painter`.
        codec: of a video `out`, see `tracker.video.codec`.
        crf: quality of a video `out`; None for the codec's own.
        overwrite: replace existing outputs.
        max_frames: stop after so many frames; None for all.
        offline_smooth: smooth with zero phase: the file is read twice, see
            `tracker.tracking.offline_smoothing`.
        whole: whether outputs that end early are of no use, as in a batch that will make them
            again: Ctrl-C then removes what was begun.
        faceless: whether a file without any face is a result, and not a mistake.
        side: crops, senders, web page.
        scores: whether tables have the score of every landmark.
        names: whether tables call the landmarks by the markup's names.
        camera: intrinsics for the head pose, or None.
        fov: field of view to assume without them, degrees; None for the default.
    """

    # What it is read from has a place of its own in the manifest.
    source: str | Path | int = field(metadata=NOT_IN_RESULTS)
    out: Path | None = None
    save: Path | None = None
    show: bool = field(default=False, metadata=NOT_IN_RESULTS)
    weights: str = DEFAULT_WEIGHTS
    # Engines agree to a hundredth of a pixel (docs/results.md): files done by one are done.
    engine: str = field(default="auto", metadata=NOT_IN_RESULTS)
    options: TrackerOptions = field(default_factory=TrackerOptions)
    layers: frozenset[str] = DEFAULT_LAYERS
    style: DrawStyle = DrawStyle()  # noqa: RUF009 (frozen)
    compare: Comparison | None = None
    codec: str = "auto"
    crf: int | None = None
    overwrite: bool = field(default=False, metadata=NOT_IN_RESULTS)
    max_frames: int | None = None
    side: SideOutputs = field(default_factory=SideOutputs)
    scores: bool = False
    names: bool = False
    camera: Intrinsics | None = None
    fov: float | None = None
    source_options: SourceOptions = field(default_factory=SourceOptions)
    faceless: bool = field(default=False, metadata=NOT_IN_RESULTS)
    offline_smooth: bool = False
    whole: bool = field(default=False, metadata=NOT_IN_RESULTS)
    more_tables: tuple[Path, ...] = field(default=(), metadata=NOT_IN_RESULTS)

    def __post_init__(self) -> None:
        if self.offline_smooth and self.options.smoothing == "off":
            raise InputError("--offline-smooth and --smooth off contradict each other: drop one.")
        if self.compare == "raw" and self.options.smoothing == "off":
            raise InputError(
                "--compare raw and --smooth off show the same points twice: drop one of them."
            )
        if self.camera is not None and self.fov is not None:
            raise InputError("--intrinsics and --fov say the same thing: give one of them.")
        if self.fov is not None:
            Intrinsics.from_fov(2, 2, self.fov)  # says what is wrong with it
        check_codec(self.codec, self.crf)

    @property
    def tables(self) -> tuple[Path, ...]:
        """All tables to write."""
        return (self.save, *self.more_tables) if self.save is not None else ()

    @property
    def networks(self) -> tuple[Path, ...]:
        """Weights, detector and follower; those that are names are no files."""
        return tuple(map(Path, (self.weights, self.options.detector, self.options.follower)))


@dataclass(frozen=True)
class Summary:
    """What a run did.

    Attributes:
        frames: frames read.
        frames_with_face: of those, with at least one face.
        faces: tracks, that is different face ids.
        seconds: from the first frame to the last, everything included but loading the network.
        engine: what ran the network.
        damaged: parts of the source that could not be decoded and were skipped.
        dropped: frames of a live source that came too fast to be looked at.
        lost: why a live source ended too early; the outputs are complete up to there.
        ended: whether the user ended the run in the preview.
        notes: what else the user should know.
        source_notes: and about this source: parts that were left out, what was done to its frames
            before anybody saw them.
        warnings: what is wrong with the file and did not keep it from being tracked, sentences.
    """

    frames: int
    frames_with_face: int
    faces: int
    seconds: float
    engine: str
    damaged: int = 0
    dropped: int = 0
    lost: str | None = None
    ended: bool = False
    notes: tuple[str, ...] = ()
    source_notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Stopped(KeyboardInterrupt):
    """A run over a file was ended early by Ctrl-C or SIGTERM.

    Attributes:
        summary: of what was done; the outputs are complete and end there. None if nothing had been
            written yet: no output is left then.
        exit_code: what a shell expects, 128 + the number of the signal.
    """

    def __init__(self, stop: StopFlag, summary: Summary | None) -> None:
        end = f"the outputs end after frame {summary.frames}" if summary else "nothing was written"
        super().__init__(f"stopped by {stop.name}: {end}.")
        self.summary = summary
        self.exit_code = stop.exit_code
