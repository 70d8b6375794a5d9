"""The preview in a real window, on a screen in memory (Xvfb), with real keys."""

import os
import shutil
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tracker.assets.portrait import portrait_image
from tracker.bench.moving_portrait import portrait_frame, portrait_motion
from tracker.drawing.style import PALETTE

MISSING = [tool for tool in ("Xvfb", "xdotool") if shutil.which(tool) is None]
pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=f"needs {' and '.join(MISSING)} (apt install)"),
    pytest.mark.skipif(
        not cv2.currentUIFramework(), reason="the installed OpenCV has no windows (headless build)"
    ),
]
SIZE = (320, 240)
PATIENCE = 60.0  # seconds; what is waited for takes a fraction of one on an idle machine


class Screen:
    """A screen in memory."""

    def __init__(self, folder: Path) -> None:
        reading, writing = os.pipe()
        self._server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(writing), "-screen", "0", "800x600x24", "-fbdir",
             str(folder), "-nolisten", "tcp"],
            pass_fds=[writing],
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(writing)
        with os.fdopen(reading) as told:
            self.display = f":{told.readline().strip()}"
        self._memory = folder / "Xvfb_screen0"

    def __call__(self) -> NDArray[np.int_]:
        """What is on it: [600, 800, 3], RGB. Its memory is a file in X's window dump format."""
        data = self._memory.read_bytes()
        header = struct.unpack(">25I", data[:100])
        height, line, colours = header[5], header[12], header[19]
        start = header[0] + 12 * colours
        rows = np.frombuffer(data, np.uint8, height * line, start).reshape(height, line // 4, 4)
        return rows[:, : header[4], 2::-1].astype(int)

    def key(self, name: str) -> None:
        window = self.windows()[0]
        self._tool("key", "--window", window, name)

    def windows(self) -> list[str]:
        found = self._tool("search", "--onlyvisible", "--name", "propnet-track", check=False)
        return found.stdout.split()

    def close(self) -> None:
        self._server.terminate()
        self._server.wait()

    def _tool(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "DISPLAY": self.display}
        return subprocess.run(
            ["xdotool", *arguments], env=environment, capture_output=True, text=True, check=check
        )


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    folder = tmp_path / "screen"
    folder.mkdir()
    found = Screen(folder)
    yield found
    found.close()


def wait_for(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.05)


def feed(pipe: object) -> None:
    """The portrait in motion, again and again, until nobody reads any more."""
    image = portrait_image()
    clip = [cv2.resize(portrait_frame(image, m), SIZE) for m in portrait_motion(30)]
    try:
        while True:
            for frame in clip:
                pipe.write(frame.tobytes())  # type: ignore[attr-defined]
    except OSError:
        return


def test_the_window_and_its_keys(screen: Screen, network: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    environment = {**os.environ, "DISPLAY": screen.display}
    environment.pop("WAYLAND_DISPLAY", None)
    # Frames without end: only a key ends the run.
    command = [sys.executable, "-m", "tracker.cli", "-", "--size", "320x240", "--fps", "30"]
    with subprocess.Popen(
        [*command, "--show", "--weights", str(network)],
        cwd=home,
        env={**environment, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    ) as run:
        assert run.stdin and run.stdout and run.stderr
        feeder = threading.Thread(target=feed, args=[run.stdin], daemon=True)
        feeder.start()
        try:
            wait_for(lambda: run.poll() is not None or screen.windows(), "the window")
            assert run.poll() is None, run.stderr.read()
            wait_for(lambda: curves(screen()) > 50, "curves in the window")
            shown = screen()
            assert (shown > 20).any(axis=2).sum() == pytest.approx(320 * 240, rel=0.2)
            wait_for(lambda: not np.array_equal(screen(), shown), "the next frame")

            screen.key("space")
            wait_for(lambda: stands_still(screen), "the pause")
            paused = screen()
            screen.key("s")
            wait_for(lambda: list(home.glob("*.png")), "the saved picture")
            screen.key("d")
            wait_for(lambda: curves(screen()) < 10, "points without curves")
            assert (screen() != paused).any()
            screen.key("space")
            wait_for(lambda: not stands_still(screen), "the end of the pause")
            screen.key("q")
            wait_for(lambda: run.poll() is not None, "the end")
        finally:
            run.kill()
        feeder.join()
        out, err = run.stdout.read().decode(), run.stderr.read().decode()
    assert run.returncode == 0, err
    (saved,) = home.glob("*.png")
    assert f"saved {saved}" in out
    # What was saved is what was shown.
    picture = cv2.cvtColor(cv2.imread(str(saved)), cv2.COLOR_BGR2RGB).astype(int)
    assert picture.shape == (240, 320, 3)
    rows, columns = np.nonzero((paused > 20).any(axis=2))
    window = paused[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    window = cv2.resize(window.astype(np.uint8), SIZE).astype(int)
    assert np.abs(window - picture).mean() < 8


def curves(picture: NDArray[np.int_]) -> int:
    """How many pixels have the colour of the first face's curves, nearly."""
    return int((np.abs(picture - PALETTE[0]).max(axis=2) < 60).sum())


def stands_still(screen: Screen) -> bool:
    before = screen()
    time.sleep(0.4)
    return bool((screen() == before).all())
