"""The latest frame, for as many viewers as there are, each at its own pace."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

_JPEG_QUALITY = 80
# Pixels; wider pictures are shrunk: a browser's window shows no more, and coding 4K takes long.
_WIDEST = 1280

# Seconds after which a viewer who gets nothing is asked whether he is there: a source may stand
# still for hours, and there is room for some viewers only.
_ASK = 1.0
Gone = Callable[[], bool]


class Slot:
    """The latest frame, for any number of threads that wait for it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._number = 0
        self._picture: NDArray[np.uint8] | None = None
        self._event = b""
        self._closed = False
        self._encoding = threading.Lock()
        self._jpeg: tuple[int, bytes] = (0, b"")

    def put(self, picture: NDArray[np.uint8] | None, event: bytes) -> None:
        """Replace the frame; the picture must not be drawn on any more."""
        with self._changed:
            self._number += 1
            self._picture, self._event = picture, event
            self._changed.notify_all()

    def close(self) -> None:
        """Wake up all who wait, for the last time."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def event(self) -> bytes:
        """What was last put, encoded; empty before the first frame."""
        return self._event

    def events(self, gone: Gone) -> Iterator[bytes]:
        """The events from now on, each when it is asked for; those in between are left out.

        Args:
            gone: asked every second while nothing comes; True ends it.
        """
        for _, _, event in self._frames(gone):
            yield event

    def pictures(self, gone: Gone) -> Iterator[bytes]:
        """The pictures likewise, as JPEG, which is made once for all viewers."""
        for number, picture, _ in self._frames(gone):
            if picture is None:
                continue
            with self._encoding:
                if self._jpeg[0] < number:
                    self._jpeg = (number, _encode(picture))
                encoded = self._jpeg[1]
            yield encoded

    def _frames(self, gone: Gone) -> Iterator[tuple[int, NDArray[np.uint8] | None, bytes]]:
        seen = 0
        while True:
            with self._changed:
                if self._number == seen and not self._closed:
                    self._changed.wait(_ASK)
                if self._closed:
                    return
                changed = self._number != seen
                if changed:
                    seen, picture, event = self._number, self._picture, self._event
            if changed:
                yield seen, picture, event
            elif gone():
                return


def _encode(picture: NDArray[np.uint8]) -> bytes:
    height, width = picture.shape[:2]
    if width > _WIDEST:
        size = (_WIDEST, max(round(height * _WIDEST / width), 1))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].tobytes()
