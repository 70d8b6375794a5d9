"""A stand-in for a camera: OpenCV's capture object without a device."""

from __future__ import annotations

import time

import cv2
import numpy as np


class FakeCapture:
    """A camera of 200 frames/s whose blue is the number of the frame, for `last` frames."""

    def __init__(self, last: int = 60, fps: float = 30.0) -> None:
        self.given, self.last, self.fps, self.released = 0, last, fps, False

    def isOpened(self) -> bool:
        return True

    def read(self) -> tuple[bool, np.ndarray | None]:
        time.sleep(0.005)
        if self.given >= self.last:
            return False, None
        image = np.zeros((48, 64, 3), dtype=np.uint8)
        image[..., 0] = self.given % 256
        image[..., 2] = 200
        self.given += 1
        return True, image

    def get(self, prop: int) -> float:
        return self.fps if prop == cv2.CAP_PROP_FPS else 0.0

    def release(self) -> None:
        self.released = True
