"""Does a video hold all the frames that it promises?"""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from model.errors import InputError
from tracker.system.counted import counted
from tracker.video.container import open_container, pick_video
from tracker.video.container_sizes import missing_bytes
from tracker.video.frame_clock import FALLBACK_RATE

# Matroska's DURATION tag: hh:mm:ss.fraction of a stream's end. Anybody may write anything there.
_TAG = re.compile(r"(\d{1,6}):(\d{1,2}):(\d{1,2}(?:\.\d{1,12})?)", re.ASCII)
# A file whose sizes are in order may still end early: a download that was filled up with zeros.
# Durations in headers are rounded up to a second by some writers and to the audio's end by others,
# so only a gap over both of these tells anything.
_GAP_SECONDS = 1.0
_GAP_SHARE = 0.02
_TAIL = 1024


def promised_end(container: InputContainer, stream: VideoStream) -> Fraction | None:
    """Presentation time in seconds at which the header says the video ends; None if unsaid."""
    base = stream.time_base or Fraction(0)
    begin = (stream.start_time or 0) * base
    if stream.duration:
        return begin + stream.duration * base
    # The container's duration is its longest stream's, which may be another one.
    whole = begin + Fraction(container.duration, av.time_base) if container.duration else None
    if tag := _TAG.fullmatch(stream.metadata.get("DURATION", "").strip()):
        hours, minutes, seconds = map(Fraction, tag.groups())
        tagged = 3600 * hours + 60 * minutes + seconds
        # Tools that cut copy tags as they are; no stream outlasts its container.
        return tagged if whole is None else min(tagged, whole)
    return whole if len(container.streams) == 1 else None


def is_gap(end: float, promised: float) -> bool:
    """Whether a video that ends at `end` seconds ends well before `promised`."""
    return promised - end > max(_GAP_SECONDS, _GAP_SHARE * promised)


def ends_in_zeros(path: Path) -> bool:
    """Whether a file's last part was never written, as in a download that broke off."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - _TAIL, 0))
        return not any(file.read())


def damaged_text(path: Path, end: float, count: int, promised: float | None = None) -> str:
    """What to say of a file whose last frames are missing; times in seconds."""
    rest = f" of the {promised:.1f} s that it promises" if promised is not None else ""
    return (
        f"{path} is damaged: its video ends after {end:.1f} s ({counted(count, 'frame')}){rest}; "
        "what can be read is kept, copy or record the file again for the rest."
    )


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
        count = f"{whole} of its {counted(stream.frames, 'frame')} can be read"
    elif torn or promised is None:
        count = f"only {counted(whole, 'frame')} can be read"
    else:
        # One and a half frames of slack for durations that were rounded to milliseconds.
        if end >= promised - Fraction(3, 2) / rate:
            return
        expected = counted(round((promised - start) * rate), "frame")
        count = f"{whole} of its about {expected} can be read"
    raise InputError(
        f"{path} is cut short: {count}, {counted(lost, 'byte')} missing at its end; "
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
