import threading
import time

import cv2
import numpy as np
import pytest

from model.errors import InputError
from tests.support.fake_camera import FakeCapture
from tracker.sources.camera import CameraReader


@pytest.fixture
def capture(monkeypatch: pytest.MonkeyPatch) -> FakeCapture:
    fake = FakeCapture()
    monkeypatch.setattr(cv2, "VideoCapture", lambda index: fake)
    return fake


def test_a_slow_consumer_gets_the_newest_frames(capture: FakeCapture) -> None:
    with CameraReader(0) as camera:
        assert camera.info.live
        assert (camera.info.width, camera.info.height) == (64, 48)
        assert camera.info.rate == 30
        assert camera.info.expected_frames is None
        numbers, times = [], []
        for index, timestamp, image in camera:
            assert index == len(numbers)
            numbers.append(int(image[0, 0, 2]))  # RGB: the number went to the last channel
            assert image[0, 0, 0] == 200
            times.append(timestamp)
            if index > 0:
                assert numbers[-1] >= capture.given - 2
            time.sleep(0.03)
    assert times[0] == 0
    assert (np.diff(times) > 0).all()
    assert (np.diff(numbers) > 0).all()
    assert 5 < len(numbers) < 20  # of 60: the others were skipped
    assert capture.released


def test_frames_before_the_first_that_is_taken_are_not_dropped(capture: FakeCapture) -> None:
    capture.last = 10_000
    with CameraReader(0) as camera:
        while capture.given < 20:  # networks are being loaded
            time.sleep(0.01)
        frames = iter(camera)
        next(frames)
        begun, before = capture.given, camera.dropped
        while capture.given < begun + 20:
            time.sleep(0.01)
        next(frames)
        # One frame may be on its way at each end.
        assert before <= 1
        assert 17 <= camera.dropped <= capture.given - begun


def test_closing_ends_a_waiting_reader(capture: FakeCapture) -> None:
    capture.last = 10_000
    camera = CameraReader(0)
    closer = threading.Timer(0.1, camera.close)
    closer.start()
    assert len(list(camera)) >= 2
    closer.join()
    assert capture.released


def test_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", lambda index: FakeCapture(last=0))
    with pytest.raises(InputError, match="camera 3 gives no picture"):
        CameraReader(3)


def test_no_camera(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="camera 97 is not there"):
        CameraReader(97)
    assert capfd.readouterr().err == ""


def test_a_driver_that_does_not_know_its_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", lambda index: FakeCapture(fps=0.0))
    with CameraReader(0) as camera:
        assert camera.info.rate is None
