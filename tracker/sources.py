"""Choose the reader for what the user gave: a video file or a camera number."""

from __future__ import annotations

from pathlib import Path

from model.errors import InputError
from tracker.camera import CameraReader
from tracker.video import VideoReader
from tracker.videoinfo import FrameSource


def open_source(source: str | Path | int) -> FrameSource:
    """Open a video file or a camera.

    Args:
        source: path of a video, or number of a camera (an int, or a string of digits).

    Returns:
        an opened source, to be closed by the caller (it is a context manager).

    Raises:
        InputError: there is no such file or camera, or it cannot be read.
    """
    if is_camera(source):
        return CameraReader(int(str(source)))
    if "://" in str(source):
        raise InputError(
            f"{source} is a network address, which cannot be read: give a file or a camera number."
        )
    return VideoReader(Path(str(source)))


def is_camera(source: str | Path | int) -> bool:
    """Whether a source means a camera: a whole number from 0."""
    return isinstance(source, int) or (isinstance(source, str) and source.isdecimal())
