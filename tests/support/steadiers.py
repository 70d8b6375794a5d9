"""Steadiers of tracks, by the names of the smoothing presets."""

from model.shipped_markups import WFLW
from tracker.tracking.face_parts import parts
from tracker.tracking.smoothing import smoothing
from tracker.tracking.steadier import Steadier


def steadier(preset: str) -> Steadier:
    """For WFLW's landmarks."""
    return Steadier(WFLW, parts(WFLW), smoothing(preset))
