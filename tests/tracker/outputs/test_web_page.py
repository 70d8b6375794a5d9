import http.client
import json
import os
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from model.errors import InputError
from tests.support.measured_faces import HEIGHT, WIDTH, face, measured, picture
from tracker.outputs.web_page import LivePage
from tracker.system.network_address import Address

HERE = Address("127.0.0.1", 0)


@pytest.fixture
def page() -> Iterator[LivePage]:
    with LivePage(HERE, "a <b> & c.mp4") as found:
        yield found


def wait_for(condition, seconds: float = 5.0) -> None:
    end = time.perf_counter() + seconds
    while not condition():
        assert time.perf_counter() < end, "waited in vain"
        time.sleep(0.005)


class Feeder:
    """Gives the page a frame every 5 ms, as a tracker would, until it is left."""

    def __init__(self, page: LivePage) -> None:
        self.page, self.count, self.slowest = page, 0, 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        frame = measured(face(7))
        while not self._stop.is_set():
            begin = time.perf_counter()
            level = 40 + self.count % 100
            self.page.show(frame, picture(level) if self.page.watched else None)
            self.slowest = max(self.slowest, time.perf_counter() - begin)
            self.count += 1
            time.sleep(0.005)

    def __enter__(self) -> "Feeder":
        self._thread.start()
        return self

    def __exit__(self, *details: object) -> None:
        self._stop.set()
        self._thread.join()


def parts(stream) -> Iterator[bytes]:
    """Pictures of a multipart stream, by its headers."""
    assert stream.readline() == b"--frame\r\n"
    while True:
        assert stream.readline() == b"Content-Type: image/jpeg\r\n"
        name, _, length = stream.readline().partition(b": ")
        assert name == b"Content-Length"
        assert stream.readline() == b"\r\n"
        yield stream.read(int(length))
        assert stream.readline() == b"\r\n"
        assert stream.readline() == b"--frame\r\n"


def test_the_page_needs_nothing_from_elsewhere(page: LivePage) -> None:
    with urllib.request.urlopen(page.url, timeout=5) as answer:
        text = answer.read().decode()
        assert answer.headers["Content-Type"].startswith("text/html")
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "a &lt;b> &amp; c.mp4" in text
    assert "{{" not in text
    assert "http" not in text.replace("http-equiv", "")
    assert page.warning == ""


def test_live_picture(page: LivePage) -> None:
    assert not page.watched
    with Feeder(page), urllib.request.urlopen(page.url + "stream", timeout=5) as answer:
        assert answer.headers["Content-Type"] == "multipart/x-mixed-replace; boundary=frame"
        pictures = parts(answer)
        shades = []
        for _ in range(5):
            bgr = cv2.imdecode(np.frombuffer(next(pictures), np.uint8), cv2.IMREAD_COLOR)
            assert bgr.shape == (HEIGHT, WIDTH, 3)
            shades.append(int(bgr[240, 320, 0]))
            assert bgr[240, 2, 2] > 200  # the red edge is red
            assert bgr[240, 2, 0] < 60
        assert page.watched
        assert len(set(shades)) > 1
    with Feeder(page):
        wait_for(lambda: not page.watched)  # the browser has gone


def test_one_picture(page: LivePage) -> None:
    with Feeder(page), urllib.request.urlopen(page.url + "picture.jpg", timeout=5) as answer:
        assert answer.headers["Content-Type"] == "image/jpeg"
        image = cv2.imdecode(np.frombuffer(answer.read(), np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (HEIGHT, WIDTH, 3)
    wait_for(lambda: not page.watched)


def test_events(page: LivePage) -> None:
    with Feeder(page), urllib.request.urlopen(page.url + "events", timeout=5) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        for _ in range(40):
            line = answer.readline()
            assert answer.readline() == b"\n"
        event = json.loads(line.removeprefix(b"data: "))
    assert (event["width"], event["height"]) == (WIDTH, HEIGHT)
    assert event["fps"] > 10
    (found,) = event["faces"]
    assert found["face_id"] == 7
    np.testing.assert_allclose(found["landmarks"], face().landmarks, atol=0.01)
    assert len(found["scores"]) == 98


def test_latest(page: LivePage) -> None:
    with pytest.raises(urllib.error.HTTPError, match="503") as caught:
        urllib.request.urlopen(page.url + "latest.json", timeout=5)
    caught.value.close()
    page.show(measured(index=4), None)
    with urllib.request.urlopen(page.url + "latest.json", timeout=5) as answer:
        assert json.load(answer)["frame"] == 5
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        urllib.request.urlopen(page.url + "../etc/passwd", timeout=5)
    caught.value.close()


def test_a_slow_browser_slows_nobody(page: LivePage) -> None:
    port = int(page.url.rstrip("/").rpartition(":")[2])
    noise = np.random.default_rng(0).integers(0, 255, (720, 1280, 3), dtype=np.uint8)
    with socket.create_connection(("127.0.0.1", port)) as stuck:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stuck.sendall(b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n")  # and never reads
        wait_for(lambda: page.watched)
        frame = measured()
        slowest = 0.0
        with urllib.request.urlopen(page.url + "stream", timeout=5) as answer:
            pictures = parts(answer)
            for _ in range(20):  # far more than socket buffers hold
                begin = time.perf_counter()
                page.show(frame, noise)
                slowest = max(slowest, time.perf_counter() - begin)
                next(pictures)  # the other browser gets every one
    assert slowest < 1  # on a loaded machine; a write that waited would take 20 s


def test_wide_pictures_are_shrunk(page: LivePage) -> None:
    with urllib.request.urlopen(page.url + "stream", timeout=5) as answer:
        wait_for(lambda: page.watched)
        page.show(measured(), np.zeros((2160, 3840, 3), np.uint8))
        first = next(parts(answer))
    assert cv2.imdecode(np.frombuffer(first, np.uint8), cv2.IMREAD_COLOR).shape == (720, 1280, 3)


def test_closing_ends_the_streams() -> None:
    page = LivePage(HERE)
    page.show(measured(), None)
    with (
        urllib.request.urlopen(page.url + "stream", timeout=5) as pictures,
        urllib.request.urlopen(page.url + "events", timeout=5) as events,
    ):
        wait_for(lambda: page.watched)
        page.close()
        pictures.read()
        assert events.read().endswith(b"event: end\ndata: {}\n\n")
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(page.url, timeout=5)


def test_too_many_viewers(page: LivePage, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [urllib.request.urlopen(page.url + "stream", timeout=5) for _ in range(16)]
    with pytest.raises(urllib.error.HTTPError, match="503") as caught:
        urllib.request.urlopen(page.url + "events", timeout=5)
    caught.value.close()
    for answer in answers:
        answer.close()

    def admitted() -> bool:
        try:
            urllib.request.urlopen(page.url + "events", timeout=5).close()
        except urllib.error.HTTPError as error:
            error.close()
            return False
        return True

    wait_for(admitted)  # although no frame has come meanwhile


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost", 200), ("127.0.0.1:1234", 200), ("[::1]:80", 200), ("evil.example", 403)],
)
def test_only_local_names_lead_here(page: LivePage, host: str, status: int) -> None:
    port = int(page.url.rstrip("/").rpartition(":")[2])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", "/", headers={"Host": host})
    answer = connection.getresponse()
    answer.read()
    assert answer.status == status
    connection.close()


def test_a_taken_port_is_one_sentence(page: LivePage) -> None:
    port = int(page.url.rstrip("/").rpartition(":")[2])
    with pytest.raises(InputError, match=f"127.0.0.1:{port}: the port is taken"):
        LivePage(Address("127.0.0.1", port))
    with pytest.raises(InputError, match="no such address"):
        LivePage(Address("192.0.2.1", 8000))


def test_showing_it_to_the_network_is_announced() -> None:
    with LivePage(Address("0.0.0.0", 0)) as page:
        assert "no password" in page.warning
        port = int(page.url.rstrip("/").rpartition(":")[2])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/", headers={"Host": "my-machine:1234"})
        assert connection.getresponse().status == 200
        connection.close()


def test_in_a_browser(page: LivePage, tmp_path: Path) -> None:
    """The page's script runs: it asks for the stream, whose picture is on the screenshot."""
    names = ("chromium", "chromium-browser", "google-chrome")
    browser = next(filter(None, map(shutil.which, names)), None)
    if browser is None:
        pytest.skip("needs Chromium, which is not installed")
    shot = tmp_path / "page.png"
    options = [
        "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1000,700",
        f"--user-data-dir={tmp_path}", f"--screenshot={shot}",
        # The page waits for a first frame and has a script that fetches the picture: time for both.
        "--timeout=5000", page.url,
    ]  # fmt: skip
    for _ in range(3):  # the browser takes its screenshot when it likes; a loaded machine is late
        with Feeder(page):
            run = subprocess.run(
                [browser, *options],
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
                env=os.environ | {"HOME": str(tmp_path)},
            )
        assert shot.exists(), run.stderr[-2000:]
        seen = cv2.imread(str(shot)).astype(int)  # BGR
        edge = (seen[..., 2] > 200) & (seen[..., :2] < 60).all(-1)  # the live picture's is red
        figures = (seen[..., 1] > 180) & (seen[..., 2] < 120)  # turquoise, in the head line
        if edge[40:].sum() > 1000 and figures[:40].sum() > 50:
            break
    else:
        pytest.fail(f"no live picture on the page: {edge.sum()}, {figures.sum()}")
    assert not edge[:40].any()
