"""Read a camera: always the newest frame, stamped with the time at which it arrived."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from types import TracebackType
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from model.errors import InputError
from tracker.quiet import native_stderr_hidden
from tracker.videoinfo import SourceFrame, VideoInfo

# Longer than any webcam takes between two frames (exposure in the dark: 0.5 s), short enough that
# an unplugged one does not look like a hang.
TIMEOUT_SECONDS = 5.0


class CameraReader:
    """The frames of a camera. A context manager; iterate once; `close` from any thread ends it.

    A thread reads the camera at its own speed and keeps only the newest frame, so a slow consumer
    skips frames instead of falling behind. Timestamps are seconds since the first frame, taken from
    the monotonic clock when the frame arrives.

    Args:
        index: number of the camera, 0 is the first one.

    Raises:
        InputError: there is no such camera, or it gives no picture.
    """

    def __init__(self, index: int) -> None:
        self._name = f"camera {index}"
        with native_stderr_hidden():
            self._capture = cv2.VideoCapture(index)
            opened = self._capture.isOpened()
            good, first = self._capture.read() if opened else (False, None)
        if not good or first is None:
            self._capture.release()
            reason = "gives no picture (is another program using it?)" if opened else "is not there"
            raise InputError(
                f"{self._name} {reason}: connect a camera or choose another number with --source."
            )
        height, width = first.shape[:2]
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.info = VideoInfo(
            name=self._name,
            path=None,
            width=width,
            height=height,
            # Drivers answer 0 or nonsense when they do not know.
            rate=Fraction(rate).limit_denominator(1001) if 1 <= rate <= 1000 else None,
            live=True,
        )
        self._slot: tuple[float, NDArray[np.uint8]] | None = (
            time.monotonic(),
            np.asarray(first, np.uint8),
        )
        self._news = threading.Condition()
        self._ended = False  # the camera gives no more frames
        self._closed = False  # nobody wants any more
        self._thread = threading.Thread(target=self._read, name=self._name, daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[SourceFrame]:
        index, begin = 0, None
        while (taken := self._take()) is not None:
            moment, image = taken
            begin = moment if begin is None else begin
            yield SourceFrame(
                index, moment - begin, np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
            )
            index += 1

    def close(self) -> None:
        """Stop reading and free the camera."""
        with self._news:
            self._closed = True
            self._news.notify_all()
        self._thread.join(TIMEOUT_SECONDS)
        self._capture.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _read(self) -> None:
        while not (self._closed or self._ended):
            good, image = self._capture.read()
            with self._news:
                if good:
                    self._slot = (time.monotonic(), np.asarray(image, np.uint8))
                else:
                    self._ended = True
                self._news.notify_all()

    def _take(self) -> tuple[float, NDArray[np.uint8]] | None:
        """Wait for a frame that was not handed out yet; None when the camera has ended."""
        with self._news:
            self._news.wait_for(
                lambda: self._slot is not None or self._ended or self._closed, TIMEOUT_SECONDS
            )
            taken, self._slot = self._slot, None
            return None if self._closed else taken
