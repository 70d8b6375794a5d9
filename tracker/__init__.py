"""Follow faces and their landmarks through a video.

from tracker import Tracker

with Tracker() as tracker:
    for frame in tracker.track("video.mp4"):
        for face in frame.faces:
            print(frame.timestamp, face.id, face.landmarks)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from model.errors import InputError

if TYPE_CHECKING:
    from model.crop import Region
    from tracker.engines.create import create_engine
    from tracker.tracking.face_tracker import Tracker
    from tracker.tracking.options import TrackerOptions
    from tracker.tracking.results import Face, TrackedFrame

__all__ = [
    "Face",
    "InputError",
    "Region",
    "TrackedFrame",
    "Tracker",
    "TrackerOptions",
    "create_engine",
]

# Loaded when first asked for: training imports model.crop only, and needs no video libraries.
_HOMES = {
    "Face": "tracker.tracking.results",
    "Region": "model.crop",
    "TrackedFrame": "tracker.tracking.results",
    "Tracker": "tracker.tracking.face_tracker",
    "TrackerOptions": "tracker.tracking.options",
    "create_engine": "tracker.engines.create",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
