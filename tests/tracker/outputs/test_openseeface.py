"""The packets are read as OpenSeeFace's Unity receiver reads them: value by value, in order."""

import socket
import struct

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from model.errors import InputError
from model.shipped_markups import WFLW_TO_IBUG
from tests.support.measured_faces import HEIGHT, WIDTH, face, measured, output_frame
from tracker.measures.face_measures import FaceMeasurer
from tracker.measures.intrinsics import Intrinsics
from tracker.measures.rotation import rotation_matrix
from tracker.outputs.openseeface import (
    FEATURES,
    IBUG_ORDER,
    OpenSeeSender,
    opensee_quaternion,
    opensee_rotation,
    order_from,
)
from tracker.outputs.udp import UdpSender
from tracker.system.network_address import Address

PLACE = (60.0, -40.0, 900.0)


class Reader:
    """Takes little-endian values off a packet, one after the other."""

    def __init__(self, data: bytes) -> None:
        self.data, self.offset = data, 0

    def one(self, code: str) -> float:
        (value,) = struct.unpack_from("<" + code, self.data, self.offset)
        self.offset += struct.calcsize(code)
        return value

    def floats(self, count: int) -> np.ndarray:
        return np.array([self.one("f") for _ in range(count)])


def parse(data: bytes) -> list[dict]:
    faces, reader = [], Reader(data)
    while reader.offset < len(data):
        faces.append(
            {
                "time": reader.one("d"),
                "id": reader.one("i"),
                "size": reader.floats(2),
                "right_eye": reader.one("f"),
                "left_eye": reader.one("f"),
                "success": reader.one("B"),
                "error": reader.one("f"),
                "quaternion": reader.floats(4),
                "euler": reader.floats(3),
                "translation": reader.floats(3),
                "confidence": reader.floats(68),
                "points": reader.floats(136).reshape(68, 2),
                "points3d": reader.floats(210).reshape(70, 3),
                "features": dict(zip(FEATURES, reader.floats(14), strict=True)),
            }
        )
    return faces


def send(receiver: socket.socket, *frames, markup: str = "wflw98", clock=lambda: 1e9) -> list:
    address = Address(*receiver.getsockname())
    packets = []
    with OpenSeeSender(UdpSender(address), markup, Intrinsics.from_fov, clock) as sender:
        for frame in frames:
            sender.write(frame)
            if frame.faces:
                packets.append(parse(receiver.recv(65536)))
    return packets


def test_over_loopback(receiver: socket.socket) -> None:
    first, second = face(3, (10, 20, -15), PLACE), face(7, place=(-150, 0, 800))
    frame = measured(first, second)
    ((one, two),) = send(receiver, measured(index=0), frame)
    assert (one["id"], two["id"]) == (3, 7)
    assert one["time"] == 1e9
    np.testing.assert_array_equal(one["size"], (WIDTH, HEIGHT))
    assert one["success"] == two["success"] == 1
    assert 0 < one["error"] < 1
    # Landmarks: contour, brows, nose and eye corners have the same numbers in iBUG's order.
    for wflw, ibug in WFLW_TO_IBUG[:40]:
        np.testing.assert_allclose(one["points"][ibug], first.landmarks[wflw], atol=1e-3)
        assert one["confidence"][ibug] == pytest.approx(first.scores[wflw])
    np.testing.assert_allclose(one["points"][66:], first.landmarks[[96, 97]], atol=1e-3)
    # Mouth corners are at 58 and 62, between the outer and the inner lips.
    np.testing.assert_allclose(one["points"][[58, 62]], first.landmarks[[76, 82]], atol=1e-3)
    np.testing.assert_allclose(one["points"][48:53], first.landmarks[77:82], atol=1e-3)
    np.testing.assert_allclose(one["points"][53:58], first.landmarks[83:88], atol=1e-3)
    np.testing.assert_allclose(one["points"][63:66], first.landmarks[93:96], atol=1e-3)
    assert one["right_eye"] == one["left_eye"] == 1
    assert set(one["features"].values()) == {0.0}  # nothing is unusual yet


def test_the_order_leaves_no_landmark_out() -> None:
    assert len(IBUG_ORDER) == 66
    assert set(range(68)) - set(IBUG_ORDER) == {60, 64}
    np.testing.assert_allclose(order_from("wflw98").sum(1), 1)
    np.testing.assert_allclose(order_from("ibug68").sum(1), 1)
    with pytest.raises(InputError, match="68 or 98"):
        order_from("cofw29")


def receivers_pose(packet: dict) -> tuple[np.ndarray, np.ndarray]:
    """Rotation and position as OpenSeeFace's Unity example (OpenSeeIKTarget) has them.

    Unity's axes: x right, y up, z forward, seen from the camera's side after the example's signs.
    """
    x, y, z, w = packet["quaternion"]
    rotation = Rotation.from_quat([-y, -x, z, w])
    a, b, c = packet["translation"]
    return rotation, np.array([-b, a, -c])


def unit(axis: str, degrees: float) -> Rotation:
    return Rotation.from_euler(axis, degrees, degrees=True)


def test_what_a_receiver_makes_of_it(receiver: socket.socket) -> None:
    """Relative to a face at rest, turns about each axis arrive as the same turns."""
    rest, _ = receivers_pose(send(receiver, measured(face(0, place=PLACE)))[0][0])
    arrived = {}
    for axis, angles in {"x": (15, 0, 0), "y": (0, 15, 0), "z": (0, 0, 15)}.items():
        packet = send(receiver, measured(face(0, angles, PLACE)))[0][0]
        rotation, place = receivers_pose(packet)
        # The tip of the nose, 141.6 mm to the unit: right, up and away from the camera.
        expected = np.array([60, 40 - 35, 900 - 42]) / 141.6
        np.testing.assert_allclose(place, expected, atol=0.12)
        arrived[axis] = (rotation * rest.inv()).as_rotvec(degrees=True)
        assert np.linalg.norm(arrived[axis]) == pytest.approx(15, abs=0.1)
        assert np.abs(arrived[axis]).max() == pytest.approx(15, abs=0.1)  # one axis only
    axes = [np.abs(arrived[axis]).argmax() for axis in "xyz"]
    assert sorted(axes) == [0, 1, 2]
    assert axes[2] == 2  # roll is about the axis of sight


@pytest.mark.parametrize("angles", [(0, 0, 0), (12, 0, 0), (0, -25, 0), (0, 0, 30), (10, 20, -15)])
def test_rotation_is_what_openseeface_would_find(angles: tuple[float, float, float]) -> None:
    """Its own procedure, on the generic face: far away, where perspective does not matter."""
    import cv2

    from tracker.measures.generic_face import face_model

    model = face_model("wflw98").points
    own = -(model - model[54]) / 100  # x to the picture's left, y up, z to the camera
    turn = rotation_matrix(*np.deg2rad(angles))
    seen = model @ turn.T + [0, 0, 20_000]
    camera = np.array([[20_000, 0, 320], [0, 20_000, 320], [0, 0, 1]], dtype=float)
    flat = seen[:, :2] / seen[:, 2:] * 20_000 + 320
    # (row, column) instead of (x, y), and the solution behind the camera that it settles in.
    start = cv2.Rodrigues(opensee_rotation(np.eye(3)))[0]
    _, found, shift = cv2.solvePnP(
        own, np.ascontiguousarray(flat[:, ::-1]), camera, None, start, np.array([0, 0, -200.0]),
        useExtrinsicGuess=True, flags=cv2.SOLVEPNP_ITERATIVE,
    )  # fmt: skip
    assert shift[2, 0] < 0
    theirs = cv2.Rodrigues(found)[0]
    apart = Rotation.from_matrix(theirs @ opensee_rotation(turn).T).magnitude()
    assert np.rad2deg(apart) < 1.5
    packed = opensee_quaternion(opensee_rotation(turn))
    np.testing.assert_allclose(
        Rotation.from_quat(packed).as_matrix().T, opensee_rotation(turn), atol=1e-9
    )


def test_angles_are_those_of_the_rotation(receiver: socket.socket) -> None:
    angles = (10.0, 20.0, -15.0)
    packet = send(receiver, measured(face(0, angles, PLACE)))[0][0]
    about = [
        Rotation.from_euler(axis, a, degrees=True)
        for axis, a in zip("xyz", packet["euler"], strict=True)
    ]
    composed = (about[0] * about[1] * about[2]).as_matrix()
    other = (about[2] * about[1] * about[0]).as_matrix()
    expected = opensee_rotation(rotation_matrix(*np.deg2rad(angles)))
    assert min(np.abs(composed - expected).max(), np.abs(other - expected).max()) < 0.01
    rest = send(receiver, measured(face(0, place=PLACE)))[0][0]["euler"]
    np.testing.assert_allclose([abs(rest[0]), rest[1], rest[2]], [180, 0, 90], atol=0.1)


def test_points_in_space_are_the_generic_face(receiver: socket.socket) -> None:
    """The generic face itself was projected, so it must come back, however it is turned."""
    from tracker.measures.generic_face import face_model

    packet = send(receiver, measured(face(0, (10, 25, -5), PLACE)))[0][0]
    model = order_from("wflw98") @ face_model("wflw98").points
    model = (model - face_model("wflw98").points[54]) / (89.5 / 0.632)
    np.testing.assert_allclose(packet["points3d"][:68], model * [-1, 1, 1], atol=0.005)
    centres, pupils = packet["points3d"][68:], packet["points3d"][66:68]
    assert (centres[:, 2] > pupils[:, 2] + 0.05).all()  # eyeballs lie behind pupils
    assert packet["points3d"][66, 0] > 0 > packet["points3d"][67, 0]


def test_eyes_and_mouth_against_the_usual(receiver: socket.socket) -> None:
    now = [0.0]
    measure = FaceMeasurer("wflw98")
    usual, changed = face(), face()
    for upper, lower in ((69, 75), (70, 74), (71, 73)):  # the picture's right eye: the left one
        changed.landmarks[upper] = changed.landmarks[lower]
    changed.landmarks[93:96, 1] += 30  # lower lip
    changed.landmarks[83:88, 1] += 30
    changed.landmarks[42:51, 1] -= 8  # the picture's right brow
    blank = np.zeros((480, 640, 3), np.uint8)
    frames = [
        output_frame(measure, i, i / 30, blank, [changed if i == 60 else usual]) for i in range(61)
    ]

    def clock() -> float:
        now[0] += 1 / 30
        return now[0]

    last = send(receiver, *frames, clock=clock)[-1][0]
    assert last["left_eye"] == 0
    assert last["right_eye"] == pytest.approx(1, abs=0.05)
    features = last["features"]
    assert features["EyeLeft"] == -1
    assert features["EyeRight"] == pytest.approx(0, abs=0.05)
    assert features["MouthOpen"] > 0.5
    assert features["EyebrowUpDownLeft"] > 0.5
    assert features["EyebrowUpDownRight"] == pytest.approx(0, abs=0.3)
    assert features["MouthWide"] == pytest.approx(0, abs=0.3)


def test_no_pose(receiver: socket.socket) -> None:
    spot = face()
    spot.landmarks = np.full((98, 2), 5, dtype=np.float32)
    packet = send(receiver, measured(spot))[0][0]
    assert packet["success"] == 0
    assert not packet["quaternion"].any()
    assert not packet["points3d"].any()
    np.testing.assert_array_equal(packet["points"], 5)


def test_sixty_eight_points(receiver: socket.socket) -> None:
    given = face(markup="ibug68")
    packet = send(receiver, measured(given, markup="ibug68"), markup="ibug68")[0][0]
    np.testing.assert_allclose(packet["points"][:48], given.landmarks[:48])
    np.testing.assert_allclose(packet["points"][66], given.landmarks[36:42].mean(0), atol=1e-3)


def test_more_faces_than_a_datagram_holds(receiver: socket.socket) -> None:
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    with OpenSeeSender(
        UdpSender(Address(*receiver.getsockname())), "wflw98", Intrinsics.from_fov
    ) as sender:
        sender.write(measured(*(face(number) for number in range(40))))
    ids = [item["id"] for _ in range(2) for item in parse(receiver.recv(65536))]
    assert ids == list(range(40))
