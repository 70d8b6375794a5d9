"""Open a media file and choose its streams, or say in one sentence why it cannot be a video."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.format import Flags
from av.stream import Disposition
from av.video.stream import VideoStream

from model.errors import InputError
from tracker.video.container_sizes import has_mp4_index
from tracker.video.picture_size import LIMITS, check_pixels

# Demuxers that read still pictures, and those that draw text files as if they were screens.
_PICTURE_FORMATS = {"image2", "image2pipe", "ico", "fits"}
_TEXT_FORMATS = {"tty", "bin", "xbin", "adf", "idf"}
# How C, and ffmpeg, write numbered names.
_NUMBERED = re.compile(r"%0?\d*d")
# Brands of HEIC and AVIF pictures, which FFmpeg opens as if they were MP4.
_PICTURE_BRANDS = {"heic", "heix", "heim", "heis", "mif1", "avif"}


_OPTIONS = {"protocol_whitelist": "file,crypto,data"}


def open_container(path: Path) -> InputContainer:
    """Open a local media file.

    Raises:
        InputError: there is no such file, or it is no media file.
    """
    _check_file(path)
    try:
        # "file:" keeps a colon in the name from being read as a protocol; the whitelist keeps a
        # playlist that calls itself .mp4 from reaching for the network.
        container = av.open(
            f"file:{path}",
            options=_OPTIONS | LIMITS,
            # Titles and the like come in any encoding; nothing depends on them.
            metadata_errors="replace",
        )
    except PermissionError as error:
        raise InputError(f"{path} cannot be read: permission denied.") from error
    except (av.FFmpegError, OSError) as error:
        raise InputError(_why_unreadable(path)) from error
    name = container.format.name
    brand = container.metadata.get("major_brand", "").strip()
    if name in _PICTURE_FORMATS or name.endswith("_pipe") or brand in _PICTURE_BRANDS:
        container.close()
        raise picture_error(path)
    if name in _TEXT_FORMATS:
        container.close()
        raise InputError(_why_unreadable(path))
    return container


class PictureError(InputError):
    """The file is a still picture where a video was wanted."""


def picture_error(path: Path) -> PictureError:
    """What to say about a still picture."""
    return PictureError(f"{path} is a picture, not a video: give a video file.")


def pick_video(container: InputContainer, path: Path) -> VideoStream:
    """The video stream to read; cover pictures of music files are none.

    Raises:
        InputError: the file has no video stream, no decoder for it exists here, or its pictures are
            too large to be read.
    """
    return pick_video_stream(container, str(path))


def pick_video_stream(container: InputContainer, name: str) -> VideoStream:
    """The same for whatever was opened; `name` is for messages."""
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        heard = " (only audio)" if container.streams.audio else ""
        raise InputError(f"{name} has no video stream{heard}: give a file with moving pictures.")
    best = container.streams.best("video")
    stream = next((s for s in streams if best is not None and s.index == best.index), streams[0])
    if stream.codec_context is None:
        raise InputError(
            f"{name} is coded in a way that cannot be decoded here: convert it to H.264, for "
            f"example with ffmpeg -i {Path(name).name} converted.mp4."
        )
    check_pixels(name, stream.codec_context.width, stream.codec_context.height)
    # Some change their size midway.
    stream.codec_context.options = LIMITS
    return stream


def pick_audio(container: InputContainer) -> AudioStream | None:
    """The main audio stream, None without one (or without one that is known here)."""
    best = container.streams.best("audio")
    known = [s for s in container.streams.audio if s.codec_context is not None]
    main = [s for s in known if best is not None and s.index == best.index]
    return next(iter(main + known), None)


def is_resettable(container: InputContainer) -> bool:
    """Whether the clock of this kind of file may be set anew or jump, as in broadcasts."""
    return Flags.ts_discont in Flags(container.format.flags)


def has_index(container: InputContainer) -> bool:
    """Whether this kind of file lists every frame that it holds."""
    return container.format.name.startswith("mov")


def clock_start(container: InputContainer) -> Fraction:
    """Start of the player's clock in seconds of presentation time.

    Containers may begin anywhere (broadcast streams begin at hours, captures at 0.033 s); players
    show 0 where the first of the audio and video streams begins, and so do our timestamps.
    """
    starts = [
        stream.start_time * stream.time_base
        for stream in (*container.streams.video, *container.streams.audio)
        if stream.start_time is not None and stream.time_base is not None
    ]
    return min(starts, default=Fraction(0))


def _check_file(path: Path) -> None:
    try:
        if not path.exists():
            if _NUMBERED.search(str(path)):
                pattern = _NUMBERED.sub("*", str(path))
                raise InputError(
                    f"{path} does not exist: for numbered files give a pattern, '{pattern}' (in "
                    "quotes), or their folder."
                )
            raise InputError(f"{path} does not exist: check the path.")
        if path.is_dir():
            raise InputError(f"{path} is a folder, not a video file.")
        if not path.is_file():
            raise InputError(f"{path} is not a regular file: give a video file.")
        if path.stat().st_size == 0:
            raise InputError(f"{path} is empty (0 bytes): copy or record it again.")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error


def _why_unreadable(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(1024)
    if _is_text(head):
        return f"{path} is not a video: its content is text."
    if has_mp4_index(path) is False:
        return (
            f"{path} has no index (moov), because the recording or copying of it stopped early, "
            "and cannot be read without one: copy or record it again."
        )
    return f"{path} is not a video, or its beginning is damaged: no media format was recognised."


def _is_text(head: bytes) -> bool:
    # A multi-byte character may be cut at the end of the sample.
    text = head.decode("utf-8", errors="ignore")
    lost = len(head) - len(text.encode("utf-8"))
    return lost <= 3 and all(letter.isprintable() or letter in "\t\r\n\f" for letter in text)
