"""Follow faces and their landmarks through a video.

from tracker import Tracker

with Tracker() as tracker:
    for frame in tracker.track("video.mp4"):
        for face in frame.faces:
            print(frame.timestamp, face.id, face.landmarks)

What is named here stays; modules below may move. Each room's `__init__` says what lives in it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

# Before any room loads a library that would report: `model` stops them.
from model.errors import InputError

if TYPE_CHECKING:
    from model.crop import Region
    from tracker.engines.create import create_engine
    from tracker.measures.blinks import Blink
    from tracker.measures.face_measures import FaceMeasurer, Measures
    from tracker.outputs.aligned_crops import aligned_crop
    from tracker.tracking.face_tracker import Tracker
    from tracker.tracking.options import TrackerOptions
    from tracker.tracking.results import Face, TrackedFrame
    from tracker.video.frame_source import VideoInfo
    from tracker.video.video_reader import VideoReader
    from tracker.video.video_writer import VideoWriter

__all__ = [
    "Blink",
    "Face",
    "FaceMeasurer",
    "InputError",
    "Measures",
    "Region",
    "TrackedFrame",
    "Tracker",
    "TrackerOptions",
    "VideoInfo",
    "VideoReader",
    "VideoWriter",
    "aligned_crop",
    "create_engine",
]

# Loaded when first asked for: who wants engines only needs no video libraries.
_HOMES = {
    "Blink": "tracker.measures.blinks",
    "Face": "tracker.tracking.results",
    "FaceMeasurer": "tracker.measures.face_measures",
    "Measures": "tracker.measures.face_measures",
    "Region": "model.crop",
    "TrackedFrame": "tracker.tracking.results",
    "Tracker": "tracker.tracking.face_tracker",
    "TrackerOptions": "tracker.tracking.options",
    "VideoInfo": "tracker.video.frame_source",
    "VideoReader": "tracker.video.video_reader",
    "VideoWriter": "tracker.video.video_writer",
    "aligned_crop": "tracker.outputs.aligned_crops",
    "create_engine": "tracker.engines.create",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
