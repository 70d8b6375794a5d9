"""Sources in real time: always the newest frame, read by a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError
from tracker.system.abandoned_threads import abandon
from tracker.system.closing import Closing
from tracker.video.frame_source import SourceFrame, VideoInfo

Raw = TypeVar("Raw")

# How often a waiting reader looks whether it is still wanted, seconds.
_POLL = 0.1
# What a thread that reads may take to notice that it is not wanted any more, seconds.
_FAREWELL = 6.0


class SourceLostError(InputError):
    """A live source broke off. What came before it is good, and outputs are to be completed."""


class LiveReader(Closing, Generic[Raw]):
    """The newest frames of a live source. A context manager; iterate once.

    A thread reads at the source's own speed and keeps only the newest frame, so a slow consumer
    skips frames instead of falling behind. `close` and `stop` from any thread end the iteration.

    Attributes:
        info: what the source is.
        dropped: frames that were replaced before anybody took them; those that came before the
            first was taken, while networks were loaded, do not count.

    Args:
        info: what the source is.
        frames: (timestamp in seconds, undecoded image) as they come; runs in the thread, which also
            closes it if it is a generator. Its `InputError` is raised where the frames are taken.
        convert: makes an RGB image [H, W, 3] of what `frames` gives; runs for taken frames only.
        patience: seconds without a frame after which the source counts as lost; None if `frames`
            sees to that itself.
    """

    def __init__(
        self,
        info: VideoInfo,
        frames: Iterable[tuple[float, Raw]],
        convert: Callable[[Raw], NDArray[np.uint8]],
        patience: float | None = None,
    ) -> None:
        self.info = info
        self.dropped = 0
        self._frames, self._convert, self._patience = frames, convert, patience
        self._slot: tuple[float, float, Raw] | None = None
        self._news = threading.Condition()
        self._error: InputError | None = None
        self._begun = False  # somebody has taken a frame
        self._ended = False  # the source gives no more frames
        self._stopped = False  # nobody wants any more
        self._arrived = time.monotonic()  # of the frame that was taken last
        self._thread = threading.Thread(target=self._read, name=info.name, daemon=True)
        self._thread.start()

    @property
    def latency(self) -> float:
        """Seconds since the frame that was handed out last had arrived (and was decoded)."""
        return time.monotonic() - self._arrived

    def __iter__(self) -> Iterator[SourceFrame]:
        index, begin = 0, 0.0
        while (taken := self._take()) is not None:
            self._arrived, timestamp, raw = taken
            # Time begins with the first frame that is looked at: loading the network took a while.
            begin = begin if index else timestamp
            yield SourceFrame(index, timestamp - begin, self._convert(raw))
            index += 1

    def stop(self) -> None:
        """End the iteration soon. Takes no lock, so a signal handler may call it."""
        self._stopped = True

    def close(self) -> None:
        """Stop reading and free the source."""
        self.stop()
        self._thread.join(_FAREWELL)
        if self._thread.is_alive():
            abandon(self._thread)

    def _read(self) -> None:
        frames = iter(self._frames)
        try:
            for timestamp, raw in frames:
                if self._stopped:
                    break
                with self._news:
                    self.dropped += self._begun and self._slot is not None
                    self._slot = (time.monotonic(), timestamp, raw)
                    self._news.notify_all()
        except InputError as error:
            self._error = error
        finally:
            # A generator frees its source in the thread that used it.
            close = getattr(frames, "close", None)
            if close is not None:
                close()
            with self._news:
                self._ended = True
                self._news.notify_all()

    def _take(self) -> tuple[float, float, Raw] | None:
        """Wait for a frame that was not handed out yet; None when there will be none."""
        begin = time.monotonic()
        with self._news:
            while self._slot is None and not self._ended and not self._stopped:
                self._news.wait(_POLL)
                waited = time.monotonic() - begin
                if self._patience is not None and waited > self._patience:
                    raise SourceLostError(
                        f"{self.info.name} has given no frame for {waited:.0f} s: check its cable."
                    )
            taken, self._slot = self._slot, None
            self._begun = True
        if self._stopped:
            return None
        if taken is None and self._error is not None:
            raise self._error
        return taken
