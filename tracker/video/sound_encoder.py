"""Encode decoded sound again, for containers that cannot hold it as it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet

# Transparent for speech and music in stereo by common listening tests.
_BIT_RATE = 160_000
_MPEG_RATES = (8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_AAC_RATES = (*_MPEG_RATES, 64_000, 88_200, 96_000)
# container -> title, encoder, its sample format, and sampling rates.
_ENCODERS = {".webm": ("Opus", "libopus", "flt", (8000, 12_000, 16_000, 24_000, 48_000))}
_AAC = ("AAC", "aac", "fltp", _AAC_RATES)
# Title -> FFmpeg's name of every encoder that may be needed.
ENCODERS = {title: name for title, name, *_ in (_AAC, *_ENCODERS.values())}


class SoundEncoder:
    """Encodes frames of sound as AAC, in WebM as Opus.

    Args:
        output: container being written; a stream is added to it.
        suffix: its extension, in lower case.
        source: the sound that is to be encoded.

    Attributes:
        title: of the codec, for people.
    """

    def __init__(self, output: OutputContainer, suffix: str, source: AudioStream) -> None:
        self.title, codec, self._format, rates = _ENCODERS.get(suffix, _AAC)
        self._rate = _nearest(rates, source.rate or 48_000)
        # Two channels are what everything can play.
        self._layout = "mono" if source.channels == 1 else "stereo"
        stream = output.add_stream(codec, rate=self._rate)
        assert isinstance(stream, AudioStream)
        stream.layout = self._layout
        stream.bit_rate = _BIT_RATE
        self._stream = stream
        self._kind: tuple[object, ...] | None = None
        self._resampler = self._new_resampler()
        self._due: int | None = None

    def encode(self, frame: AudioFrame) -> Iterator[Packet]:
        """Take a frame; gives the packets that are complete.

        Raises:
            av.FFmpegError: the frame cannot be used.
        """
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if kind != self._kind and self._kind is not None:  # it changes within the stream
            yield from self._take(self._resampler.resample(None))
            self._resampler = self._new_resampler()
        self._kind = kind
        yield from self._take(self._resampler.resample(frame))

    def finish(self) -> Iterator[Packet]:
        """Give the last packets."""
        if self._kind is not None:
            yield from self._take(self._resampler.resample(None))
        yield from self._stream.encode(None)

    def _take(self, parts: Sequence[AudioFrame]) -> Iterator[Packet]:
        for part in parts:
            # The resampler puts out times in ticks of its own rate; they must not go back.
            if part.pts is None or (self._due is not None and part.pts < self._due):
                part.pts = self._due
            self._due = None if part.pts is None else part.pts + part.samples
            yield from self._stream.encode(part)

    def _new_resampler(self) -> AudioResampler:
        return AudioResampler(format=self._format, layout=self._layout, rate=self._rate)


def _nearest(rates: Sequence[int], rate: int) -> int:
    """The sampling rate that the codec has nearest to the given one."""
    return min(rates, key=lambda other: abs(other - rate))
