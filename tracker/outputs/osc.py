"""Send faces as Open Sound Control (OSC) messages over UDP. Needs python-osc.

One bundle per face and frame, and one message per frame before them:

    /propnet/frame                 i frame (from 1), f timestamp (s), i number of faces
    /propnet/face/ID/confidence    f 0..1
    /propnet/face/ID/rotation      f pitch, f yaw, f roll, degrees (see `measures.head_pose`)
    /propnet/face/ID/translation   f x, f y, f z, mm
    /propnet/face/ID/eyes          f left, f right, of the picture: opening ratios
    /propnet/face/ID/mouth         f opening ratio
    /propnet/face/ID/blink         i blinks so far; sent when a blink ends
    /propnet/face/ID/landmarks     f x0, f y0, f x1, ... in pixels

Rotation and translation are left out where the landmarks allow no pose, eyes and mouth where the
markup does not say which points they are.
"""

from __future__ import annotations

from math import isnan
from typing import Any

from model.errors import InputError
from tracker.measures.face_measures import Measures
from tracker.outputs.output import OutputFrame
from tracker.outputs.udp import UdpSender
from tracker.system.closing import Closing
from tracker.tracking.results import Face

DEFAULT_PORT = 9000
_ROOT = "/propnet"


class OscSender(Closing):
    """Sends every frame's faces. A context manager.

    Args:
        sender: where to.

    Raises:
        InputError: python-osc is missing.
    """

    def __init__(self, sender: UdpSender) -> None:
        try:
            from pythonosc import osc_bundle_builder, osc_message_builder  # noqa: PLC0415
        except ImportError as error:
            sender.close()
            raise InputError(
                "OSC needs python-osc: pip install 'propnet-tracker[osc]', or leave out --osc."
            ) from error
        self._message_builder: Any = osc_message_builder.OscMessageBuilder
        self._bundle_builder: Any = osc_bundle_builder.OscBundleBuilder
        self._now: Any = osc_bundle_builder.IMMEDIATELY
        self._sender = sender

    def write(self, frame: OutputFrame) -> None:
        """Send a frame, also one without faces."""
        head = self._message("frame", frame.index + 1, float(frame.timestamp), len(frame.faces))
        self._sender.send(head.dgram)
        for face, measures in zip(frame.faces, frame.measures, strict=True):
            bundle = self._bundle_builder(self._now)
            for name, values in _contents(face, measures):
                bundle.add_content(self._message(f"face/{face.id}/{name}", *values))
            self._sender.send(bundle.build().dgram)

    def _message(self, name: str, *values: float) -> Any:
        builder = self._message_builder(address=f"{_ROOT}/{name}")
        for value in values:
            builder.add_arg(value, "i" if isinstance(value, int) else "f")
        return builder.build()

    def close(self, early: bool = False) -> None:
        """Release the socket."""
        self._sender.close()


def _contents(face: Face, measures: Measures) -> list[tuple[str, list[float]]]:
    contents: list[tuple[str, list[float]]] = [("confidence", [float(face.confidence)])]
    if measures.pose is not None:
        contents.append(("rotation", list(measures.pose.angles)))
        contents.append(("translation", measures.pose.translation.tolist()))
    if not any(map(isnan, measures.eyes)):
        contents.append(("eyes", list(measures.eyes)))
    if not isnan(measures.mouth):
        contents.append(("mouth", [measures.mouth]))
    if measures.blink is not None:
        contents.append(("blink", [measures.blinks]))
    contents.append(("landmarks", face.landmarks.ravel().tolist()))
    return contents
