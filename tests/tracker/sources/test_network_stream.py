"""Real streams over the loopback interface, PyAV as the sender."""

import functools
import http.server
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import psutil
import pytest

from model.errors import InputError
from tests.support.commands import Run
from tests.support.video_files import encode, make_video, picture
from tracker.sources import network_stream
from tracker.sources.live_reader import LiveReader, SourceLostError
from tracker.sources.network_stream import NetworkReader, open_stream, without_password
from tracker.sources.open_source import open_source
from tracker.sources.source_options import SourceOptions
from tracker.video.video_reader import VideoReader

IMPATIENT = SourceOptions(timeout=1.0, reconnect=0.0)


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(type=kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Sender(threading.Thread):
    """Sends frames in real time, their grey telling their number, until `stop` or `frames`."""

    def __init__(
        self,
        target: str,
        container: str,
        rate: int = 30,
        frames: int = 10_000,
        size: tuple[int, int] = (160, 120),
    ) -> None:
        super().__init__(daemon=True)
        self.target, self.container, self.rate, self.frames = target, container, rate, frames
        self.size = size
        self.stopped = threading.Event()
        self.sdp: str | None = None
        self.start()

    def run(self) -> None:
        with av.open(self.target, "w", format=self.container) as container:
            # A keyframe every 5 frames: a receiver may join at any time.
            options = {"tune": "zerolatency", "preset": "ultrafast", "g": "5"}
            stream = container.add_stream("libx264", rate=self.rate, options=options)
            stream.width, stream.height, stream.pix_fmt = *self.size, "yuv420p"
            begin = time.monotonic()
            for index in range(self.frames):
                frame = av.VideoFrame.from_ndarray(picture(*self.size, 30 + 2 * index % 200))
                frame.pts, frame.time_base = index, Fraction(1, self.rate)
                try:
                    container.mux(stream.encode(frame))
                except (av.FFmpegError, OSError):
                    return  # the receiver has gone
                wait = begin + (index + 1) / self.rate - time.monotonic()
                if self.stopped.wait(max(wait, 0)):
                    return

    def stop(self) -> None:
        self.stopped.set()
        self.join(5)
        assert not self.is_alive()


Send = Callable[..., Sender]


@pytest.fixture
def send() -> Iterator[Send]:
    senders: list[Sender] = []

    def begin(*arguments: object, **more: object) -> Sender:
        senders.append(Sender(*arguments, **more))  # type: ignore[arg-type]
        return senders[-1]

    yield begin
    for sender in senders:
        sender.stop()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A web server for the files in tmp_path."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        thread = threading.Thread(target=web.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{web.server_address[1]}"
        web.shutdown()
        thread.join()


def grey(image: np.ndarray) -> int:
    return int(image[60, 80, 0])


def test_udp_gives_the_newest_frames_with_their_times(send: Send) -> None:
    address = f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
    send(f"{address}?pkt_size=1316", "mpegts")
    with open_source(address) as source:
        assert isinstance(source, LiveReader)
        info = source.info
        assert info.live
        assert (info.width, info.height, info.expected_frames) == (160, 120, None)
        times, greys, waits = [], [], []
        for index, timestamp, image in source:
            waits.append(source.latency)
            times.append(timestamp)
            greys.append(grey(image))
            time.sleep(0.08)  # slower than the stream
            if index == 11:
                break
        assert source.dropped > 5
    # Medians: a busy machine holds one frame up for half a second, or lets two come in one burst.
    assert np.median(waits) < 0.2
    steps = np.diff(times)
    assert np.median(steps) > 0.05  # frames were passed over, and the times know it
    # Two levels of grey a frame, 30 frames a second: pictures and times belong together.
    rising = np.diff(greys)
    ahead = rising > 0
    assert ahead.sum() >= 8
    np.testing.assert_allclose(rising[ahead] / 60, steps[ahead], atol=0.05)


def test_a_stream_that_ends_is_lost_after_the_time_to_reconnect(send: Send) -> None:
    address = f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
    send(address, "mpegts", frames=90)
    ended: list[float] = []
    with (
        open_stream(address, SourceOptions(timeout=1.0, reconnect=0.5)) as source,
        pytest.raises(SourceLostError, match=r"udp://127.* broke off and did not come back within"),
    ):
        for _ in source:
            ended.append(time.monotonic())
    assert ended
    assert time.monotonic() - ended[-1] < 10


def test_outputs_of_a_stream_that_breaks_off_are_whole(
    send: Send, run: Run, network: Path, tmp_path: Path
) -> None:
    address = f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
    send(address, "mpegts", frames=120)
    out, save = tmp_path / "out.mp4", tmp_path / "out.jsonl"
    options = ("--out", out, "--save", save, "--reconnect", "0.5", "--weights", network)
    result = run(address, *options)
    assert result.code == 2
    assert "did not come back within" in result.err
    assert result.err.endswith("What came before is complete.\n")
    lines = save.read_text().splitlines()
    assert lines  # a busy machine that loads the network takes only what is newest then
    with VideoReader(out) as video:
        assert len(list(video)) == len(lines)
    assert {path.name for path in tmp_path.iterdir()} == {"out.mp4", "out.jsonl"}


def send_twice(send: Send, address: str, seen: Callable[[], int], **second: object) -> list[int]:
    """Two seconds of a stream, a pause, and then one without end.

    Returns:
        Gets how many frames had been seen when the second one began. By a thread: who waits for a
        frame to see that the first has ended may have got its last one before.
    """
    first, began = send(address, "mpegts", frames=60), list[int]()

    def go_on() -> None:
        first.join()
        time.sleep(1)  # longer than the receiver waits for frames
        began.append(seen())
        send(address, "mpegts", **second)

    threading.Thread(target=go_on, daemon=True).start()
    return began


def test_a_stream_that_comes_back_goes_on(send: Send) -> None:
    address = f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
    times: list[float] = []
    came_back = send_twice(send, address, lambda: len(times))
    with open_stream(address, SourceOptions(timeout=0.7, reconnect=20)) as source:
        for _, timestamp, _ in source:
            times.append(timestamp)
            if came_back and len(times) > came_back[0] + 10:
                break
    assert (np.diff(times) > 0).all()


def test_a_stream_that_comes_back_in_another_size_keeps_its_first(send: Send) -> None:
    """The file that it is written to has one size; the picture fills it."""
    address = f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
    corners = [(8, 8), (8, 150), (110, 150), (110, 8)]
    seen = list[np.ndarray]()
    came_back = send_twice(send, address, lambda: len(seen), size=(320, 192))
    with open_stream(address, SourceOptions(timeout=0.7, reconnect=20)) as source:
        for _, _, image in source:
            assert image.shape == (120, 160, 3)
            seen.append(np.array([image[place] for place in corners]).astype(int))
            if came_back and len(seen) > came_back[0] + 25:
                break
    # Cut instead of shrunk, the larger picture would show its grey middle there.
    assert np.abs(seen[-1] - seen[0]).max() < 40


def test_closing_a_stream_is_quick(send: Send) -> None:
    address = f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
    send(address, "mpegts")
    with open_stream(address) as source:
        stopper = threading.Timer(0.3, source.stop)  # type: ignore[union-attr]
        stopper.start()
        begin = time.monotonic()
        assert len(list(source)) > 1
    assert time.monotonic() - begin < 5  # not the time after which a thread is given up


def test_a_recording_on_a_web_server_is_read_whole(server: str, tmp_path: Path) -> None:
    make_video(tmp_path / "clip.mp4", 45, (160, 120), rate=Fraction(24000, 1001))
    with open_source(f"{server}/clip.mp4") as source:
        assert isinstance(source, NetworkReader)
        assert not source.info.live
        assert source.info.frames == 45
        frames = []
        for frame in source:
            frames.append(frame)
            time.sleep(0.002)
    assert [frame.number for frame in frames] == list(range(45))
    steps = np.diff([frame.timestamp for frame in frames])
    np.testing.assert_allclose(steps, 1001 / 24000, atol=1e-6)
    with open_source(str(tmp_path / "clip.mp4")) as local:
        for ours, other in zip(frames, local, strict=True):
            np.testing.assert_array_equal(ours.image, other.image)


def test_a_live_broadcast_over_http(tmp_path: Path) -> None:
    """Bytes as they come, no length: what a camera's HTTP output is. It says when it ends."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\nTransfer-Encoding: chunked\r\n\r\n"
            )
            data = (tmp_path / "clip.ts").read_bytes()
            for start in range(0, len(data), 1880):
                try:
                    part = data[start : start + 1880]
                    connection.sendall(b"%x\r\n%b\r\n" % (len(part), part))
                except OSError:
                    return
                # Longer than a busy machine stops the reader, who gets only what is newest then.
                time.sleep(0.05)
            connection.sendall(b"0\r\n\r\n")

    make_video(tmp_path / "clip.ts", 90, (160, 120), encoder={"g": "10"})
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/live"
        with open_stream(address) as source:
            assert source.info.live
            frames = list(source)  # ends with the connection, without an error
    thread.join(5)
    assert len(frames) > 5
    assert (np.diff([frame.timestamp for frame in frames]) > 0).all()


def test_rtsp(send: Send) -> None:
    """A server just large enough for FFmpeg's client; RTP packets come from PyAV."""
    port = free_port(socket.SOCK_DGRAM)
    packets = socket.socket(type=socket.SOCK_DGRAM)
    packets.bind(("127.0.0.1", port))
    packets.settimeout(5)
    listener = socket.create_server(("127.0.0.1", 0))
    sdp = (
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=test\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        "a=control:*\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
        "a=fmtp:96 packetization-mode=1\r\na=control:track1\r\n"
    )

    def answer(connection: socket.socket) -> bool:
        request = b""
        while b"\r\n\r\n" not in request:
            part = connection.recv(4096)
            if not part:
                return False
            request += part
        lines = request.decode().split("\r\n")
        number = next(line for line in lines if line.lower().startswith("cseq"))
        method, more = lines[0].split()[0], ""
        if method == "DESCRIBE":
            more = f"Content-Type: application/sdp\r\nContent-Length: {len(sdp)}\r\n"
        elif method == "SETUP":
            more = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
        text = f"RTSP/1.0 200 OK\r\n{number}\r\nSession: 1\r\n{more}\r\n"
        connection.sendall((text + (sdp if method == "DESCRIBE" else "")).encode())
        return method != "PLAY"

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            while answer(connection):
                pass
            try:
                while True:
                    packet = packets.recv(2048)
                    connection.sendall(b"$\x00" + len(packet).to_bytes(2, "big") + packet)
            except OSError:
                return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    send(f"rtp://127.0.0.1:{port}", "rtp")
    with listener, packets:
        address = f"rtsp://127.0.0.1:{listener.getsockname()[1]}/live"
        with open_stream(address) as source:
            assert source.info.live
            assert (source.info.width, source.info.height) == (160, 120)
            times = [frame.timestamp for frame, _ in zip(source, range(15), strict=False)]
    thread.join(6)
    assert len(times) == 15
    assert (np.diff(times) > 0).all()


def test_what_cannot_be_opened(server: str, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<html>no video</html>")
    silent = socket.create_server(("127.0.0.1", 0))  # accepts, and never says a word
    cases = {
        f"{server}/none.mp4": "cannot be opened: .*404",
        f"{server}/page.html": "cannot be opened: Invalid data",
        f"rtsp://user:secret@127.0.0.1:{free_port()}/": "rtsp://127.*cannot be opened: Connection",
        f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}": "gives no answer within 2 s",
        f"http://127.0.0.1:{silent.getsockname()[1]}/": "gives no answer within 2 s",
        "gopher://127.0.0.1/": "'gopher' is no kind of stream",
    }
    with silent:
        for address, words in cases.items():
            begin = time.monotonic()
            with pytest.raises(InputError, match=words) as caught:
                open_stream(address, IMPATIENT)
            assert time.monotonic() - begin < 10  # not the 20 s and more of the default
            assert "secret" not in str(caught.value)


def test_a_recording_with_wide_pixels_comes_in_square_ones(server: str, tmp_path: Path) -> None:
    images = [picture(48, 96, 90 + 10 * index) for index in range(3)]
    encode(tmp_path / "wide.mp4", images, aspect=Fraction(2))
    with open_source(f"{server}/wide.mp4") as source, open_source(tmp_path / "wide.mp4") as file:
        info = source.info
        assert (info.width, info.height, info.stored, info.pixel_aspect) == (96, 96, (48, 96), 2)
        for ours, own in zip(source, file, strict=True):
            np.testing.assert_array_equal(ours.image, own.image)


def test_a_playlist_cannot_reach_local_files(server: str, tmp_path: Path) -> None:
    clip = make_video(tmp_path / "private.ts", 5)
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{clip}\n#EXT-X-ENDLIST\n"
    (tmp_path / "list.m3u8").write_text(playlist)
    with pytest.raises(InputError):
        open_stream(f"{server}/list.m3u8", IMPATIENT)


def test_passwords_are_not_shown() -> None:
    assert without_password("rtsp://me:pw@cam:554/a") == "rtsp://cam:554/a"
    assert without_password("http://cam/a@b") == "http://cam/a@b"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stream_that_does_not_answer_can_be_left(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    port = free_port(socket.SOCK_DGRAM)
    silent = f"udp://127.0.0.1:{port}"
    command = [sys.executable, "-m", "tracker.cli", silent, "--save", str(tmp_path / "x.csv")]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as child:
        # It waits soon after FFmpeg listens there. Before, on a busy machine, it may still be
        # importing, and a signal's exception in the middle of that is another thing.
        process, wanted = psutil.Process(child.pid), time.monotonic() + 60
        while port not in {it.laddr.port for it in process.net_connections("udp")}:
            assert time.monotonic() < wanted
            time.sleep(0.05)
        child.send_signal(number)
        begin = time.monotonic()
        assert child.wait(30) == code
        assert time.monotonic() - begin < 5  # FFmpeg would wait for ten seconds
    assert not any(tmp_path.iterdir())


def test_who_breaks_off_at_once_is_asked_again_after_a_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept: list[float] = []
    connection: Any = object.__new__(network_stream._Connection)
    connection.wanted, connection._options = True, SourceOptions(reconnect=5.0)
    connection._container = SimpleNamespace(close=lambda: None)
    connection._open = lambda limit: (connection._container, None)
    monkeypatch.setattr(network_stream.time, "sleep", slept.append)
    connection._opened = time.monotonic() - 10
    connection._reopen()
    assert slept == []  # it was there for ten seconds
    connection._reopen()
    assert slept == [network_stream._PAUSE]


@pytest.mark.parametrize(("seconds", "waits"), [(4.0, [4.0]), (12.0, [10.0, 1.0]), (0.5, [1.0])])
def test_who_does_not_answer_is_waited_for_no_longer_than_to_reconnect(
    monkeypatch: pytest.MonkeyPatch, seconds: float, waits: list[float]
) -> None:
    clock, asked = [100.0], list[float]()

    def sleep(pause: float) -> None:
        clock[0] += pause

    def answers_not(limit: float) -> None:
        asked.append(limit)
        sleep(limit)
        raise InputError("no answer.")

    connection: Any = object.__new__(network_stream._Connection)
    connection._name, connection._opened, connection.wanted = "udp://x", 0.0, True
    connection._options = SourceOptions(reconnect=seconds, timeout=5.0)
    connection._container, connection._open = SimpleNamespace(close=lambda: None), answers_not
    patient = SimpleNamespace(monotonic=lambda: clock[0], sleep=sleep)
    monkeypatch.setattr(network_stream, "time", patient)
    with pytest.raises(SourceLostError, match="did not come back within"):
        connection._reopen()
    assert asked == waits
    assert clock[0] - 100 <= seconds + 2 * network_stream._PAUSE
