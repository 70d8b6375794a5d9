"""Read frames without any header from another program, through a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from queue import Empty, Queue
from threading import Thread
from typing import BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

from model.errors import InputError
from tracker.sources.live_reader import SourceLostError
from tracker.sources.source_options import SourceOptions
from tracker.system.closing import Closing
from tracker.video.frame_source import SourceFrame, VideoInfo

# How often a waiting reader looks whether it is still wanted, seconds.
_POLL = 0.1
_AHEAD = 2  # frames read while one is worked on


class RawReader(Closing):
    """Frames of raw pixels from standard input. A context manager; iterate once.

    None is dropped: the sender waits. Timestamps are the number of the frame over the rate.

    Args:
        options: size and rate must be given; the pixel format is rgb24 without one.
        stream: where to read, standard input by default.

    Raises:
        InputError: no size or rate; or, while iterating, the input ends within a
            frame (`SourceLostError` if good ones came before).
    """

    def __init__(self, options: SourceOptions, stream: BinaryIO | None = None) -> None:
        if options.size is None or options.rate is None:
            known = {"size": options.size is not None, "rate": options.rate is not None}
            flags = {"size": "--size 640x480", "rate": "--fps 30"}
            missing = [name for name, given in known.items() if not given]
            raise InputError(
                f"raw frames from standard input do not tell their {' and '.join(missing)}: add, "
                f"for example, {' '.join(flags[name] for name in missing)}."
            )
        if stream is None and sys.stdin is not None and sys.stdin.isatty():
            raise InputError("standard input is the keyboard: pipe raw frames into this command.")
        width, height = options.size
        self._rate = options.rate
        self._format = options.pixel_format or "rgb24"
        channels = () if self._format == "gray" else (3,)
        self._shape = (height, width, *channels)
        self.info = VideoInfo(
            name="standard input",
            path=None,
            width=width,
            height=height,
            rate=options.rate,
            time_base=1 / options.rate,
            piped=True,
        )
        self._stream = stream or _standard_input()
        self._queue: Queue[NDArray[np.uint8] | InputError | None] = Queue(_AHEAD)
        self._stopped = False
        self._thread = Thread(target=self._read, name="standard input", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[SourceFrame]:
        number = 0
        while (image := self._take()) is not None:
            yield SourceFrame(number, float(number / self._rate), self._to_rgb(image))
            number += 1

    def stop(self) -> None:
        """End the iteration soon. Takes no lock, so a signal handler may call it."""
        self._stopped = True

    def close(self) -> None:
        """Stop reading. A thread that waits for the sender is left to end with the process."""
        self.stop()

    def _take(self) -> NDArray[np.uint8] | None:
        while not self._stopped:
            try:
                item = self._queue.get(timeout=_POLL)
            except Empty:
                continue
            if isinstance(item, InputError):
                raise item
            return item
        return None

    def _read(self) -> None:
        count = 0
        while not self._stopped:
            image = np.empty(self._shape, np.uint8)
            got = _fill(self._stream, image)
            if got < image.nbytes:
                break
            self._queue.put(image)
            count += 1
        else:
            return
        if not got and count:
            self._queue.put(None)
            return
        width, height = self.info.width, self.info.height
        what = f"within frame {count + 1}" if got else "before the first frame"
        # After good frames the outputs so far are worth keeping.
        kind = SourceLostError if count else InputError
        self._queue.put(
            kind(
                f"standard input ended {what} ({got} of {image.nbytes} bytes): check that the "
                f"sender makes {self._format} frames of {width}x{height}."
            )
        )

    def _to_rgb(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self._format == "rgb24":
            return image
        code = cv2.COLOR_GRAY2RGB if self._format == "gray" else cv2.COLOR_BGR2RGB
        return np.asarray(cv2.cvtColor(image, code), np.uint8)


def _standard_input() -> BinaryIO:
    # Unbuffered, and not `sys.stdin.buffer`: a thread that waits there holds its lock, and Python
    # cannot end.
    return open(0, "rb", buffering=0, closefd=False)


def _fill(stream: BinaryIO, image: NDArray[np.uint8]) -> int:
    """Read an image's bytes; returns how many there were."""
    view, got = memoryview(image.data).cast("B"), 0
    while got < image.nbytes:
        try:
            part = stream.readinto(view[got:])  # type: ignore[attr-defined]
        except OSError:  # the sender has crashed: what it sent is all there is
            part = 0
        if not part:
            break
        got += part
    return got
