import struct
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import pytest

from model.errors import InputError
from tests.support.fake_camera import FakeCapture
from tracker.sources import camera_list
from tracker.sources import open_source as opening
from tracker.sources.camera_list import Camera, find_camera, linux_cameras
from tracker.sources.open_source import camera_index, open_source
from tracker.sources.source_options import SourceOptions

CAMERAS = [Camera(0, "Integrated Webcam"), Camera(2, "Logitech C920"), Camera(4, "Logitech C270")]


def test_cameras_of_linux(tmp_path: Path) -> None:
    able: dict[str, bool | None] = {
        "video10": True,
        "video2": True,
        "video3": False,
        "video4": None,
    }
    for name in (*able, "videodev"):
        (tmp_path / name).touch()
    classes = tmp_path / "classes" / "video2"
    classes.mkdir(parents=True)
    (classes / "name").write_text("Logitech C920\n")
    found = linux_cameras(tmp_path, tmp_path / "classes", lambda path: able[path.name])
    assert [camera.index for camera in found] == [2, 4, 10]
    assert found[0].name == "Logitech C920"
    assert "cannot be opened" in found[1].name
    assert found[2].name == "video10"


@pytest.mark.parametrize(
    ("whole", "own", "captures"),
    [(0x84A00001, 0x04200001, True), (0x84A00001, 0x04A00000, False), (0x1, 0, True), (2, 1, False),
     (0x80000000, 0x1000, True)],
)  # fmt: skip
@pytest.mark.skipif(sys.platform == "win32", reason="video4linux is Linux's")
def test_asking_a_device(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, whole: int, own: int, captures: bool
) -> None:
    """The first is a webcam's picture device, the second its metadata device, as uvcvideo says."""
    import fcntl

    def ioctl(file: object, request: int, answer: bytearray) -> int:
        # _IOR('V', 0, struct v4l2_capability)
        assert request == (2 << 30) | (104 << 16) | (ord("V") << 8) | 0
        layout = "16s32s32sIII3I"
        assert len(answer) == struct.calcsize(layout)
        struct.pack_into(layout, answer, 0, b"uvc", b"cam", b"usb", 1, whole, own, 0, 0, 0)
        return 0

    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    (tmp_path / "video0").touch()
    assert camera_list.can_capture(tmp_path / "video0") is captures
    assert camera_list.can_capture(tmp_path / "video1") is None


def test_a_file_is_no_camera(tmp_path: Path) -> None:
    (tmp_path / "video0").touch()
    assert camera_list.can_capture(tmp_path / "video0") is None  # ENOTTY


def test_cameras_elsewhere_are_probed(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {0, 2}
    monkeypatch.setattr(camera_list.sys, "platform", "darwin")
    monkeypatch.setattr(
        cv2,
        "VideoCapture",
        lambda index: SimpleNamespace(isOpened=lambda: index in there, release=lambda: None),
    )
    assert [camera.index for camera in camera_list.list_cameras()] == [0, 2]


def test_cameras_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert find_camera("c920", CAMERAS) == CAMERAS[1]
    assert find_camera("none", CAMERAS) is None
    with pytest.raises(InputError, match=r"give a number, 2 \(Logitech C920\), 4"):
        find_camera("logi", CAMERAS)
    monkeypatch.setattr(opening, "list_cameras", lambda: CAMERAS)
    assert camera_index("webcam") == 0
    monkeypatch.chdir(tmp_path)
    (tmp_path / "webcam").touch()
    assert camera_index("webcam") is None  # a file comes first
    assert camera_index("./c920") is None
    assert camera_index("c920.mp4") is None
    with pytest.raises(InputError, match=r"nothing does not exist.*0 Integrated Webcam"):
        camera_index("nothing")


class AdjustableCapture(FakeCapture):
    """A camera that takes what it is asked for, up to its own frame size of 64x48 and 30 fps."""

    def __init__(self) -> None:
        super().__init__(last=1000)
        self.asked: dict[int, float] = {}

    def set(self, prop: int, value: float) -> bool:
        self.asked[prop] = value
        return True


def test_size_and_rate_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from fractions import Fraction

    capture = AdjustableCapture()
    monkeypatch.setattr(cv2, "VideoCapture", lambda index: capture)
    with open_source("0", SourceOptions(size=(64, 48), rate=Fraction(30))) as camera:
        assert camera.info.width == 64
    assert capture.asked[cv2.CAP_PROP_FRAME_WIDTH] == 64
    assert capture.asked[cv2.CAP_PROP_FRAME_HEIGHT] == 48
    assert capture.asked[cv2.CAP_PROP_FPS] == 30
    with pytest.raises(InputError, match="no size 1920x1080: the nearest it gives is 64x48"):
        open_source(0, SourceOptions(size=(1920, 1080)))
    with pytest.raises(InputError, match=r"cannot give 60 frames/s at 64x48: it gives 30"):
        open_source(0, SourceOptions(rate=Fraction(60)))
    assert capture.released


def test_options_that_do_not_fit(tmp_path: Path) -> None:
    for source in (tmp_path / "clip.mp4", "rtsp://me:pw@cam/1"):
        with pytest.raises(InputError, match="--size is for cameras") as caught:
            open_source(source, SourceOptions(size=(64, 48)))
        assert "pw" not in str(caught.value)
    with pytest.raises(InputError, match="--pixel-format is for raw frames"):
        open_source(0, SourceOptions(pixel_format="gray"))
