"""Carry the sound of the source over to the annotated video."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet

from model.errors import InputError
from tracker.system.counted import counted
from tracker.video.container import clock_start, is_resettable, open_container, pick_audio
from tracker.video.frame_source import Timeline
from tracker.video.sound_clock import SoundClock
from tracker.video.sound_encoder import SoundEncoder
from tracker.video.sound_trial import copy_fault, decode_fault
from tracker.video.trial_muxer import TrialMuxer

# What players open in each container. FFmpeg would write more (PCM or Vorbis in MP4), but the file
# would be silent in a browser or a phone. Matroska takes whatever FFmpeg lets it.
_COPIED = {
    ".mp4": {"aac", "mp3", "mp3float", "ac3", "eac3", "opus", "libopus", "alac", "flac"},
    ".mov": {"aac", "mp3", "mp3float", "ac3", "eac3", "alac"},
}
_COPIED[".m4v"] = _COPIED[".mp4"]
_COPIED[".webm"] = {"opus", "libopus", "vorbis", "libvorbis"}  # all that it may hold

# Of a packet, samples and samples per second, where a stream does not say.
_FRAME, _RATE = 1024, 48_000


class AudioCopy:
    """The main audio stream of a file, packet by packet as the video is written.

    Packets are copied as they are. A codec that the output's container cannot hold, or that players
    do not open in it, is encoded again as AAC (in WebM as Opus). Sound that can neither be copied
    nor decoded is left out. Broken times are mended (see `SoundClock`); whatever is wrong with the
    sound is told by `notes` and costs nothing but sound.

    Args:
        source: the file whose sound to carry over.
        output: container being written; the stream is added to it.
        suffix: extension of the output, in lower case.
        timeline: of the video that is being read from the file.

    Attributes:
        copied: True if packets are copied, False if the sound is encoded again or left out.

    Raises:
        InputError: the source has no audio stream.
    """

    def __init__(
        self, source: Path, output: OutputContainer, suffix: str, timeline: Timeline | None = None
    ) -> None:
        self.copied = False
        self._damaged = 0
        self._remarks: list[str] = []
        self._clock: SoundClock | None = None
        self._next: Packet | None = None
        self._packets: Iterator[Packet | None] = iter(())
        self._container = open_container(source)
        try:
            stream = pick_audio(self._container)
            if stream is None and not self._container.streams.audio:
                raise InputError(f"{source} has no audio stream that can be read.")
            if stream is None:
                self._remarks.append("the sound is left out: its codec is unknown here")
                return
            self._source = stream
            self._clock = SoundClock(
                clock_start(self._container),
                timeline or Timeline(),
                Fraction(stream.codec_context.frame_size or _FRAME, stream.rate or _RATE),
                jumps=is_resettable(self._container),
            )
            self._packets = self._open(source, output, suffix)
        except BaseException:
            self.close()
            raise

    def _open(self, source: Path, output: OutputContainer, suffix: str) -> Iterator[Packet | None]:
        name = self._source.codec_context.name
        allowed = _COPIED.get(suffix)
        refused = allowed is not None and name not in allowed
        fault = f"players do not open {name} in {suffix}" if refused else copy_fault(source, suffix)
        if fault is None:
            self.copied = True
            copy = output.add_stream_from_template(self._source)
            return self._copies(copy, TrialMuxer(suffix, self._source))
        silent = decode_fault(source)
        if silent is not None:
            self._remarks.append(
                f"the sound is left out: it cannot be copied ({fault}) or decoded ({silent})"
            )
            return iter(())
        encoder = SoundEncoder(output, suffix, self._source)
        self._remarks.append(f"the sound is encoded again as {encoder.title}: {fault}")
        return self._encoded(encoder)

    @property
    def notes(self) -> tuple[str, ...]:
        """What happened to the sound, so far; nothing if it was copied as it is."""
        clock = self._clock
        counts = [
            (clock.moved if clock else 0, "sound packet", "with an impossible time moved"),
            (clock.dropped if clock else 0, "sound packet", "left out: repeated or overlapping"),
            (self._damaged, "damaged sound packet", "left out"),
        ]
        counted_notes = [f"{counted(n, what)} {done}" for n, what, done in counts if n]
        return (*self._remarks, *counted_notes)

    def until(self, seconds: float | None) -> Iterator[Packet]:
        """Packets not given out yet that start before a time.

        Args:
            seconds: on the player's clock; None for all that is left.
        """
        while True:
            if self._next is None:
                self._next = self._fetch(seconds)
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

    def _fetch(self, seconds: float | None) -> Packet | None:
        """The next packet; None if there is none, or none yet."""
        if self._clock is not None:
            self._clock.now = None if seconds is None else Fraction(seconds)
        try:
            return next(self._packets, None)
        except (av.FFmpegError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            self._remarks.append(f"the sound ends early: {reason}")
            self._packets = iter(())
            return None

    def _demux(self) -> Iterator[Packet]:
        with suppress(av.FFmpegError):  # damage: the sound ends here; the video's reader tells it
            for packet in self._container.demux(self._source):
                if packet.size:
                    yield packet

    def _mended(self) -> Iterator[Packet | None]:
        assert self._clock is not None
        return self._clock.mend(self._demux())

    def _copies(self, output: AudioStream, trial: TrialMuxer) -> Iterator[Packet | None]:
        for packet in self._mended():
            if packet is not None and not trial.takes(packet):
                self._damaged += 1
                continue
            if packet is not None:
                packet.stream = output
            yield packet

    def _encoded(self, encoder: SoundEncoder) -> Iterator[Packet | None]:
        """Packets encoded again; the work is done when they are asked for."""
        for packet in self._mended():
            if packet is None:
                yield None
                continue
            try:
                frames: list[Any] = packet.decode()
                for frame in frames:
                    yield from encoder.encode(frame)
            except (av.FFmpegError, ValueError):  # a few milliseconds of silence
                self._damaged += 1
        with suppress(av.FFmpegError):  # what a decoder held back
            for last in self._source.codec_context.decode(None):
                yield from encoder.encode(last)
        yield from encoder.finish()
