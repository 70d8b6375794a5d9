"""How to track: every number of the tracking loop, with its reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import get_args

from model.decoder import DECODERS, DEFAULT_DECODER, Decoder
from model.errors import InputError
from tracker.detection.detection import DETECTORS
from tracker.detection.finder import DETECTOR_SUFFIX, WHOLE_FRAME
from tracker.detection.given_box import GivenBox
from tracker.engines.base import Precision
from tracker.system.settings_digest import NOT_IN_RESULTS
from tracker.tracking.smoothing import smoothing

# Values of `TrackerOptions.follower` that name no weights.
AUTO_FOLLOWER, SAME = "auto", "same"


@dataclass(frozen=True)
class TrackerOptions:
    """How to track. The defaults suit one person before a camera.

    Attributes:
        max_faces: faces to follow at once, >= 1.
        detector: "auto", "full", "short" or "mediapipe" for faces, see
            `tracker.detection.face_detector.FaceDetector`; the path of an .onnx file for boxes of
            other things, see `tracker.detection.box_detector`; "frame" for one that fills it.
        boxes: where things are at the beginning (x, y, width, height, pixels), instead.
        min_detection: score under which detections are ignored, 0..1.
        detect_interval: while fewer faces than `max_faces` are followed, look for new ones this
            often, seconds. With none in sight every frame is searched: there is time then.
        start_confidence: a face is followed from this confidence on, 0..1; a probability if the
            weights are calibrated, see `model.confidence`.
        stop_confidence: and counts as lost under this one, 0..start_confidence.
        max_lost: a face that was not seen for this long, seconds, is forgotten; until then it gets
            its id back when it is found again. Time without any frame does not count, up to half a
            minute.
        max_blind: and for so long it is looked for where it should be without a detector, seconds.
        max_gap: after a pause longer than this, seconds, the detector has to confirm where the
            faces are.
        smoothing: "balanced", "stable", "responsive" or "off".
        follower: weights of a smaller network that follows faces from frame to frame, corrected by
            the tracker's own where a face looks new; see
            `tracker.tracking.light_following.LightFollowing`. "same": the tracker's own looks at
            every frame. "auto": "propnet-xs" for "propnet-m" and "propnet-s" on a processor, else
            "same", as for an engine that the caller has made.
        decoder: "centroid", "dark" or "quarter"; see `model.decoder.decode`.
        precision: "auto", "f32", "bf16" or "int8"; see `tracker.engines.create.create_engine`.
        threads: CPU threads of the engine, None for as few as keep up with a camera; the detector
            takes no more.
        maps: whether faces come with the network's boundary and attention maps (`Face.maps`,
            140 kB each at 192 x 192).

    Raises:
        InputError: a value out of its range.
    """

    max_faces: int = 1
    detector: str = "auto"
    boxes: tuple[GivenBox, ...] = ()
    # MediaPipe's own default. A false detection costs one run of the network, which rejects it.
    min_detection: float = 0.5
    # Half of the half second in which a face that comes back shall be found again; at 30 frames/s
    # the detector then adds less than 1 ms to the average frame.
    detect_interval: float = 0.25
    # More likely a face than not.
    start_confidence: float = 0.5
    # What was a face in the frame before is one still, with odds of ten to one before it is looked
    # at; calibrations are fitted at even odds.
    stop_confidence: float = 0.1
    # A second behind somebody's back and a second to be found again.
    max_lost: float = 2.0
    # A hand that passes. Longer, and the last region is stale; the detector knows better.
    max_blind: float = 0.17
    # A head moves by its own size in about this time.
    max_gap: float = 0.5
    smoothing: str = "balanced"
    follower: str = AUTO_FOLLOWER
    decoder: Decoder = DEFAULT_DECODER
    precision: Precision = "auto"
    threads: int | None = field(default=None, metadata=NOT_IN_RESULTS)
    maps: bool = False

    def __post_init__(self) -> None:
        smoothing(self.smoothing)
        problems = {
            "max_faces must be at least 1": self.max_faces < 1,
            f"detector must be one of {', '.join((*DETECTORS, WHOLE_FRAME))}, or an .onnx file": (
                self.detector not in (*DETECTORS, WHOLE_FRAME)
                and not self.detector.lower().endswith(DETECTOR_SUFFIX)
            ),
            "boxes must have finite places, and sides of at least a pixel": not all(
                all(map(isfinite, box)) and min(box[2:]) >= 1 for box in self.boxes
            ),
            "boxes must not be more than max_faces": len(self.boxes) > self.max_faces,
            "boxes and another detector than auto contradict each other: drop one": bool(
                self.boxes and self.detector != "auto"
            ),
            "min_detection must be between 0 and 1": not 0 <= self.min_detection <= 1,
            "detect_interval must be 0 or more seconds": not self.detect_interval >= 0,
            "confidences must be 0 <= stop_confidence <= start_confidence <= 1": not (
                0 <= self.stop_confidence <= self.start_confidence <= 1
            ),
            "max_lost and max_blind must be 0 or more seconds": not (
                self.max_lost >= 0 and self.max_blind >= 0
            ),
            "max_gap must be more than 0 seconds": not self.max_gap > 0,
            f"decoder must be one of {', '.join(DECODERS)}": self.decoder not in DECODERS,
            f"precision must be one of {', '.join(get_args(Precision))}": (
                self.precision not in get_args(Precision)
            ),
            "maps are not handed out by a follower: drop it, or what needs maps": (
                self.maps and self.follower not in (AUTO_FOLLOWER, SAME)
            ),
            "threads must be at least 1": self.threads is not None and self.threads < 1,
        }
        found = [text for text, wrong in problems.items() if wrong]
        if found:
            raise InputError(f"tracker options: {'; '.join(found)}.")
