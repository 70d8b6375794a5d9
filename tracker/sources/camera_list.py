"""Which cameras there are."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2

from model.errors import InputError
from tracker.system.native_stderr import native_stderr_hidden

# Where systems number their cameras without gaps and tell no names, probing ends here.
_PROBED = 8
# VIDIOC_QUERYCAP and its answer, from the kernel's videodev2.h: struct v4l2_capability has 104
# bytes, with `capabilities` at 84 and `device_caps` at 88.
_QUERY_CAPABILITIES = 0x80685600
_CAPABILITY_BYTES = 104
_HAS_DEVICE_CAPABILITIES = 0x80000000
_CAPTURES = 0x00000001 | 0x00001000  # one plane, many planes


@dataclass(frozen=True)
class Camera:
    """A camera.

    Attributes:
        index: its number, as --source takes it.
        name: what its driver calls it.
    """

    index: int
    name: str


def list_cameras() -> list[Camera]:
    """The cameras of this machine, by number.

    Linux tells them with their names, without opening them for pictures. Elsewhere the first
    numbers are tried one after the other, which takes some seconds and lights the cameras' lamps,
    and there are no names.
    """
    return linux_cameras() if sys.platform.startswith("linux") else _probed_cameras()


def find_camera(name: str, cameras: list[Camera]) -> Camera | None:
    """The camera whose name contains a text, whatever the case; None if there is none.

    Raises:
        InputError: several cameras have such a name, and none has exactly this one.
    """
    wanted = name.casefold()
    found = [camera for camera in cameras if wanted in camera.name.casefold()]
    exact = [camera for camera in found if camera.name.casefold() == wanted]
    if len(exact) == 1:
        return exact[0]
    if len(found) > 1:
        numbers = ", ".join(f"{camera.index} ({camera.name})" for camera in found)
        raise InputError(f"several cameras are called '{name}': give a number, {numbers}.")
    return found[0] if found else None


def can_capture(device: Path) -> bool | None:
    """Whether a Linux device gives pictures (others of a webcam give only metadata).

    Returns:
        None if it cannot be asked, for want of permission for example.
    """
    import fcntl  # noqa: PLC0415 (not on Windows)

    answer = bytearray(_CAPABILITY_BYTES)
    try:
        with device.open("rb", buffering=0) as file:
            fcntl.ioctl(file, _QUERY_CAPABILITIES, answer)
    except OSError:
        return None
    return _answer_captures(bytes(answer))


def linux_cameras(
    devices: Path = Path("/dev"),
    classes: Path = Path("/sys/class/video4linux"),
    captures: Callable[[Path], bool | None] = can_capture,
) -> list[Camera]:
    """Cameras as Linux lists them; one that cannot be asked is listed with that remark."""
    cameras = []
    for device in devices.glob("video*"):
        number = device.name.removeprefix("video")
        if not number.isdecimal():
            continue
        able = captures(device)
        if able is False:
            continue
        name = device.name
        with suppress(OSError):
            name = (classes / device.name / "name").read_text("utf-8", "replace").strip() or name
        if able is None:
            name += " (cannot be opened: in use, or no permission; the group is usually 'video')"
        cameras.append(Camera(int(number), name))
    return sorted(cameras, key=lambda camera: camera.index)


def _answer_captures(answer: bytes) -> bool:
    whole, own = (int.from_bytes(answer[at : at + 4], sys.byteorder) for at in (84, 88))
    # Old drivers tell only what the whole device can.
    return bool((own if whole & _HAS_DEVICE_CAPABILITIES else whole) & _CAPTURES)


def _probed_cameras() -> list[Camera]:
    cameras = []
    with native_stderr_hidden():
        for index in range(_PROBED):
            capture = cv2.VideoCapture(index)
            if capture.isOpened():
                cameras.append(Camera(index, f"camera {index}"))
            capture.release()
    return cameras
