"""Video from the network: cameras and broadcasts in real time, recordings frame by frame."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import Future, wait
from fractions import Fraction
from threading import Thread

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from model.errors import InputError
from tracker.sources.live_reader import LiveReader, SourceLostError
from tracker.sources.source_options import NO_OPTIONS, SourceOptions
from tracker.system.abandoned_threads import abandon
from tracker.system.closing import Closing
from tracker.video.container import pick_video_stream
from tracker.video.deinterlacing import Deinterlacer
from tracker.video.frame_pixels import FramePixels, frame_notes
from tracker.video.frame_source import CLOCK, SourceFrame, VideoInfo
from tracker.video.picture_size import LIMITS, check_pixels, square_size

SCHEMES = ("rtsp", "rtsps", "http", "https", "udp", "rtp", "tcp", "srt", "rtmp", "rtmps")
# A connection to these may say that this is the end; all others end only by breaking.
_MAY_END = ("http", "https", "tcp")
# Between two attempts to get a stream back, seconds: a camera's server takes no harm.
_PAUSE = 1.0
_SOON = 0.1  # seconds after which Ctrl-C is noticed
# A stream's own times are kept (they are smoother than arrivals) as long as they stay this close
# to the clock on the wall, seconds; beyond, the sender has begun anew or its clock runs off.
_DRIFT = 2.0
_TICK = 0.001  # least distance of two frames, seconds
_OPTIONS = {
    # Interleaved in the connection: over UDP a lost packet smears the picture for seconds.
    "rtsp_transport": "tcp",
    # Look no longer than needed at what is coming. (Not "nobuffer": it drops what was looked at,
    # and a reader that is faster than the stream catches up by itself.)
    "analyzeduration": "1000000",
    "probesize": "1000000",
    # A slow reader of UDP loses packets, which is what a live picture needs, but goes on.
    "overrun_nonfatal": "1",
    # A playlist from the network must not open files of this machine.
    "protocol_whitelist": "rtsp,rtsps,rtp,srtp,udp,tcp,tls,http,https,httpproxy,crypto,srt,rtmp,"
    "rtmps,rtmpt,data",
}


def is_address(source: object) -> bool:
    """Whether a source is an address of the network."""
    return bool(re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", str(source)))


def open_stream(url: str, options: SourceOptions = NO_OPTIONS) -> NetworkReader | StreamReader:
    """Open a stream.

    What states its duration (a video file on a web server) is a recording: every frame is read, as
    from a file. All else is live: `StreamReader` gives its newest frames.

    A live stream from which nothing comes for `options.timeout` is opened again, for
    `options.reconnect` seconds; then `SourceLostError` is raised.

    Args:
        url: address, its scheme one of `SCHEMES`.
        options: how long to wait.

    Raises:
        InputError: another scheme, nobody answers, or there is no video.
    """
    scheme = url.partition("://")[0].lower()
    if scheme not in SCHEMES:
        known = ", ".join(SCHEMES)
        raise InputError(f"'{scheme}' is no kind of stream that can be read: use one of {known}.")
    connection = _Connection(url, options)
    info = connection.info
    if not info.live:
        return NetworkReader(connection)
    return StreamReader(connection)


class StreamReader(LiveReader[VideoFrame]):
    """The newest frames of a live stream, see `LiveReader`."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        super().__init__(connection.info, connection.frames(), connection.to_rgb)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done to the frames so far that the user should know."""
        return self._connection.notes

    def stop(self) -> None:
        """End the iteration soon, even while the stream is being opened again."""
        self._connection.wanted = False
        super().stop()


class NetworkReader(Closing):
    """A recording on a server, every frame of it. A context manager; iterate once."""

    def __init__(self, connection: _Connection) -> None:
        self.info = connection.info
        self._connection = connection

    def __iter__(self) -> Iterator[SourceFrame]:
        frames = self._connection.frames()
        for number, (timestamp, frame) in enumerate(frames):
            yield SourceFrame(number, timestamp, self._connection.to_rgb(frame))

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done to the frames so far that the user should know."""
        return self._connection.notes

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


class _Connection:
    """An opened stream, and how to open it again."""

    def __init__(self, url: str, options: SourceOptions) -> None:
        self._url, self._options = url, options
        self._name = without_password(url)
        self.wanted = True  # set to False, it ends the attempts to get the stream back
        self._scheme = url.partition("://")[0].lower()
        self._container, self._stream = self._open_first()
        self._opened = time.monotonic()
        context = self._stream.codec_context
        aspect = self._stream.sample_aspect_ratio or Fraction(1)
        stored = context.width, context.height
        width, height = square_size(*stored, aspect)
        check_pixels(self._name, width, height)
        duration = self._container.duration
        recorded = self._scheme in _MAY_END and duration is not None and duration > 0
        self.info = VideoInfo(
            name=self._name,
            path=None,
            width=width,
            height=height,
            rate=self._stream.average_rate or self._stream.guessed_rate or None,
            frames=self._stream.frames or None if recorded else None,
            duration=duration / av.time_base if recorded and duration else None,
            time_base=CLOCK,
            pixel_aspect=aspect,
            stored=stored if stored != (width, height) else None,
            live=not recorded,
        )
        self._pixels = FramePixels(width, height)
        self._deinterlace = Deinterlacer()

    def frames(self) -> Iterator[tuple[float, VideoFrame]]:
        """Times and frames, over all interruptions. To be iterated once, in one thread."""
        clock = _Clock(self.info.live)
        try:
            while True:
                broken = False
                try:
                    for frame in self._deinterlace(self._decode()):
                        yield clock.tick(frame), frame
                except (av.FFmpegError, OSError):
                    broken = True
                if not broken and self._scheme in _MAY_END:
                    return
                if not self.info.live:
                    raise InputError(f"{self._name} broke off: try again, or fetch the file first.")
                self._reopen()
                clock.restart()
        finally:
            self.close()

    def to_rgb(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """A frame's pixels, square ones, in the size that the stream began with."""
        return self._pixels(frame)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done to the frames so far that the user should know."""
        return frame_notes(self._pixels, self._deinterlace)

    def close(self) -> None:
        """Hang up. A second call does nothing."""
        self._container.close()

    def _open_first(self) -> tuple[InputContainer, VideoStream]:
        """`_open` in a thread of its own: Ctrl-C cannot end what FFmpeg waits for in this one."""
        opened: Future[tuple[InputContainer, VideoStream]] = Future()

        def work() -> None:
            try:
                opened.set_result(self._open(2 * self._options.timeout))
            except BaseException as error:
                opened.set_exception(error)

        # Not of a pool, whose threads the process would wait for at its end.
        thread = Thread(target=work, name="open stream", daemon=True)
        thread.start()
        try:
            while not opened.done():
                wait((opened,), _SOON)
        except BaseException:
            opened.add_done_callback(_hang_up)
            abandon(thread)
            raise
        return opened.result()

    def _open(self, limit: float) -> tuple[InputContainer, VideoStream]:
        """Open it, with an answer within so many seconds."""
        try:
            container = av.open(
                self._url,
                options=_OPTIONS | LIMITS,
                timeout=(limit, self._options.timeout),
                metadata_errors="replace",
            )
        except av.ExitError as error:
            raise InputError(
                f"{self._name} gives no answer within {limit:.0f} s: check address and network."
            ) from error
        except (av.FFmpegError, OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise InputError(f"{self._name} cannot be opened: {reason}.") from error
        try:
            stream = pick_video_stream(container, self._name)
            # Frame threads would hold a frame back for each of them.
            stream.thread_type = "SLICE" if self._is_live(container) else "AUTO"
            if not stream.codec_context.width:
                raise InputError(f"{self._name} does not tell the size of its pictures.")
        except BaseException:
            container.close()
            raise
        return container, stream

    def _is_live(self, container: InputContainer) -> bool:
        return self._scheme not in _MAY_END or not container.duration

    def _decode(self) -> Iterator[VideoFrame]:
        for packet in self._container.demux(self._stream):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                continue  # a packet was lost on the way
            yield from frames

    def _reopen(self) -> None:
        self.close()
        begin = time.monotonic()
        # Who answers and breaks off at once is no better than who does not answer.
        if begin - self._opened < _PAUSE and self.wanted:
            time.sleep(_PAUSE)
        while (waited := time.monotonic() - begin) < self._options.reconnect and self.wanted:
            left = max(self._options.reconnect - waited, _PAUSE)
            try:
                self._container, self._stream = self._open(min(2 * self._options.timeout, left))
            except InputError:
                time.sleep(_PAUSE)
            else:
                self._opened = time.monotonic()
                return
        raise SourceLostError(
            f"{self._name} broke off and did not come back within {waited:.0f} s: check the sender."
        )


def _hang_up(opened: Future[tuple[InputContainer, VideoStream]]) -> None:
    """Close what has been opened for nobody."""
    if opened.exception() is None:
        opened.result()[0].close()


class _Clock:
    """Seconds since the first frame, that grow whatever the sender's clock does."""

    def __init__(self, live: bool) -> None:
        self._live = live
        self._begin: float | None = None  # on the wall
        self._offset: float | None = None
        self._last: float | None = None

    def restart(self) -> None:
        """The sender's clock may show anything from here on."""
        self._offset = None

    def tick(self, frame: VideoFrame) -> float:
        now = time.monotonic()
        self._begin = now if self._begin is None else self._begin
        wall, stated = now - self._begin, frame.time
        if stated is None:
            time_here = wall
        else:
            runs_off = self._live and (
                self._offset is not None and abs(stated + self._offset - wall) > _DRIFT
            )
            if self._offset is None or runs_off:
                self._offset = wall - stated
            time_here = stated + self._offset
        if self._last is not None:
            time_here = max(time_here, self._last + _TICK)
        self._last = time_here
        return time_here


def without_password(url: str) -> str:
    """An address as it may be shown: user:password@ is left out."""
    return re.sub(r"://[^/@]*@", "://", url)
