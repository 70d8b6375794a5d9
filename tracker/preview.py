"""A window that shows the annotated frames as they come."""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from model.errors import InputError

_QUIT_KEYS = {ord("q"), 27}  # q and Escape


def has_display() -> bool:
    """Whether a window can be shown: a graphical session, and an OpenCV that can draw windows."""
    session = not sys.platform.startswith("linux") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    return session and bool(_gui())


def check_display() -> None:
    """Make sure that a window can be shown.

    Raises:
        InputError: it cannot (asking the GUI library instead would end the process).
    """
    if not has_display():
        reason = "there is no display" if _gui() else "the installed OpenCV has no windows"
        raise InputError(
            f"the preview cannot be shown: {reason}; add --no-show and --out VIDEO or --save FILE, "
            "or run in a graphical session."
        )


class Preview:
    """The window. A context manager.

    Args:
        title: of the window.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._open = False

    def show(self, image: NDArray[np.uint8]) -> bool:
        """Show a frame.

        Args:
            image: [H, W, 3], uint8, RGB.

        Returns:
            False once the user has pressed q or Escape, or closed the window.
        """
        if not self._open:
            cv2.namedWindow(self._title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
            cv2.resizeWindow(self._title, image.shape[1], image.shape[0])
            self._open = True
        cv2.imshow(self._title, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        key = cv2.waitKey(1) & 0xFF
        closed = cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1
        return key not in _QUIT_KEYS and not closed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._open:
            cv2.destroyAllWindows()


def _gui() -> str:
    """Name of OpenCV's window toolkit, empty in the headless build."""
    return str(cv2.currentUIFramework())
