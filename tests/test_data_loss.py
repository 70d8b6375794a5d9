"""Every writer on a full disk, in a folder that goes away, and killed: docs/reliability.md."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch

from model.errors import InputError
from model.files import replacing, write_json
from model.network.propnet import PropNet
from model.shipped_markups import WFLW
from model.weights import Metadata, save_network
from tests.support.commands import Run
from tests.support.measured_faces import face, measured
from tests.support.paths import DOCS, PORTRAIT_CLIP, ROOT
from tests.support.small_network import CONFIG, SIZE
from tracker.engines.base import ModelInfo
from tracker.engines.tensorrt.engine_record import ANY_GPU, EngineRecord, write_engine
from tracker.outputs.aligned_crops import CropWriter
from tracker.outputs.table_schema import numbered
from tracker.outputs.tables import open_table
from tracker.runs.batch_manifest import Manifest
from tracker.runs.file_series import Result
from tracker.runs.job import Job, Summary
from tracker.video.frame_source import VideoInfo
from tracker.video.picture_file import PictureWriter
from tracker.video.video_reader import VideoReader
from tracker.video.video_writer import VideoWriter
from train.drawing.face_sheet import write_png
from train.learning.checkpoint import Progress, save_checkpoint
from train.learning.history import HistoryRow, plot_history, write_history

# Bytes that there is room for, less than any of the writers needs.
ROOM = 16_384
NOISE = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
ROW = HistoryRow(1, 1, 1, 1.0, 64, 0.1, 1.0, 1.0)
RECORD = EngineRecord(
    ModelInfo("tiny", WFLW, 64, ""), "", "tensorrt", "10", ANY_GPU, "f16", (1, 1, 8), (), 0, ""
)

# Writes the half of something, gives the word to the test, and writes the rest.
Halves = Iterator[None]


def video(path: Path) -> Halves:
    with VideoWriter(path, VideoInfo("a", None, 320, 240, rate=Fraction(25))) as writer:
        for index in range(90):
            if index == 45:
                yield
            writer.write(np.roll(NOISE, 7 * index, axis=1), index / 25)


def picture(path: Path) -> Halves:
    with PictureWriter(path, VideoInfo("a", None, 320, 240, still=True)) as writer:
        yield
        writer.write(NOISE, 0.0)


def table(path: Path) -> Halves:
    with open_table(path, numbered(98)) as writer:
        for index in range(120):
            if index == 60:
                yield
            # No two alike, or Parquet would need no room for them.
            moved = face(angles=(index % 30, index % 37, index % 41))
            writer.write(measured(moved, index=index, timestamp=index / 25))


def crops(path: Path) -> Halves:
    seen = measured(face())
    seen.image[:] = np.resize(NOISE, seen.image.shape)
    with CropWriter(path, WFLW, size=256) as writer:
        yield
        writer.write(seen)


def weights(path: Path) -> Halves:
    yield
    save_network(path, PropNet(CONFIG), Metadata("small", CONFIG, SIZE))


def checkpoint(path: Path) -> Halves:
    yield
    save_checkpoint(path, {}, Progress(), {"network": {"a": torch.rand(100_000)}})


def onnx_file(path: Path) -> Halves:
    tensor = onnx.numpy_helper.from_array(np.resize(NOISE, 100_000).astype(np.float32), "a")
    graph = onnx.helper.make_graph([], "g", [], [], [tensor])
    with replacing(path) as partial:
        yield
        onnx.save_model(onnx.helper.make_model(graph), partial)


def engine(path: Path) -> Halves:
    yield
    write_engine(path, os.urandom(100_000), RECORD)


def figures(path: Path) -> Halves:
    yield
    write_json(path, list(range(20_000)))


def history(path: Path) -> Halves:
    yield
    write_history(path, [ROW] * 2000)


def plot(path: Path) -> Halves:
    yield
    plot_history(path, [ROW] * 3)


def sheet(path: Path) -> Halves:
    yield
    write_png(path, np.resize(NOISE, (300, 300, 3)))


def manifest(path: Path) -> Halves:
    path.mkdir()
    book = Manifest(path)
    job = Job(path / "a.mp4", save=path / "a.csv")
    try:
        book.begin([])
        yield
        for index in range(200):
            done = Job(path / f"{index}.mp4", save=path / f"{index}.csv")
            book.add(Result(done, Summary(1, 1, 1, 1.0, "none")))
    finally:
        assert not book.is_done(job)
        # What is told of it is whole lines, and at most one that is cut off, which is passed over.
        if path.exists():
            Manifest(path)
            lines = book.path.read_text().splitlines()[:-1]
            assert all(json.loads(line)["status"] == "done" for line in lines)
            shutil.rmtree(path)


WRITERS: list[tuple[str, Callable[[Path], Halves]]] = [
    ("a.mp4", video), ("a.mkv", video), ("a.png", picture), ("a.csv", table), ("a.jsonl", table),
    ("a.parquet", table), ("crops", crops), ("a.safetensors", weights), ("a.pt", checkpoint),
    ("a.onnx", onnx_file), ("a.engine", engine), ("a.json", figures), ("metrics.csv", history),
    ("metrics.png", plot), ("sheet.png", sheet), ("batch", manifest),
]  # fmt: skip
every_writer = pytest.mark.parametrize(("name", "write"), WRITERS)


@contextmanager
def limited(folder: Path) -> Iterator[Path]:
    """No file may become larger: the system's answer to a write, as with a quota."""
    resource = pytest.importorskip("resource", reason="limits of file sizes are POSIX's")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, hard))
    try:
        yield folder
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _fails(command: list[str]) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode != 0


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of its own, in memory, that is soon full."""
    place = folder / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(place)]
    if shutil.which("mount") is None or _fails(command):
        pytest.skip("needs the right to mount a small disk")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.parametrize("full", [limited, small_disk])
@every_writer
def test_a_full_disk(
    tmp_path: Path,
    full: Callable[[Path], object],
    name: str,
    write: Callable[[Path], Halves],
) -> None:
    """One sentence that names the file, and nothing is left but what was there."""
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    if write is plot:
        pytest.importorskip("matplotlib.figure")
    with ExitStack() as stack:
        folder = stack.enter_context(full(tmp_path))  # type: ignore[arg-type]
        with pytest.raises(InputError) as refused:
            list(write(folder / name))
        found = [path for path in folder.iterdir() if path.name not in (name, "disk")]
        assert not found
        assert not (folder / name).is_file()
    assert name.partition(".")[0] in str(refused.value)
    assert str(refused.value).count("\n") == 0


@every_writer
def test_a_folder_that_goes_away(
    tmp_path: Path, name: str, write: Callable[[Path], Halves]
) -> None:
    """One sentence, or the file where it makes its folder anew; never half of one."""
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    folder = tmp_path / "gone"
    folder.mkdir()
    halves = write(folder / name)
    next(halves)
    shutil.rmtree(folder)
    try:
        assert next(halves, None) is None
    except InputError as error:
        assert str(error).count("\n") == 0
        assert not list(tmp_path.rglob("*.*"))
    else:
        assert (folder / name).exists()
    assert not list(tmp_path.rglob("*partial*"))


# Each of them is killed at the moment that its first file is to get its name.
KILLED = """
import os, pathlib, sys
import tests.test_data_loss as these
real = pathlib.Path.replace
pathlib.Path.replace = lambda self, target: os.kill(os.getpid(), 9)
list(getattr(these, sys.argv[1])(pathlib.Path(sys.argv[2])))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
@pytest.mark.parametrize(
    ("name", "write"),
    [(n, w) for n, w in WRITERS if w in (video, picture, checkpoint, engine, weights, onnx_file)],
)
def test_kill_9_before_a_file_has_its_name(
    tmp_path: Path, name: str, write: Callable[[Path], Halves]
) -> None:
    """The old file stays as it was; the next run takes away what was begun."""
    path = tmp_path / name
    if write not in (video, picture):  # these refuse a name that is taken
        path.write_text("old")
    command = [sys.executable, "-c", KILLED, write.__name__, str(path)]
    killed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert list(tmp_path.glob("*.partial.*"))
    assert not path.exists() or path.read_text() == "old"
    list(write(path))
    made = {name, f"{name}.json"} if write is engine else {name}
    assert {each.name for each in tmp_path.iterdir()} == made


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_kill_9_of_a_run_and_another_with_its_outputs(
    run: Run, network: Path, tmp_path: Path
) -> None:
    pytest.importorskip("pyarrow")
    tables = [tmp_path / f"a.{kind}" for kind in ("csv", "jsonl", "parquet")]
    options: list[object] = [PORTRAIT_CLIP, "--out", tmp_path / "a.mp4", "--weights", network]
    options += ["--crops", tmp_path / "crops", *(w for path in tables for w in ("--save", path))]
    command = [str(part) for part in (sys.executable, "-m", "tracker.cli", *options)]
    child = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    while len(list(tmp_path.glob("crops/0*.jpg"))) < 2 and child.poll() is None:
        time.sleep(0.01)
    # While it runs, each of its outputs is its own.
    for option, path in (
        ("--out", tmp_path / "a.mp4"), *(("--save", path) for path in tables),
        ("--crops", tmp_path / "crops"),
    ):  # fmt: skip
        second = run(PORTRAIT_CLIP, option, path, "--weights", network, "--overwrite")
        assert second.code == 2, option
        assert "another run: wait for its end, or give another name." in second.err
        assert second.err.count("\n") == 1
    assert child.poll() is None
    child.kill()
    child.wait()
    assert len(list(tmp_path.glob("a.*.partial.*"))) == 4
    again = run(*options, "--max-frames", 3, "--overwrite")
    assert again.code == 0, again.err
    assert {path.name for path in tmp_path.iterdir()} == {
        "a.mp4", "a.csv", "a.jsonl", "a.parquet", "crops",
    }  # fmt: skip
    assert all(cv2.imread(str(path)) is not None for path in (tmp_path / "crops").iterdir())
    with VideoReader(tmp_path / "a.mp4") as made:
        assert len(list(made)) == 3


def test_two_that_start_at_once_make_one_file(tmp_path: Path) -> None:
    """However close: one writes, the others refuse, and the file is whole."""
    code = (
        "import pathlib, sys; from model.errors import run_command\n"
        "from model.files import replacing, reserve_output\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "def command():\n"
        "    sys.stdin.read()\n"
        "    reserve_output(path)\n"
        "    with replacing(path) as partial:\n"
        "        partial.write_text('whole')\n"
        "run_command(command)"
    )
    path = tmp_path / "a.json"
    children = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path)], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for _ in range(4)
    ]  # fmt: skip
    for child in children:
        assert child.stdin is not None
        child.stdin.close()
    ends = [(child.wait(), child.stderr.read() if child.stderr else "") for child in children]
    for child in children:
        assert child.stderr is not None
        child.stderr.close()
    assert sorted(code for code, _ in ends) == [0, 2, 2, 2]
    for code, said in ends:
        assert code == 0 or "another run" in said or "exists already" in said
    assert path.read_text() == "whole"
    assert [each.name for each in tmp_path.iterdir()] == ["a.json"]


def test_the_page_names_tests_that_there_are() -> None:
    """docs/reliability.md: a file of tests, and what is "there" is in some file that it names."""
    text = (DOCS / "reliability.md").read_text()
    files = {ROOT / name for name in re.findall(r"tests/[\w/]+\.py", text)}
    defined = {
        name for path in files for name in re.findall(r"^def (test_\w+)", path.read_text(), re.M)
    }
    named = set(re.findall(r"(?<![\w/])(test_\w+)(?!\w|\.py)", text))
    assert len(named) > 25
    assert named <= defined
