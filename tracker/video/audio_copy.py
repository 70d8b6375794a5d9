"""Carry the sound of the source over to the annotated video."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet

from model.errors import InputError
from tracker.video.container import clock_start, open_container, pick_audio

# What players open in each container. FFmpeg would write more (PCM or Vorbis in MP4), but the file
# would be silent in a browser or a phone. Matroska takes whatever FFmpeg lets it.
_COPIED = {
    ".mp4": {"aac", "mp3", "mp3float", "ac3", "eac3", "opus", "libopus", "alac", "flac"},
    ".mov": {"aac", "mp3", "mp3float", "ac3", "eac3", "alac"},
}
_COPIED[".m4v"] = _COPIED[".mp4"]
_COPIED[".webm"] = {"opus", "libopus", "vorbis", "libvorbis"}  # all that it may hold
# Transparent for speech and music in stereo by common listening tests.
_BIT_RATE = 160_000
_MPEG_RATES = (8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_AAC_RATES = (*_MPEG_RATES, 64_000, 88_200, 96_000)
# container -> encoder for what is not copied, its sample format, and sampling rates.
_ENCODERS = {".webm": ("libopus", "flt", (8000, 12_000, 16_000, 24_000, 48_000))}
_AAC = ("aac", "fltp", _AAC_RATES)


class AudioCopy:
    """The main audio stream of a file, packet by packet as the video is written.

    Packets are copied as they are. A codec that the output's container cannot hold, or that players
    do not open in it, is encoded again as AAC (in WebM as Opus), so the sound is kept in every
    case.

    Args:
        source: the file whose sound to carry over.
        output: container being written; the stream is added to it.
        suffix: extension of the output, in lower case.

    Attributes:
        copied: True if packets are copied, False if the sound is encoded again.

    Raises:
        InputError: the source has no audio stream.
    """

    def __init__(self, source: Path, output: OutputContainer, suffix: str) -> None:
        self._container = open_container(source)
        stream = pick_audio(self._container)
        if stream is None:
            self._container.close()
            raise InputError(f"{source} has no audio stream that can be read.")
        self._source = stream
        self._start = clock_start(self._container)
        copied = self._copy_stream(output, suffix)
        self.copied = copied is not None
        self._packets = (
            self._copies(copied) if copied is not None else self._encoded(output, suffix)
        )
        self._next: Packet | None = None

    def _copy_stream(self, output: OutputContainer, suffix: str) -> AudioStream | None:
        allowed = _COPIED.get(suffix)
        if allowed is not None and self._source.codec_context.name not in allowed:
            return None
        try:
            return output.add_stream_from_template(self._source)
        except (ValueError, av.FFmpegError):
            return None

    def until(self, seconds: float | None) -> Iterator[Packet]:
        """Packets not given out yet that start before a time.

        Args:
            seconds: on the player's clock; None for all that is left.
        """
        while True:
            if self._next is None:
                self._next = next(self._packets, None)
            if self._next is None:
                return
            begin = self._next.pts if self._next.pts is not None else self._next.dts
            base = self._next.time_base or Fraction(0)
            if seconds is not None and begin is not None and begin * base >= seconds:
                return
            packet, self._next = self._next, None
            yield packet

    def close(self) -> None:
        """Close the source."""
        self._container.close()

    def _demux(self) -> Iterator[Packet]:
        try:
            yield from self._container.demux(self._source)
        except av.FFmpegError:  # damage: the sound ends here; the video reader reports the file
            return

    def _copies(self, output: AudioStream) -> Iterator[Packet]:
        for packet in self._demux():
            if packet.size == 0 or packet.dts is None:
                continue
            shift = round(self._start / packet.time_base)
            packet.dts -= shift
            if packet.pts is not None:
                packet.pts -= shift
            packet.stream = output
            yield packet

    def _encoded(self, output: OutputContainer, suffix: str) -> Iterator[Packet]:
        """Packets encoded again; the stream is added at once, the work is done when asked for."""
        codec, form, rates = _ENCODERS.get(suffix, _AAC)
        rate = _nearest(rates, self._source.rate or 48_000)
        # Two channels are what everything can play.
        layout = "mono" if self._source.channels == 1 else "stereo"
        stream = output.add_stream(codec, rate=rate)
        assert isinstance(stream, AudioStream)
        stream.layout = layout
        stream.bit_rate = _BIT_RATE
        return self._encode(stream, AudioResampler(format=form, layout=layout, rate=rate))

    def _encode(self, stream: AudioStream, resampler: AudioResampler) -> Iterator[Packet]:
        # The resampler puts out times in ticks of its own rate.
        shift = round(self._start * resampler.rate)
        for frame in self._decoded():
            for part in resampler.resample(frame):
                part.pts = None if part.pts is None else part.pts - shift
                yield from stream.encode(part)
        for part in resampler.resample(None):
            part.pts = None if part.pts is None else part.pts - shift
            yield from stream.encode(part)
        yield from stream.encode(None)

    def _decoded(self) -> Iterator[AudioFrame]:
        for packet in self._demux():
            try:
                frames: list[Any] = packet.decode()
            except av.FFmpegError:  # one damaged packet is a few milliseconds of silence
                continue
            yield from frames


def _nearest(rates: Sequence[int], rate: int) -> int:
    """The sampling rate that the codec has nearest to the given one."""
    return min(rates, key=lambda other: abs(other - rate))
