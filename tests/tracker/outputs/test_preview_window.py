import re
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from model.errors import InputError
from tracker.drawing.draw_faces import DEFAULT_LAYERS
from tracker.outputs import preview_window
from tracker.outputs.preview_window import Preview, check_display, has_display

IMAGE = np.full((48, 64, 3), (200, 100, 50), dtype=np.uint8)


class Window(SimpleNamespace):
    """OpenCV's windows, without a display; `keys` are pressed one at each look."""

    def wait(self, milliseconds: int) -> int:
        assert milliseconds > 0  # 0 would wait for ever
        self.looks += 1
        if self.keys:
            return ord(self.keys.pop(0))
        return -1


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> Window:
    state = Window(shown=[], keys=[], looks=0, visible=1.0, destroyed=False, title="")
    monkeypatch.setattr(cv2, "namedWindow", lambda *_: None)
    monkeypatch.setattr(cv2, "resizeWindow", lambda _, *size: setattr(state, "size", size))
    monkeypatch.setattr(cv2, "imshow", lambda _, image: state.shown.append(image))
    monkeypatch.setattr(cv2, "waitKey", state.wait)
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: state.visible)
    monkeypatch.setattr(cv2, "setWindowTitle", lambda _, title: setattr(state, "title", title))
    monkeypatch.setattr(cv2, "destroyAllWindows", lambda: setattr(state, "destroyed", True))
    return state


def draw(layers: frozenset[str]) -> np.ndarray:
    """The number of layers is in the green of the picture."""
    image = IMAGE.copy()
    image[..., 1] = len(layers)
    return image


def test_frames_are_shown_in_opencv_order(window: Window) -> None:
    with Preview("test") as shown:
        assert shown.show(0, lambda _: IMAGE, latency=0.0444)
        assert window.title == ""  # one frame has no rate
        assert shown.show(1, lambda _: IMAGE, latency=0.0444)
    assert tuple(window.shown[0][0, 0]) == (50, 100, 200)
    assert re.fullmatch(r"test: \d+ frames/s, 44 ms late", window.title)
    assert window.destroyed
    assert window.size == (64, 48)


def test_large_pictures_fit_the_screen(window: Window) -> None:
    for shape, size in (((2160, 3840), (1600, 900)), ((2400, 1000), (375, 900))):
        with Preview("test") as shown:
            assert shown.show(0, lambda _, shape=shape: np.zeros((*shape, 3), np.uint8))
        assert window.size == size


@pytest.mark.parametrize(
    ("key", "visible", "goes_on"),
    [("", 1, True), ("x", 1, True), ("q", 1, False), ("\x1b", 1, False), ("", 0, False)],
)
def test_the_user_can_end_it(window: Window, key: str, visible: float, goes_on: bool) -> None:
    window.keys, window.visible = list(key), visible
    with Preview("test") as shown:
        assert shown.show(0, draw) is goes_on


def test_space_pauses_until_space(window: Window) -> None:
    with Preview("test") as shown:
        window.keys = list(" xx ")
        assert shown.show(0, draw)
        assert window.looks == 4
        window.keys = list(" xq")
        assert not shown.show(1, draw)
        assert window.looks == 7
        assert len(window.shown) == 2


def test_a_pause_ends_when_the_run_is_stopped(window: Window) -> None:
    with Preview("test", stopped=lambda: window.looks > 5) as shown:
        window.keys = [" "]
        assert not shown.show(0, draw)
        assert window.looks == 6


def test_a_still_picture_is_held(window: Window) -> None:
    with Preview("test", hold=True) as shown:
        window.keys = list("xxx ")
        assert shown.show(0, draw)
        assert window.looks == 4


def test_d_changes_what_is_drawn_and_comes_round(window: Window) -> None:
    with Preview("test") as shown:
        window.keys = list(" ddddd ")
        assert shown.show(0, draw)
        counts = [int(image[0, 0, 1]) for image in window.shown]
        assert counts == [2, 1, 1, 5, 0, 2]  # of layers; the first is drawn once more at the end
        assert shown.layers == DEFAULT_LAYERS
        window.keys = list("d")
        assert shown.show(1, draw)
        assert shown.show(2, draw)
        assert int(window.shown[-1][0, 0, 1]) == 1  # the choice stays


def test_s_saves_what_is_shown_and_never_overwrites(window: Window, tmp_path: Path) -> None:
    notes: list[str] = []
    with Preview("test", pictures=tmp_path / "clip", note=notes.append) as shown:
        window.keys = list(" sds ")
        assert shown.show(4, draw)
    names = ["clip-000005-2.png", "clip-000005.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    saved = [cv2.imread(str(tmp_path / name)) for name in names]
    assert tuple(saved[1][0, 0]) == (50, 2, 200)
    assert tuple(saved[0][0, 0]) == (50, 1, 200)
    assert [note.split()[0] for note in notes] == ["saved", "saved"]


def test_a_picture_that_cannot_be_saved_ends_nothing(window: Window, tmp_path: Path) -> None:
    notes: list[str] = []
    with Preview("test", pictures=tmp_path / "none" / "clip", note=notes.append) as shown:
        window.keys = ["s"]
        assert shown.show(0, draw)
    assert "could not be saved: No such file" in notes[0]


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
    monkeypatch.setattr(preview_window.sys, "platform", platform)
    monkeypatch.setattr(cv2, "currentUIFramework", lambda: toolkit)
    assert has_display() is possible
    if possible:
        check_display()
    else:
        reason = "has no windows" if not toolkit else "no display"
        with pytest.raises(InputError, match=reason):
            check_display()
