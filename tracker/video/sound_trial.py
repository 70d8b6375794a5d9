"""Can a file's sound be copied into a container, or at least be decoded? Tried on its beginning."""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet

from tracker.video.container import open_container, pick_audio
from tracker.video.trial_muxer import TrialMuxer

_PACKETS = 64  # more than a second of most codecs
_READ = 4000  # packets of all streams: sound may begin late


def copy_fault(source: Path, suffix: str) -> str | None:
    """Why a container does not take a file's sound as it is; None if it does."""
    with open_container(source) as container:
        stream = pick_audio(container)
        assert stream is not None
        packets = _first(container, stream)
        taken = 0
        try:
            with TrialMuxer(suffix, stream) as trial:
                for number, packet in enumerate(packets):
                    packet.pts = packet.dts = round(number / 50 / packet.time_base)
                    taken += trial.takes(packet)
        except (av.FFmpegError, OSError, ValueError) as error:
            return _reason(error)
    return None if taken or not packets else "its packets are damaged"


def decode_fault(source: Path) -> str | None:
    """Why nothing can be heard of a file's sound; None if something can."""
    with open_container(source) as container:
        stream = pick_audio(container)
        assert stream is not None
        reason = "it is empty"
        for packet in _first(container, stream):
            try:
                frames: list[Any] = packet.decode()
                if any(frame.samples for frame in frames):
                    return None
            except (av.FFmpegError, OSError, ValueError) as error:
                reason = _reason(error)
    return reason


def _first(container: InputContainer, stream: AudioStream) -> list[Packet]:
    packets: list[Packet] = []
    with suppress(av.FFmpegError, OSError):  # what is there is tried
        for packet in islice(container.demux(), _READ):
            if packet.stream.index == stream.index and packet.size:
                packets.append(packet)
            if len(packets) == _PACKETS:
                break
    return packets


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
