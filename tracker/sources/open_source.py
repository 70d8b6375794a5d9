"""Choose the reader for what the user gave: file, picture, camera, address or standard input."""

from __future__ import annotations

import re
from pathlib import Path

from model.errors import InputError
from tracker.sources.camera import CameraReader
from tracker.sources.camera_list import find_camera, list_cameras
from tracker.sources.network_stream import is_address, open_stream, without_password
from tracker.sources.raw_frames import RawReader
from tracker.sources.source_options import NO_OPTIONS, SourceOptions
from tracker.system.path_kinds import exists
from tracker.video.container import PictureError
from tracker.video.frame_source import FrameSource
from tracker.video.picture_decode import check_size
from tracker.video.picture_file import PictureReader
from tracker.video.picture_frames import KINDS, PictureFramesReader
from tracker.video.picture_header import picture_header
from tracker.video.video_reader import VideoReader

_DEVICE = re.compile(r"/dev/video(\d+)")
STANDARD_INPUT = "-"


def open_source(source: str | Path | int, options: SourceOptions = NO_OPTIONS) -> FrameSource:
    """Open a source of frames.

    Args:
        source: path of a video or picture; number of a camera (an int, or a string of digits),
            "/dev/video0", or a part of a camera's name; an address (rtsp://, http://, udp://, ...);
            or "-" for raw frames from standard input.
        options: what the source cannot tell.

    Returns:
        an opened source, to be closed by the caller (it is a context manager).

    Raises:
        InputError: there is no such source, it cannot be read, or an option does not fit it.
    """
    camera = camera_index(source)
    if camera is not None:
        _refuse(options, "pixel_format", source)
        return CameraReader(camera, options)
    if source == STANDARD_INPUT:
        return RawReader(options)
    for name in ("size", "rate", "pixel_format"):
        _refuse(options, name, source)
    if is_address(source):
        return open_stream(str(source), options)
    return _open_file(Path(str(source)))


def camera_index(source: str | Path | int) -> int | None:
    """Number of the camera that a source means, None if it means none.

    Raises:
        InputError: several cameras have that name; or there is neither a file nor a camera of that
            name.
    """
    if isinstance(source, int):
        return source
    if isinstance(source, str) and source.isdecimal():
        return int(source)
    if found := _DEVICE.fullmatch(str(source)):
        return int(found[1])
    if isinstance(source, Path) or source == STANDARD_INPUT or is_address(source):
        return None
    path = Path(source)
    # Only what looks like a name is looked for among the cameras, and files come first.
    if path.suffix or {"/", "\\"} & set(source) or exists(path):
        return None
    cameras = list_cameras()
    camera = find_camera(source, cameras)
    if camera is None:
        names = "; ".join(f"{c.index} {c.name}" for c in cameras) or "none"
        raise InputError(
            f"{source} does not exist: there is no such file, and no camera has that name "
            f"(cameras here: {names})."
        )
    return camera.index


def is_live(source: str | Path | int) -> bool:
    """Whether a source is there to be watched: a camera, or an address."""
    return is_address(source) or camera_index(source) is not None


def _open_file(path: Path) -> FrameSource:
    header = picture_header(path)
    if header is not None:
        # FFmpeg decodes a part of what it opens.
        check_size(header, path)
        if header.frames == 1:
            return PictureReader(path)
        if header.kind in KINDS:
            return PictureFramesReader(path)
    try:
        return VideoReader(path)
    except PictureError:
        return PictureReader(path)


def _refuse(options: SourceOptions, name: str, source: object) -> None:
    if getattr(options, name) is not None:
        flag = {"size": "--size", "rate": "--fps", "pixel_format": "--pixel-format"}[name]
        shown = without_password(str(source))
        where = (
            "raw frames from standard input"
            if name == "pixel_format"
            else "cameras and raw frames from standard input"
        )
        raise InputError(f"{flag} is for {where}; {shown} has its own: leave it away.")
