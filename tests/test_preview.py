from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from model.errors import InputError
from tracker import preview
from tracker.preview import Preview, check_display, has_display

IMAGE = np.full((48, 64, 3), (200, 100, 50), dtype=np.uint8)


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """OpenCV's windows, without a display."""
    state = SimpleNamespace(shown=[], key=-1, visible=1.0, destroyed=False)
    monkeypatch.setattr(cv2, "namedWindow", lambda *_: None)
    monkeypatch.setattr(cv2, "resizeWindow", lambda *_: None)
    monkeypatch.setattr(cv2, "imshow", lambda _, image: state.shown.append(image))
    monkeypatch.setattr(cv2, "waitKey", lambda _: state.key)
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: state.visible)
    monkeypatch.setattr(cv2, "destroyAllWindows", lambda: setattr(state, "destroyed", True))
    return state


def test_frames_are_shown_in_opencv_order(window: SimpleNamespace) -> None:
    with Preview("test") as shown:
        assert shown.show(IMAGE)
    assert tuple(window.shown[0][0, 0]) == (50, 100, 200)
    assert window.destroyed


@pytest.mark.parametrize(
    ("key", "visible", "goes_on"),
    [(-1, 1, True), (ord("x"), 1, True), (ord("q"), 1, False), (27, 1, False), (-1, 0, False)],
)
def test_the_user_can_end_it(
    window: SimpleNamespace, key: int, visible: float, goes_on: bool
) -> None:
    window.key, window.visible = key, visible
    with Preview("test") as shown:
        assert shown.show(IMAGE) is goes_on


@pytest.mark.parametrize(
    ("platform", "variables", "toolkit", "possible"),
    [
        ("linux", {}, "QT5", False),
        ("linux", {"DISPLAY": ":0"}, "QT5", True),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, "QT5", True),
        ("linux", {"DISPLAY": ":0"}, "", False),
        ("darwin", {}, "COCOA", True),
        ("win32", {}, "", False),
    ],
)
def test_when_a_window_is_possible(
    monkeypatch: pytest.MonkeyPatch,
    platform: str,
    variables: dict[str, str],
    toolkit: str,
    possible: bool,
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(preview.sys, "platform", platform)
    monkeypatch.setattr(cv2, "currentUIFramework", lambda: toolkit)
    assert has_display() is possible
    if possible:
        check_display()
    else:
        reason = "has no windows" if not toolkit else "no display"
        with pytest.raises(InputError, match=reason):
            check_display()
