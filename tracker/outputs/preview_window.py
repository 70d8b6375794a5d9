"""A window that shows the annotated frames as they come, and obeys some keys."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from model.errors import InputError
from tracker.drawing.draw_faces import DEFAULT_LAYERS
from tracker.outputs.output import OutputFrame
from tracker.system.closing import Closing
from tracker.video.picture_file import encode_picture

KEYS = "space pauses, s saves the picture, d changes what is drawn, q ends"
_QUIT_KEYS = {ord("q"), 27}  # q and Escape
# What d goes through, after what was asked for.
_CYCLE = tuple(
    frozenset(names.split())
    for names in ("points curves", "points", "curves", "points curves pose ids box", "")
)
_PAUSED_WAIT = 30  # milliseconds between looks at the keyboard
_TITLE_SECONDS = 0.5  # between changes of the title: readable
# Larger pictures are shown smaller at first, so that the window fits the usual screen.
_LARGEST = (1600, 900)

# Draws the current frame with the layers given.
Drawing = Callable[[frozenset[str]], NDArray[np.uint8]]


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


class Preview(Closing):
    """The window. A context manager.

    Keys: space pauses (a file waits, a camera's frames pass by) and goes on, s saves the picture
    that is shown, d changes what is drawn in the window, q, Escape and closing the window end.

    Attributes:
        layers: what is drawn now.

    Args:
        title: of the window.
        layers: what to draw at first.
        pictures: beginning of the paths of saved pictures, frame number and .png are added.
        hold: pause at every frame: for still pictures.
        stopped: asked while paused; True ends the pause and the run.
        on_end: called when the user has ended the run.
        note: told what was saved, or why not: sentences for the user.
    """

    def __init__(
        self,
        title: str,
        layers: frozenset[str] = DEFAULT_LAYERS,
        pictures: Path = Path("propnet"),
        *,
        hold: bool = False,
        stopped: Callable[[], bool] = lambda: False,
        on_end: Callable[[], object] = lambda: None,
        note: Callable[[str], object] = lambda text: None,
    ) -> None:
        self.layers = layers
        self._on_end, self._note = on_end, note
        self._title, self._pictures, self._hold, self._stopped = title, pictures, hold, stopped
        self._cycle = [layers, *(other for other in _CYCLE if other != layers)]
        self._open = False
        self._titled = 0.0
        self._last: float | None = None
        self._rate = 0.0

    def write(self, frame: OutputFrame) -> None:
        """Show a frame; returns after the pause, if the user makes one."""
        if not self.show(frame.index, frame.drawn, frame.latency):
            self._on_end()

    def show(self, number: int, draw: Drawing, latency: float | None = None) -> bool:
        """Show a frame; returns after the pause, if the user makes one.

        Args:
            number: of the frame, from 0.
            draw: makes the picture, [H, W, 3], uint8, RGB.
            latency: seconds since the frame had arrived, for the title; None for files.

        Returns:
            False once the user has ended the run.
        """
        image = self._paint(draw)
        self._update_title(latency)
        paused = self._hold
        while True:
            key = cv2.waitKey(_PAUSED_WAIT if paused else 1) & 0xFF
            closed = cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1
            if key in _QUIT_KEYS or closed or self._stopped():
                return False
            if key == ord(" "):
                paused = not paused
            elif key == ord("d"):
                self.layers = self._cycle[(self._cycle.index(self.layers) + 1) % len(self._cycle)]
                image = self._paint(draw)
            elif key == ord("s"):
                self._save(number, image)
            if not paused:
                return True

    def close(self, early: bool = False) -> None:
        """Close the window. A second call does nothing."""
        if self._open:
            cv2.destroyAllWindows()
            self._open = False

    def _paint(self, draw: Drawing) -> NDArray[np.uint8]:
        image = draw(self.layers)
        if not self._open:
            # GUI_NORMAL: Qt's own tool bar and menu would take some of the keys.
            flags = cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL
            cv2.namedWindow(self._title, flags)
            height, width = image.shape[:2]
            share = min(_LARGEST[0] / width, _LARGEST[1] / height, 1.0)
            cv2.resizeWindow(self._title, round(share * width), round(share * height))
            self._open = True
        cv2.imshow(self._title, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        return image

    def _update_title(self, latency: float | None) -> None:
        now = time.monotonic()
        if self._last is not None:
            speed = 1 / max(now - self._last, 1e-3)
            self._rate = 0.9 * self._rate + 0.1 * speed if self._rate else speed
        self._last = now
        if self._rate and now - self._titled >= _TITLE_SECONDS:
            self._titled = now
            late = f", {1000 * latency:.0f} ms late" if latency is not None else ""
            cv2.setWindowTitle(self._title, f"{self._title}: {self._rate:.0f} frames/s{late}")

    def _save(self, number: int, image: NDArray[np.uint8]) -> None:
        name = f"{self._pictures.name}-{number + 1:06d}"
        path = self._pictures.with_name(f"{name}.png")
        extra = 1
        while path.exists():
            extra += 1
            path = self._pictures.with_name(f"{name}-{extra}.png")
        try:
            path.write_bytes(encode_picture(image, ".png"))
        except OSError as error:
            # No reason to lose the recording.
            self._note(f"{path} could not be saved: {error.strerror}")
        else:
            self._note(f"saved {path}")


def _gui() -> str:
    """Name of OpenCV's window toolkit, empty in the headless build."""
    return str(cv2.currentUIFramework())
