"""Read a camera: always the newest frame, stamped with the time at which it arrived."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from model.errors import InputError
from tracker.sources.live_reader import LiveReader
from tracker.sources.source_options import NO_OPTIONS, SourceOptions
from tracker.system.native_stderr import native_stderr_hidden
from tracker.video.frame_source import VideoInfo

# Longer than any webcam takes between two frames (exposure in the dark: 0.5 s), short enough that
# an unplugged one does not look like a hang.
TIMEOUT_SECONDS = 5.0


class CameraReader(LiveReader[NDArray[np.uint8]]):
    """The frames of a camera, see `LiveReader`.

    Timestamps are seconds since the first frame, taken from the monotonic clock when the frame
    arrives.

    Args:
        index: number of the camera, 0 is the first one.
        options: size and rate to ask for; by default what the driver prefers.

    Raises:
        InputError: there is no such camera, it gives no picture, or not in the size or at the rate
            asked for.
    """

    def __init__(self, index: int, options: SourceOptions = NO_OPTIONS) -> None:
        name = f"camera {index}"
        with native_stderr_hidden():
            self._capture = cv2.VideoCapture(index)
            opened = self._capture.isOpened()
            if opened:
                _ask(self._capture, options)
            good, first = self._capture.read() if opened else (False, None)
        try:
            if not good or first is None:
                reason = (
                    "gives no picture (is another program using it?)" if opened else "is not there"
                )
                raise InputError(
                    f"{name} {reason}: connect a camera or choose another number with --source; "
                    "--list-sources shows them."
                )
            image = np.asarray(first, np.uint8)
            info = _describe(name, self._capture, image, options)
        except InputError:
            self._capture.release()
            raise
        super().__init__(info, self._read_on(image), _to_rgb, TIMEOUT_SECONDS)

    def close(self) -> None:
        """Stop reading and free the camera."""
        super().close()
        self._capture.release()

    def _read_on(self, first: NDArray[np.uint8]) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        begin = time.monotonic()
        yield 0.0, first
        while True:
            good, image = self._capture.read()
            if not good:
                return
            yield time.monotonic() - begin, np.asarray(image, np.uint8)


def _to_rgb(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def _ask(capture: Any, options: SourceOptions) -> None:
    if options.size is None and options.rate is None:
        return
    # USB 2 carries HD at full rate only compressed; a camera without MJPEG ignores this.
    capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
    if options.size is not None:
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, options.size[0])
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, options.size[1])
    if options.rate is not None:
        capture.set(cv2.CAP_PROP_FPS, float(options.rate))


def _describe(
    name: str, capture: Any, first: NDArray[np.uint8], options: SourceOptions
) -> VideoInfo:
    height, width = first.shape[:2]
    stated = capture.get(cv2.CAP_PROP_FPS)
    # Drivers answer 0 or nonsense when they do not know.
    rate = Fraction(stated).limit_denominator(1001) if 1 <= stated <= 1000 else None
    if options.size is not None and options.size != (width, height):
        wanted = "x".join(map(str, options.size))
        raise InputError(
            f"{name} has no size {wanted}: the nearest it gives is {width}x{height}, ask for that."
        )
    if options.rate is not None and rate is not None and abs(rate / options.rate - 1) > 0.02:
        raise InputError(
            f"{name} cannot give {float(options.rate):g} frames/s at {width}x{height}: "
            f"it gives {float(rate):g}, ask for that or for a smaller size."
        )
    return VideoInfo(name=name, path=None, width=width, height=height, rate=rate, live=True)
