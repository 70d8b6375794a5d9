"""A container that is written nowhere, to see whether it takes a stream's packets."""

from __future__ import annotations

import os

import av
from av.audio.stream import AudioStream
from av.packet import Packet

from tracker.system.closing import Closing


class TrialMuxer(Closing):
    """Takes the packets of one stream as the real container would, and keeps none.

    A muxer refuses some packets only when others have to be written, or when the file is completed:
    in a file with a video that costs the video. Here it costs nothing.

    Args:
        suffix: extension of the real file, in lower case.
        template: the stream.

    Raises:
        av.FFmpegError, ValueError: the container does not hold such a stream.
    """

    def __init__(self, suffix: str, template: AudioStream) -> None:
        self._container = av.open(_Nowhere(f"trial{suffix}"), "w")
        self._stream = self._container.add_stream_from_template(template)
        self._container.start_encoding()

    def takes(self, packet: Packet) -> bool:
        """Whether the container takes a packet, which stays as it is."""
        copy = Packet(bytes(packet))
        copy.pts, copy.dts, copy.duration = packet.pts, packet.dts, packet.duration
        copy.time_base, copy.stream = packet.time_base, self._stream
        try:
            self._container.mux(copy)
        except (av.FFmpegError, ValueError):
            return False
        return True

    def close(self) -> None:
        """Complete the container.

        Raises:
            av.FFmpegError, ValueError: it cannot be completed.
        """
        self._container.close()


class _Nowhere:
    """A file that forgets what is written. Its name tells the container's format."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._at = self._size = 0

    def write(self, data: bytes) -> int:
        self._at += len(data)
        self._size = max(self._size, self._at)
        return len(data)

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at
