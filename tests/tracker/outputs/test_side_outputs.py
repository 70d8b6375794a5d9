"""Crops, tables, senders and the page, through the command itself."""

import json
import socket
import struct
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import pytest

from model.errors import InputError
from tests.support.paths import PORTRAIT_CLIP
from tests.support.template_onnx import template_onnx
from tracker.commands.run_options import RunOptions
from tracker.measures.face_measures import FaceMeasurer
from tracker.measures.intrinsics import Intrinsics
from tracker.outputs.openseeface import PACKET_SIZE
from tracker.outputs.side_outputs import SideOutputs, parse_side_outputs
from tracker.outputs.web_page import LivePage
from tracker.runs.job import Job
from tracker.system.network_address import Address

Run = Callable[..., SimpleNamespace]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template_onnx(tmp_path_factory.mktemp("network") / "template.onnx")


def test_table_crops_and_packets(
    run: Run,
    network: Path,
    tmp_path: Path,
    receiver: socket.socket,
) -> None:
    save, crops = tmp_path / "faces.jsonl", tmp_path / "crops"
    result = run(
        PORTRAIT_CLIP, "--save", save, "--scores", "--crops", crops, "--crop-size", 64, "--weights",
        network, "--max-frames", 6, "--opensee", f"127.0.0.1:{receiver.getsockname()[1]}",
        "--fov", 50,
    )  # fmt: skip
    assert result.code == 0, result.err
    assert f"wrote {save}" in result.out
    assert f"wrote {crops}" in result.out
    frames = [json.loads(line) for line in save.read_text().splitlines()]
    assert [frame["frame"] for frame in frames] == [1, 2, 3, 4, 5, 6]
    assert len(frames[0]["faces"][0]["scores"]) == 98
    names = sorted(path.name for path in crops.iterdir())
    assert names == [f"00000{number}_0.jpg" for number in range(1, 7)]
    assert cv2.imread(str(crops / names[0])).shape == (64, 64, 3)
    for frame in frames:
        packet = receiver.recv(65536)
        assert len(packet) == PACKET_SIZE
        # Two pupils are the last of the 68 points.
        points = struct.unpack_from("<136f", packet, 73 + 4 * 68)
        right, left = frame["faces"][0]["landmarks"][96:]
        assert points[-4:] == pytest.approx([*right, *left], abs=0.01)


def test_osc(run: Run, network: Path, receiver: socket.socket) -> None:
    pytest.importorskip("pythonosc", reason="needs python-osc: pip install '.[osc]'")
    port = receiver.getsockname()[1]
    result = run(PORTRAIT_CLIP, "--osc", port, "--weights", network, "--max-frames", 2)
    assert result.code == 0, result.err
    assert receiver.recv(65536).startswith(b"/propnet/frame\0\0,ifi")
    assert b"/propnet/face/0/landmarks" in receiver.recv(65536)


def test_the_page_of_a_run(
    run: Run,
    network: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A browser that comes while the command runs sees annotated pictures of the video."""
    seen: list[bytes] = []
    browsers: list[threading.Thread] = []

    def browse(url: str) -> None:
        with urllib.request.urlopen(url + "stream", timeout=20) as stream:
            seen.append(stream.read(20_000))

    class Watched(LivePage):
        def __init__(self, address: Address, title: str, layers: frozenset[str]) -> None:
            super().__init__(address, title, layers)
            browsers.append(threading.Thread(target=browse, args=(self.url,)))
            browsers[0].start()
            while not self.watched:
                time.sleep(0.01)

    monkeypatch.setattr("tracker.outputs.side_outputs.LivePage", Watched)
    result = run(PORTRAIT_CLIP, "--serve", "0", "--weights", network, "--max-frames", 10)
    browsers[0].join()
    assert result.code == 0, result.err
    assert result.err.startswith("live picture: http://127.0.0.1:")
    assert "warning" not in result.err
    assert b"Content-Type: image/jpeg" in seen[0]


def test_the_page_for_the_network_warns(run: Run, network: Path) -> None:
    result = run(PORTRAIT_CLIP, "--serve", "0.0.0.0:0", "--weights", network, "--max-frames", 1)
    assert result.code == 0, result.err
    assert "warning: anyone who can reach" in result.err


def test_mistakes_are_one_sentence_and_code_2(
    run: Run,
    network: Path,
    tmp_path: Path,
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "old.jpg").touch()
    with LivePage(Address("127.0.0.1", 0)) as page:
        taken = page.url.rstrip("/").rpartition(":")[2]
        for arguments, complaint in (
            (["--serve", taken], "the port is taken"),
            (["--serve", "here"], "no network address"),
            (["--opensee", "no-such-host.invalid:5"], "unknown"),
            (["--crops", tmp_path / "full"], "is not empty"),
            (["--save", tmp_path / "a.csv", "--fov", 0], "between 1 and 170"),
            (["--save", tmp_path / "a.csv", "--fov", 50, "--intrinsics", "1,1,1,1"], "one of"),
            (["--save", tmp_path / "a.txt"], "does not end in .csv or .jsonl or .parquet"),
        ):
            result = run(PORTRAIT_CLIP, "--weights", network, "--max-frames", 1, *arguments)
            assert result.code == 2, arguments
            assert complaint in result.err
            assert result.err.startswith("error: ")
            assert result.err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full"]


def test_help_names_every_option(run: Run) -> None:
    text = run("--help").out
    for name in (
        "--scores", "--crops", "--crop-size", "--serve", "--opensee", "--osc", "--fov",
        "--intrinsics", ".parquet",
    ):  # fmt: skip
        assert name in text


def test_options_reach_what_they_are_for() -> None:
    side = parse_side_outputs(opensee="10.0.0.7", osc_target=":9001", serve="8000")
    assert side.opensee == Address("10.0.0.7", 11573)
    assert side.osc == Address("127.0.0.1", 9001)
    assert side.serve == Address("127.0.0.1", 8000)
    assert side.any
    assert not SideOutputs().any
    job = RunOptions(intrinsics="9,8,7,6").job("a.mp4", pictures=False)
    assert job.camera == Intrinsics(9, 8, 7, 6)
    assert FaceMeasurer("wflw98", job.camera).camera(640, 480) == job.camera
    assert FaceMeasurer("wflw98", fov=90).camera(640, 480).fx == pytest.approx(320)
    assert FaceMeasurer("wflw98").camera(640, 480).fx == pytest.approx(554, abs=1)
    with pytest.raises(InputError, match="between 1 and 170"):
        Job("a.mp4", fov=200)
