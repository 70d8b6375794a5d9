import socket
import sys

import numpy as np
import pytest

from model.errors import InputError
from tests.support.measured_faces import face, measured
from tracker.outputs import udp
from tracker.outputs.osc import OscSender
from tracker.outputs.udp import UdpSender
from tracker.system.network_address import Address, is_loopback, parse_address

MESSAGES = "needs python-osc: pip install '.[osc]'"


def padded(data: bytes, offset: int) -> tuple[str, int]:
    """A string of OSC 1.0: ended by a zero byte, filled up to four bytes."""
    end = data.index(b"\0", offset)
    return data[offset:end].decode("ascii"), end + 4 - end % 4


def message(data: bytes) -> tuple[str, list]:
    """Address and arguments, read from the bytes as the OSC 1.0 specification has them."""
    address, offset = padded(data, 0)
    tags, offset = padded(data, offset)
    assert tags[0] == ","
    kinds = {"i": ">i4", "f": ">f4"}
    values = [
        np.frombuffer(data, kinds[tag], 1, offset + 4 * index).item()
        for index, tag in enumerate(tags[1:])
    ]
    assert len(data) == offset + 4 * len(values)
    return address, values


def messages(data: bytes) -> dict[str, list]:
    if not data.startswith(b"#bundle\0"):
        return dict([message(data)])
    found, offset = {}, 16
    while offset < len(data):
        size = int.from_bytes(data[offset : offset + 4], "big")
        address, values = message(data[offset + 4 : offset + 4 + size])
        found[address] = values
        offset += 4 + size
    return found


def test_over_loopback(receiver: socket.socket) -> None:
    pytest.importorskip("pythonosc", reason=MESSAGES)
    first, second = face(2, (10, -20, 5), (50, 0, 700)), face(5)
    frame = measured(first, second, index=41, timestamp=1.5)
    with OscSender(UdpSender(Address(*receiver.getsockname()))) as sender:
        sender.write(frame)
        sender.write(measured(index=42, timestamp=1.6))
    assert messages(receiver.recv(65536)) == {"/propnet/frame": [42, 1.5, 2]}
    found = messages(receiver.recv(65536))
    assert list(found) == [
        f"/propnet/face/2/{name}"
        for name in ("confidence", "rotation", "translation", "eyes", "mouth", "landmarks")
    ]
    assert found["/propnet/face/2/rotation"] == pytest.approx([10, -20, 5], abs=0.05)
    assert found["/propnet/face/2/translation"] == pytest.approx([50, 0, 700], abs=1)
    assert found["/propnet/face/2/eyes"] == pytest.approx(frame.measures[0].eyes)
    landmarks = np.array(found["/propnet/face/2/landmarks"]).reshape(98, 2)
    np.testing.assert_array_equal(landmarks, first.landmarks)
    assert "/propnet/face/5/mouth" in messages(receiver.recv(65536))
    assert messages(receiver.recv(65536))["/propnet/frame"][2] == 0


def test_without_a_pose(receiver: socket.socket) -> None:
    pytest.importorskip("pythonosc", reason=MESSAGES)
    spot = face()
    spot.landmarks = np.full((98, 2), 5, dtype=np.float32)
    with OscSender(UdpSender(Address(*receiver.getsockname()))) as sender:
        sender.write(measured(spot))
    receiver.recv(65536)
    names = {name.rpartition("/")[2] for name in messages(receiver.recv(65536))}
    assert names == {"confidence", "eyes", "mouth", "landmarks"}


def test_without_python_osc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pythonosc", None)
    with pytest.raises(InputError, match=r"propnet-tracker\[osc\]"):
        OscSender(UdpSender(Address("127.0.0.1", 9000)))


def test_nobody_has_to_listen() -> None:
    with UdpSender(Address("127.0.0.1", 9)) as sender:
        for _ in range(5):
            sender.send(b"hello")
        sender.send(bytes(70_000))  # more than a datagram holds
        assert sender.lost == 1


def test_localhost_is_where_receivers_listen(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [(socket.AF_INET6, "::1"), (socket.AF_INET, "127.0.0.1")]
    monkeypatch.setattr(udp, "resolve", lambda address: both)
    with socket.socket(type=socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        with UdpSender(Address("localhost", receiver.getsockname()[1])) as sender:
            sender.send(b"hello")
        assert receiver.recv(10) == b"hello"


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("8000", "127.0.0.1", 8000),
        (":8000", "127.0.0.1", 8000),
        ("0.0.0.0:80", "0.0.0.0", 80),
        ("localhost:11573", "localhost", 11573),
        ("[::1]:9000", "::1", 9000),
        ("192.168.1.7", "192.168.1.7", 5),
        ("::1", "::1", 5),
        ("0", "127.0.0.1", 0),
    ],
)
def test_addresses(text: str, host: str, port: int) -> None:
    assert parse_address(text, 5) == Address(host, port)


@pytest.mark.parametrize("text", ["", "host", "host:", "host:http", "1:70000", "a b:5", "x,y:5"])
def test_no_addresses(text: str) -> None:
    with pytest.raises(InputError, match="HOST:PORT"):
        parse_address(text)


def test_loopback() -> None:
    assert is_loopback("127.0.0.1")
    assert is_loopback("::1")
    assert is_loopback("localhost")
    assert not is_loopback("0.0.0.0")
    assert not is_loopback("10.1.2.3")
    with pytest.raises(InputError, match="unknown"):
        is_loopback("no-such-host.invalid")
    assert str(Address("::1", 80)) == "[::1]:80"
