"""Does a video hold all the frames that it promises?"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from model.errors import InputError
from tracker.video.container import open_container, pick_video
from tracker.video.container_sizes import missing_bytes
from tracker.video.decoded_frame import FALLBACK_RATE


def promised_end(container: InputContainer, stream: VideoStream) -> Fraction | None:
    """Presentation time in seconds at which the header says the video ends; None if unsaid."""
    base = stream.time_base or Fraction(0)
    begin = (stream.start_time or 0) * base
    if stream.duration:
        return begin + stream.duration * base
    tag = stream.metadata.get("DURATION", "")  # Matroska: hh:mm:ss.fraction of the stream's end
    if tag.count(":") == 2:
        hours, minutes, seconds = tag.split(":")
        return 3600 * Fraction(hours) + 60 * Fraction(minutes) + Fraction(seconds)
    # The container's duration is its longest stream's, which may be another one.
    if container.duration and len(container.streams) == 1:
        return begin + Fraction(container.duration, av.time_base)
    return None


def check_length(path: Path, format_name: str, start: Fraction) -> None:
    """Refuse a file that is shorter than its container says, if frames are lost with it.

    Args:
        path: the file.
        format_name: FFmpeg's name of its container.
        start: where the player's clock shows 0, seconds of presentation time.

    Raises:
        InputError: frames are missing; says how many are there.
    """
    lost = missing_bytes(path, format_name)
    if not lost:
        return
    # A second reading without decoding: seconds of work at most, and only for damaged files.
    with open_container(path) as container:
        stream = pick_video(container, path)
        rate = stream.average_rate or FALLBACK_RATE
        whole, torn, end = _count_packets(container, stream, rate)
        promised = promised_end(container, stream)
    if stream.frames:
        if whole >= stream.frames:
            return
        count = f"{whole} of its {stream.frames}"
    elif torn or promised is None:
        count = f"only {whole}"
    else:
        # One and a half frames of slack for durations that were rounded to milliseconds.
        if end >= promised - Fraction(3, 2) / rate:
            return
        count = f"{whole} of its about {round((promised - start) * rate)}"
    raise InputError(
        f"{path} is cut short: {count} frames are there and {lost} bytes are missing at its end; "
        f"copy or record it again, or keep the readable part with ffmpeg -i {path.name} -c copy "
        f"part{path.suffix}."
    )


def _count_packets(
    container: InputContainer, stream: VideoStream, rate: Fraction
) -> tuple[int, int, Fraction]:
    """Whole packets, torn packets, and the presentation time at which the last whole one ends."""
    whole, torn, end = 0, 0, Fraction(0)
    try:
        for packet in container.demux(stream):
            torn += packet.is_corrupt
            if packet.size and not packet.is_corrupt:
                whole += 1
                if packet.pts is not None and packet.time_base is not None:
                    length = (packet.duration or 0) * packet.time_base or 1 / rate
                    end = max(end, packet.pts * packet.time_base + length)
    except av.FFmpegError:
        torn += 1
    return whole, torn, end
