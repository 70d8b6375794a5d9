"""A web page with the live picture, for any browser on this machine (or, if asked, in the network).

    /               the page
    /stream         the annotated picture, as JPEG images one replacing the other (MJPEG)
    /events         what is tracked, as server-sent events: the objects of a .jsonl table with the
                    size of the picture and the speed
    /picture.jpg    the next picture, alone
    /latest.json    the last of these objects

The tracker hands its latest frame to a slot and goes on. Every viewer takes from the slot what is
there when it is ready for more: a slow browser misses frames, and slows nobody.
"""

from __future__ import annotations

import errno
import json
import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError
from tracker.assets import ASSETS
from tracker.drawing.draw_faces import DEFAULT_LAYERS
from tracker.outputs.latest_frame import Slot
from tracker.outputs.output import OutputFrame
from tracker.outputs.table_schema import TableLayout
from tracker.system.closing import Closing
from tracker.system.network_address import Address, is_loopback, resolve

_PAGE = ASSETS / "page.html"
_BOUNDARY = b"frame"
_VIEWERS = 16  # streams and event sources at once; each is a thread
_STALLED_SECONDS = 20.0  # a viewer that takes nothing for so long is gone
_SEND_BUFFER = 1 << 18  # bytes; the system's own grow to megabytes, seconds of old pictures
# Landmarks in their order.
_LAYOUT = TableLayout((), scores=True)
_SPEED_FRAMES = 30  # frames that the speed is averaged over
_LOCAL_NAMES = {"localhost", "127.0.0.1", "::1"}


class LivePage(Closing):
    """The server of the page. A context manager; it runs in threads of its own.

    Attributes:
        url: where to point a browser.
        warning: what the user must know about who can see the picture; empty on loopback.

    Args:
        address: where to listen; port 0 takes a free one.
        title: shown on the page.
        layers: what to draw.

    Raises:
        InputError: the port is taken or forbidden, or the host is not one of this machine's.
    """

    def __init__(
        self, address: Address, title: str = "", layers: frozenset[str] = DEFAULT_LAYERS
    ) -> None:
        self._slot, self._layers = Slot(), layers
        self._times: deque[float] = deque(maxlen=_SPEED_FRAMES + 1)
        local = is_loopback(address.host)
        self._server = _listen(address, self._slot, _page(title), local)
        port = self._server.server_address[1]
        self.url = f"http://{Address(address.host, int(port))}/"
        self.warning = ""
        if not local:
            self.warning = (
                f"anyone who can reach {self.url} can watch: there is no password and no "
                "encryption; give --serve a port only to keep it to this machine."
            )
        # Short polls: closing waits for one of them.
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True
        )
        self._thread.start()

    @property
    def watched(self) -> bool:
        """Whether anybody looks at the picture: nobody needs one drawn otherwise."""
        return self._server.streams > 0

    def write(self, frame: OutputFrame) -> None:
        """Show a frame; it is drawn if somebody looks."""
        # The page's points are those of the picture alone, so there is no comparison here.
        self.show(frame, frame.annotated(self._layers) if self.watched else None)

    def show(self, frame: OutputFrame, picture: NDArray[np.uint8] | None) -> None:
        """Show a frame with a picture that is there already.

        Args:
            frame: what was tracked.
            picture: [H, W, 3], uint8, RGB, annotated; must not change any more. None if nobody
                looks (`watched`).
        """
        self._times.append(time.perf_counter())
        height, width = frame.image.shape[:2]
        about = {"width": width, "height": height, "fps": round(self._fps(), 1)}
        event = json.dumps(about | _LAYOUT.frame_object(frame), separators=(",", ":"))
        self._slot.put(picture, event.encode("ascii"))

    def close(self, early: bool = False) -> None:
        """End all streams and stop listening. A second call does nothing."""
        self._slot.close()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _fps(self) -> float:
        if len(self._times) < 2:
            return 0.0
        return (len(self._times) - 1) / max(self._times[-1] - self._times[0], 1e-9)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # On Windows this option lets a second program take the same port.
    allow_reuse_address = os.name != "nt"

    def __init__(
        self, where: tuple[str, int], family: int, slot: Slot, page: bytes, local: bool
    ) -> None:
        self.address_family = socket.AddressFamily(family)
        self.slot = slot
        self.page = page
        self.local = local
        self.streams = 0
        self.counting = threading.Lock()
        self.viewers = threading.Semaphore(_VIEWERS)
        super().__init__(where, _Handler)

    def server_bind(self) -> None:
        # HTTPServer's own looks up the machine's name, which may take seconds, for nothing.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "", int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a browser that goes away in mid-picture is no error."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = _STALLED_SECONDS

    def do_GET(self) -> None:
        if not self._allowed():
            self._answer(HTTPStatus.FORBIDDEN, "text/plain", b"ask for localhost\n")
            return
        match self.path.partition("?")[0]:
            case "/":
                self._answer(HTTPStatus.OK, "text/html; charset=utf-8", self.server.page)
            case "/latest.json" if self.server.slot.event:
                self._answer(HTTPStatus.OK, "application/json", self.server.slot.event)
            case "/latest.json":
                self._answer(HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", b"no frame yet\n")
            case "/stream" | "/events" | "/picture.jpg" as path:
                self._watch(path)
            case _:
                self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"no such page\n")

    def _allowed(self) -> bool:
        """Whether a local page was asked for by a local name.

        Otherwise a web site could read the picture by giving this machine's address its own name
        (DNS rebinding).
        """
        host = self.headers.get("Host", "")
        name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
        return not self.server.local or name.strip("[]").lower() in _LOCAL_NAMES

    def _watch(self, path: str) -> None:
        if not self.server.viewers.acquire(blocking=False):
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", b"too many viewers\n")
            return
        try:
            self.close_connection = True  # an endless answer has no successor
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
            if path == "/events":
                self._events()
            else:
                with self._looking():
                    self._stream() if path == "/stream" else self._picture()
        finally:
            self.server.viewers.release()

    @contextmanager
    def _looking(self) -> Iterator[None]:
        """Pictures are drawn while somebody looks."""
        with self.server.counting:
            self.server.streams += 1
        try:
            yield
        finally:
            with self.server.counting:
                self.server.streams -= 1

    def _stream(self) -> None:
        boundary = b"--" + _BOUNDARY + b"\r\n"
        self._begin("multipart/x-mixed-replace; boundary=" + _BOUNDARY.decode())
        self.wfile.write(boundary)
        for jpeg in self.server.slot.pictures(self._gone):
            head = b"Content-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg)
            # The next boundary right away: browsers show a picture when they have seen it.
            self.wfile.write(head + jpeg + b"\r\n" + boundary)

    def _picture(self) -> None:
        jpeg = next(self.server.slot.pictures(self._gone), None)
        if jpeg is None:
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", b"no more pictures\n")
        else:
            self._answer(HTTPStatus.OK, "image/jpeg", jpeg)

    def _events(self) -> None:
        self._begin("text/event-stream")
        for event in self.server.slot.events(self._gone):
            self.wfile.write(b"data: " + event + b"\n\n")
        self.wfile.write(b"event: end\ndata: {}\n\n")

    def _gone(self) -> bool:
        """Whether the viewer has hung up; he has nothing more to say."""
        try:
            readable, _, _ = select.select([self.connection], [], [], 0)
            return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)
        except ValueError:  # more files are open than `select` can look at
            return False
        except OSError:
            return True

    def _begin(self, kind: str, length: int | None = None, status: int = HTTPStatus.OK) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        else:
            self.send_header("Connection", "close")
        self.send_header("Cache-Control", "no-store")
        # Other sites may not show or read any of this.
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header(
            "Content-Security-Policy",
            "default-src 'none'; img-src 'self' data:; connect-src 'self'; "
            "style-src 'unsafe-inline'; script-src 'unsafe-inline'; frame-ancestors 'none'",
        )
        self.end_headers()

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self._begin(kind, len(body), status)
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Keep the terminal for the tracker."""


def _listen(address: Address, slot: Slot, page: bytes, local: bool) -> _Server:
    family, host = resolve(address)[0]
    try:
        return _Server((host, address.port), family, slot, page, local)
    except OSError as error:
        reasons = {
            errno.EADDRINUSE: "the port is taken; choose another one, or end what uses it",
            errno.EACCES: "this port is reserved; choose one from 1024 on",
            errno.EADDRNOTAVAIL: "this machine has no such address; use 0.0.0.0 for all it has",
        }
        reason = reasons.get(error.errno or 0, os.strerror(error.errno or 0))
        raise InputError(f"the page cannot be served on {address}: {reason}.") from error


def _page(title: str) -> bytes:
    safe = title.replace("&", "&amp;").replace("<", "&lt;")
    return _PAGE.read_text(encoding="utf-8").replace("{{title}}", safe or "live").encode()
