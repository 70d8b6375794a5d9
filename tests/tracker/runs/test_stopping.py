"""Ctrl-C and SIGTERM: what was tracked until then is kept, in whole files."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from model.stop_signals import SIGNALS, ended_by_signals, interrupt_flag
from tests.support.commands import Run
from tests.support.paths import PORTRAIT_CLIP
from tests.support.video_files import make_video, read_sound, tone
from tracker import Tracker
from tracker.video.video_reader import VideoReader

Signalled = Callable[..., list[int]]
HANG_UP = [(signal.SIGHUP, "SIGHUP", 129, ".csv")] if hasattr(signal, "SIGHUP") else []
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="terminals and signals are POSIX's")


@pytest.fixture
def signalled(monkeypatch: pytest.MonkeyPatch) -> Signalled:
    """Has this process signalled while the tracker looks at certain frames; counts the frames."""

    def arm(number: int, *at: int) -> list[int]:
        seen, real = [0], Tracker.__call__

        def call(self: Tracker, *arguments: object) -> object:
            seen[0] += 1
            if seen[0] in at:
                os.kill(os.getpid(), number)
            return real(self, *arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(Tracker, "__call__", call)
        return seen

    return arm


def table_frames(path: Path) -> list[int]:
    if path.suffix == ".csv":
        with path.open(newline="") as file:
            return [int(row["frame"]) for row in csv.DictReader(file)]
    if path.suffix == ".jsonl":
        return [json.loads(line)["frame"] for line in path.read_text().splitlines()]
    parquet = pytest.importorskip("pyarrow.parquet", reason="Parquet needs pyarrow")
    return list(parquet.read_table(path).column("frame").to_pylist())


@pytest.mark.parametrize(
    ("number", "name", "code", "suffix"),
    [
        (signal.SIGINT, "Ctrl-C", 130, ".csv"),
        (signal.SIGTERM, "SIGTERM", 143, ".jsonl"),
        (signal.SIGINT, "Ctrl-C", 130, ".parquet"),
        *HANG_UP,
    ],
)
def test_outputs_of_a_file_end_together(
    *,
    run: Run,
    network: Path,
    tmp_path: Path,
    signalled: Signalled,
    number: int,
    name: str,
    code: int,
    suffix: str,
) -> None:
    out, save, crops = tmp_path / "out.mp4", tmp_path / f"out{suffix}", tmp_path / "crops"
    handlers = [signal.getsignal(n) for n in SIGNALS]
    signalled(number, 21)
    result = run(
        PORTRAIT_CLIP, "--out", out, "--save", save, "--crops", crops, "--weights", network,
    )  # fmt: skip
    assert [signal.getsignal(n) for n in SIGNALS] == handlers
    assert result.code == code, result
    assert result.err == f"stopped by {name}: the outputs end after frame 21.\n"
    assert result.out.startswith("21 frames, 1 face, ")
    assert f"wrote {out}" in result.out
    with VideoReader(out) as video:
        assert len(list(video)) == 21
    assert table_frames(save) == list(range(1, 22))
    assert sorted(path.name for path in crops.iterdir()) == [
        f"{frame:06d}_0.jpg" for frame in range(1, 22)
    ]
    assert {path.name for path in tmp_path.iterdir()} == {"out.mp4", save.name, "crops"}


def test_the_sound_ends_with_the_picture(
    run: Run, network: Path, tmp_path: Path, signalled: Signalled
) -> None:
    path = make_video(tmp_path / "in.mp4", 60, (160, 120), audio=("aac", tone(2)))
    signalled(signal.SIGINT, 30)
    out = tmp_path / "out.mp4"
    # There is no face in it: nobody knows what the rest would have shown, so it is kept as well.
    assert run(path, "--out", out, "--weights", network).code == 130
    start, samples, rate = read_sound(out)
    assert start + len(samples) / rate == pytest.approx(1.0, abs=0.05)


def test_asked_twice_nothing_is_left(
    run: Run, network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def twice(*_: object) -> tuple[()]:
        # To this thread: a process's second one is lost where another thread, which may take its
        # time, has not handled the first.
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        return ()

    monkeypatch.setattr(Tracker, "__call__", twice)
    outputs = ("--out", tmp_path / "out.mp4", "--save", tmp_path / "out.csv")
    assert run(PORTRAIT_CLIP, *outputs, "--weights", network).code == 130
    assert list(tmp_path.iterdir()) == []


def test_in_the_first_of_two_readings_nothing_is_written_yet(
    run: Run, network: Path, tmp_path: Path, signalled: Signalled
) -> None:
    seen = signalled(signal.SIGINT, 3)
    outputs = ("--out", tmp_path / "out.mp4", "--save", tmp_path / "out.csv", "--offline-smooth")
    result = run(PORTRAIT_CLIP, *outputs, "--weights", network)
    assert (result.code, result.out) == (130, "")
    assert result.err == "stopped by Ctrl-C: nothing was written.\n"
    assert seen == [3]
    assert list(tmp_path.iterdir()) == []


def test_a_series_ends_with_the_file_in_work(
    run: Run, network: Path, tmp_path: Path, signalled: Signalled
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name in ("a", "b", "c"):
        shutil.copy(PORTRAIT_CLIP, folder / f"{name}.mp4")
    whole = 4
    signalled(signal.SIGINT, whole + 3)
    result = run(
        folder, "--out", out, "--save", out, "--weights", network, "--max-frames", whole
    )  # fmt: skip
    assert result.code == 130
    assert result.out.startswith("1 of 3 files tracked")
    end = "stopped by Ctrl-C: the outputs end after frame 3."
    assert result.err.splitlines()[-1] == f"{folder / 'b.mp4'}: {end}"
    assert {path.name for path in out.iterdir()} == {"a.mp4", "a.csv", "b.mp4", "b.csv"}
    assert table_frames(out / "a.csv") == [1, 2, 3, 4]
    assert table_frames(out / "b.csv") == [1, 2, 3]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_a_real_process(network: Path, tmp_path: Path) -> None:
    """`kill` at any moment: after the first frame, files are whole; before it, there are none."""
    command = [sys.executable, "-m", "tracker.cli", PORTRAIT_CLIP, "--out", tmp_path / "out.mp4"]
    command += ["--save", tmp_path / "out.csv", "--weights", network]
    child = subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while not list(tmp_path.glob("out.*.partial.csv")) and child.poll() is None:
        time.sleep(0.01)
    child.send_signal(signal.SIGTERM)
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 143
    with VideoReader(tmp_path / "out.mp4") as video:
        count = len(list(video))
    assert errors == f"stopped by SIGTERM: the outputs end after frame {count}.\n"
    assert table_frames(tmp_path / "out.csv") == list(range(1, count + 1))
    assert {path.name for path in tmp_path.iterdir()} == {"out.mp4", "out.csv"}


def test_ended_by_signals_with_its_code_and_others_with_theirs() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as end, ended_by_signals():
        sys.exit(2)
    assert end.value.code == 2
    with pytest.raises(SystemExit) as end, ended_by_signals():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except SystemExit:
            sys.exit(1)  # as native code does that lets the exception through
    assert end.value.code == 143
    assert signal.getsignal(signal.SIGTERM) is before


def test_signals_are_left_alone_where_they_are_not_wanted() -> None:
    before = signal.getsignal(signal.SIGINT)
    with interrupt_flag(False) as stop:
        assert signal.getsignal(signal.SIGINT) is before
    woken: list[int] = []
    with interrupt_flag(True, lambda: woken.append(1)) as stop:
        assert not stop.is_set()
        os.kill(os.getpid(), signal.SIGTERM)
        assert (stop.is_set(), stop.name, stop.exit_code, woken) == (True, "SIGTERM", 143, [1])
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def track_command(network: Path, folder: Path) -> list[str]:
    command = [sys.executable, "-m", "tracker.cli", PORTRAIT_CLIP, "--out", folder / "out.mp4"]
    return [str(part) for part in [*command, "--save", folder / "out.csv", "--weights", network]]


def wait_for_begin(child: subprocess.Popen[str], folder: Path) -> None:
    while not list(folder.glob("out.*.partial.csv")) and child.poll() is None:
        time.sleep(0.01)


@POSIX
def test_a_closed_terminal_keeps_whole_files(network: Path, tmp_path: Path) -> None:
    """Bar and last words go to a terminal that is no more, which is an error for each of them."""
    ours, theirs = os.openpty()
    command = track_command(network, tmp_path)
    # A process becomes the owner of the first terminal that it opens in a session of its own.
    own = (
        "import os, sys; os.close(os.open(os.ttyname(0), os.O_RDWR)); "
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", own, *command],
        stdin=theirs, stdout=theirs, stderr=theirs, text=True, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    seen = b""
    while b"portrait.mp4" not in seen:  # the bar is on the screen
        seen += os.read(ours, 1000)
    wait_for_begin(child, tmp_path)
    os.close(ours)
    assert child.wait(timeout=60) == 129
    with VideoReader(tmp_path / "out.mp4") as video:
        count = len(list(video))
    assert table_frames(tmp_path / "out.csv") == list(range(1, count + 1))
    assert {path.name for path in tmp_path.iterdir()} == {"out.mp4", "out.csv"}


@POSIX
def test_under_nohup_a_closed_terminal_ends_nothing(network: Path, tmp_path: Path) -> None:
    command = ["nohup", *track_command(network, tmp_path), "--max-frames", "20"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for_begin(child, tmp_path)
    child.send_signal(signal.SIGHUP)
    printed, errors = child.communicate(timeout=60)
    assert child.returncode == 0, errors
    assert printed.startswith("20 frames, ")
    assert table_frames(tmp_path / "out.csv") == list(range(1, 21))


@POSIX
def test_a_hang_up_that_is_told_twice_is_one(tmp_path: Path) -> None:
    """By the system, and by the shell that ends as well: the second must not break off."""
    with interrupt_flag(True) as stop:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGHUP)
        assert stop.exit_code == 129
    cleaned = []
    with pytest.raises(SystemExit) as end, ended_by_signals():
        try:
            os.kill(os.getpid(), signal.SIGHUP)
        finally:
            os.kill(os.getpid(), signal.SIGHUP)
            cleaned.append(True)
    assert (end.value.code, cleaned) == (129, [True])


@POSIX
def test_sigterm_takes_the_unfinished_files_of_any_command_along(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, signal, sys; from model.errors import run_command\n"
        "from model.files import replacing, reserve_output\n"
        "def command():\n"
        "    reserve_output(pathlib.Path(sys.argv[1]))\n"
        "    with replacing(pathlib.Path(sys.argv[1])):\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        signal.pause()\n"
        "run_command(command)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "new" / "a.onnx")]
    assert subprocess.run(command, check=False).returncode == 143
    assert not list(tmp_path.iterdir())
