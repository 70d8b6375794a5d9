import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from model.errors import InputError
from tests.support.commands import Run
from tests.support.paths import PORTRAIT_CLIP
from tests.support.picture_files import portrait
from tests.support.video_files import make_video
from tracker.runs import worker_processes
from tracker.runs.batch_manifest import Manifest
from tracker.runs.file_series import Result
from tracker.runs.job import Job, Summary


def manifest(folder: Path) -> dict[str, dict[str, Any]]:
    lines = (folder / "manifest.jsonl").read_text().splitlines()
    entries = {Path(entry["input"]).name: entry for entry in map(json.loads, lines)}
    assert len(entries) == len(lines)  # one line per file
    return entries


def test_a_batch_of_one(run: Run, network: Path, tmp_path: Path) -> None:
    result = run(
        "batch",
        PORTRAIT_CLIP,
        "--out-dir",
        tmp_path / "out",
        "--weights",
        network,
        "--max-frames",
        2,
    )
    assert result.code == 0, result.err
    assert result.out.startswith("1 of 1 files tracked (2 frames), 0 done before, 0 failed; see ")


def test_a_batch_is_resumed_and_a_bad_file_stops_nothing(
    run: Run,
    network: Path,
    tmp_path: Path,
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    shutil.copy(PORTRAIT_CLIP, folder / "clip2.mp4")
    make_video(folder / "clip10.mp4", 5, (160, 120))
    (folder / "bad.mp4").write_text("text\n")
    portrait(folder / "photo.png")
    options = ("--out-dir", out, "--jobs", 2, "--weights", network, "--max-frames", 8)
    first = run("batch", folder, *options)
    assert first.code == 2
    assert "failed:" in first.err
    assert "bad.mp4 is not a video: its content is text" in first.err
    assert first.out.startswith("3 of 4 files tracked (14 frames), 0 done before, 1 failed; see ")
    assert sorted(path.name for path in out.iterdir()) == [
        "clip10.csv", "clip10.mp4", "clip2.csv", "clip2.mp4", "manifest.jsonl", "photo.csv",
        "photo.png",
    ]  # fmt: skip
    entries = manifest(out)
    assert entries["clip2.mp4"]["status"] == "done"
    assert entries["clip2.mp4"]["frames"] == entries["clip2.mp4"]["frames_with_face"] == 8
    assert (entries["clip10.mp4"]["frames"], entries["clip10.mp4"]["faces"]) == (5, 0)
    assert entries["bad.mp4"]["status"] == "failed"
    assert "is not a video" in entries["bad.mp4"]["error"]
    assert entries["bad.mp4"]["outputs"] == []

    # The bad file is mended, one output is lost, one input has changed; one is as it was.
    shutil.copy(PORTRAIT_CLIP, folder / "bad.mp4")
    (out / "photo.png").unlink()
    make_video(folder / "clip10.mp4", 6, (160, 120))
    before = (out / "clip2.csv").stat().st_mtime_ns
    second = run("batch", folder, *options)
    assert second.code == 0, second.err
    assert second.out.startswith("3 of 4 files tracked (15 frames), 1 done before, 0 failed")
    assert (out / "clip2.csv").stat().st_mtime_ns == before
    assert (out / "photo.png").exists()
    assert {entry["status"] for entry in manifest(out).values()} == {"done"}

    third = run("batch", folder, *options)
    assert third.code == 0
    assert third.out.startswith("0 of 4 files tracked (0 frames), 4 done before")
    # By one worker: how many there are decides nothing about the outputs.
    changed = run("batch", folder, *options, "--draw", "points", "--no-video", "--jobs", 1)
    assert changed.out.startswith("4 of 4 files tracked")


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "none"])
def test_formats(run: Run, network: Path, tmp_path: Path, kind: str) -> None:
    if kind == "parquet":
        pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")
    source, out = portrait(tmp_path / "photo.png"), tmp_path / "out"
    video = () if kind == "none" else ("--no-video",)
    result = run(
        "batch", source, "--out-dir", out, "--save-format", kind, *video, "--weights", network
    )
    assert result.code == 0, result.err
    made = {"photo.png"} if kind == "none" else {f"photo.{kind}"}
    assert {path.name for path in out.iterdir()} == made | {"manifest.jsonl"}


def test_mistakes(run: Run, network: Path, tmp_path: Path) -> None:
    source = portrait(tmp_path / "photo.png")
    out = ("--out-dir", tmp_path / "out", "--weights", network)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").touch()
    cases: list[tuple[tuple[object, ...], str]] = [
        ((source, *out, "--save-format", "xlsx"), "no table format 'xlsx'"),
        ((source, *out, "--save-format", "none", "--no-video"), "nothing to make"),
        ((tmp_path / "*.avi", *out), "no file of that name"),
        ((source, "--out-dir", tmp_path / "full", "--weights", network), "is not empty"),
        ((source, *out[:2], "--weights", tmp_path / "none.onnx"), "no weights file"),
        ((source,), "--out-dir"),
        ((source, *out, "--jobs", 0), "--jobs"),
    ]
    for arguments, words in cases:
        result = run("batch", *arguments)
        assert result.code == 2, arguments
        assert words in result.err, (arguments, result.err)
        assert "Traceback" not in result.err
    assert not (tmp_path / "out").exists()


def test_a_manifest_that_was_cut_off(tmp_path: Path) -> None:
    source, table = tmp_path / "a.mp4", tmp_path / "a.csv"
    source.write_bytes(b"1")
    table.touch()
    job = Job(source, save=table)
    book = Manifest(tmp_path)
    book.begin([])
    book.add(Result(job, Summary(3, 3, 1, 0.5, "engine")))
    assert Manifest(tmp_path).is_done(job)
    with book.path.open("a") as file:
        file.write('{"input": "/b.mp4", "sta')
    assert Manifest(tmp_path).is_done(job)
    source.write_bytes(b"12")
    assert not Manifest(tmp_path).is_done(job)
    book.path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="remove it to begin anew"):
        Manifest(tmp_path)


def _die_on_bad(job: Job) -> Result:
    """Stands in for the work of a job whose file brings the decoder down."""
    if Path(str(job.source)).stem == "deadly":
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.05)
    return Result(job, Summary(1, 1, 1, 0.0, "none"))


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_worker_that_dies_takes_only_its_file_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_processes, "_work", _die_on_bad)
    monkeypatch.setattr(worker_processes, "_begin", bool)
    jobs = [Job(Path(f"{name}.mp4")) for name in ("a", "b", "deadly", "c", "d", "e")]
    results = {Path(str(r.job.source)).stem: r for r in worker_processes.run_parallel(jobs, 2)}
    assert set(results) == {"a", "b", "deadly", "c", "d", "e"}
    assert [name for name, result in results.items() if result.error] == ["deadly"]
    assert "died" in (results["deadly"].error or "")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a process group")
@pytest.mark.parametrize("name", ["SIGINT", "SIGHUP"])
def test_ctrl_c_leaves_nothing_half_made(network: Path, tmp_path: Path, name: str) -> None:
    """Nor does a closed terminal: both are told to every process of the group."""
    sent = getattr(signal, name)
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for number in range(12):
        shutil.copy(PORTRAIT_CLIP, folder / f"{number}.mp4")
    command = [sys.executable, "-m", "tracker.cli", "batch", folder, "--out-dir", out]
    command += ["--weights", network]
    child = subprocess.Popen(
        [str(part) for part in command], start_new_session=True, stderr=subprocess.PIPE
    )
    while not (out / "0.csv").exists() and child.poll() is None:
        time.sleep(0.05)
    time.sleep(0.2)
    os.killpg(child.pid, sent)
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 128 + sent
    done = {name for name, entry in manifest(out).items() if entry["status"] == "done"}
    assert 1 <= len(done) < 12
    assert (
        errors.decode() == f"stopped with {len(done)} of 12 files done: the same command goes on.\n"
    )
    stems = {Path(name).stem for name in done}
    made = {f"{stem}{end}" for stem in stems for end in (".mp4", ".csv")}
    assert {path.name for path in out.iterdir()} == made | {"manifest.jsonl"}


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_kill_ends_the_workers_too(network: Path, tmp_path: Path) -> None:
    """SIGTERM reaches the main process only; nothing half made is left, and the rest can follow."""
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for number in range(6):
        shutil.copy(PORTRAIT_CLIP, folder / f"{number}.mp4")
    command = [sys.executable, "-m", "tracker.cli", "batch", folder, "--out-dir", out]
    command += ["--weights", network]
    child = subprocess.Popen([str(part) for part in command], stderr=subprocess.PIPE, text=True)
    while not (out / "0.csv").exists() and child.poll() is None:
        time.sleep(0.05)
    while not list(out.glob("*.partial.mp4")) and child.poll() is None:
        time.sleep(0.01)
    child.send_signal(signal.SIGTERM)
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 143
    done = {name for name, entry in manifest(out).items() if entry["status"] == "done"}
    assert errors == f"stopped with {len(done)} of 6 files done: the same command goes on.\n"
    # Neither unfinished files nor finished-looking ones that end early.
    made = {"manifest.jsonl"} | {
        f"{Path(name).stem}{end}" for name in done for end in (".mp4", ".csv")
    }
    assert {path.name for path in out.iterdir()} == made


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_workers_end_with_a_killed_batch_and_the_same_command_goes_on(
    run: Run, network: Path, tmp_path: Path
) -> None:
    psutil = pytest.importorskip("psutil", reason="looks at processes by psutil")
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for number in range(2):
        shutil.copy(PORTRAIT_CLIP, folder / f"{number}.mp4")
    options = [folder, "--out-dir", out, "--weights", network, "--jobs", 2, "--draw", "points"]
    command = [str(part) for part in (sys.executable, "-m", "tracker.cli", "batch", *options)]
    child = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    # In the middle of two files.
    while len(list(out.glob("*.partial.mp4"))) < 2 and child.poll() is None:
        time.sleep(0.01)
    workers = psutil.Process(child.pid).children(recursive=True)
    assert len(workers) >= 2
    for process in (child, *workers):  # or they are done before the second run has begun
        process.send_signal(signal.SIGSTOP)
    second = run("batch", *options)
    assert second.code == 2
    assert second.err == (
        f"error: {out} is in use by another run: wait for its end, or give another name.\n"
    )
    child.kill()
    child.wait()
    for process in workers:
        process.send_signal(signal.SIGCONT)
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert not alive
    again = run("batch", *options)
    assert again.code == 0, again.err
    made = {f"{number}{end}" for number in range(2) for end in (".mp4", ".csv")}
    assert {path.name for path in out.iterdir()} == made | {"manifest.jsonl"}


def test_a_batch_that_was_killed_at_its_start(run: Run, network: Path, tmp_path: Path) -> None:
    """Before it had a manifest, by which a folder is known for that of a batch."""
    out = tmp_path / "out"
    code = (
        "import os, sys; from pathlib import Path; from model.files import create_unfinished; "
        "from model.output_lock import claimed; out = Path(sys.argv[1]); "
        "claim = claimed(out, folder=True); claim.__enter__(); "
        "create_unfinished(out / 'manifest.jsonl'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(out)], check=False)
    assert len(list(out.iterdir())) == 3
    options = ("--out-dir", out, "--weights", network, "--max-frames", 1, "--no-video")
    assert run("batch", PORTRAIT_CLIP, *options).code == 0
    assert {path.name for path in out.iterdir()} == {"manifest.jsonl", "portrait.csv"}


def test_another_batch_replaces_nothing_of_the_first(
    run: Run, network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in ("monday", "tuesday"):
        (tmp_path / day).mkdir()
        shutil.copy(PORTRAIT_CLIP, tmp_path / day / "clip.mp4")
    out = tmp_path / "out"
    options = ("--out-dir", out, "--weights", network, "--max-frames", 1, "--no-video")
    first = tmp_path / "monday" / "clip.mp4"
    assert run("batch", first, *options).code == 0
    made = (out / "clip.csv").read_bytes()
    monkeypatch.chdir(tmp_path)  # the folder under another name
    second = run("batch", tmp_path / "tuesday", "--out-dir", "out", *options[2:])
    assert second.code == 2
    assert f"{Path('out') / 'clip.csv'} is what an earlier batch made of {first}" in second.err
    assert (out / "clip.csv").read_bytes() == made
    assert run("batch", first, *options).out.startswith("0 of 1 files tracked (0 frames), 1 done")
    # What somebody has taken away is nobody's any more.
    (out / "clip.csv").unlink()
    assert run("batch", tmp_path / "tuesday", *options).code == 0


def test_a_pattern_that_finds_the_outputs_of_its_first_run(
    run: Run, network: Path, tmp_path: Path
) -> None:
    clip = tmp_path / "in" / "clip.mp4"
    clip.parent.mkdir()
    shutil.copy(PORTRAIT_CLIP, clip)
    options = ("--out-dir", tmp_path / "out", "--weights", network, "--max-frames", 1)
    for done in (
        "1 of 1 files tracked (1 frame), 0 done",
        "0 of 1 files tracked (0 frames), 1 done",
    ):
        assert run("batch", tmp_path / "**" / "*.mp4", *options).out.startswith(done)
    refused = run("batch", tmp_path / "out" / "*.mp4", *options)
    assert refused.code == 2
    assert "holds the input clip.mp4" in " ".join(refused.err.split())


def test_no_table_takes_the_place_of_the_manifest(run: Run, network: Path, tmp_path: Path) -> None:
    shutil.copy(PORTRAIT_CLIP, tmp_path / "Manifest.mp4")
    result = run(
        "batch", tmp_path / "Manifest.mp4", "--out-dir", tmp_path / "out", "--weights", network,
        "--save-format", "jsonl", "--no-video",
    )  # fmt: skip
    assert result.code == 2
    assert "which is the batch's own record" in result.err


def test_names_with_ends_of_lines_of_their_own(run: Run, network: Path, tmp_path: Path) -> None:
    for sign in "\u2028\u2029\x85\n":
        shutil.copy(PORTRAIT_CLIP, tmp_path / f"a{sign}b.mp4")
    options = ("--out-dir", tmp_path / "out", "--weights", network, "--max-frames", 1, "--no-video")
    assert run("batch", tmp_path, *options).code == 0
    assert run("batch", tmp_path, *options).out.startswith("0 of 4 files tracked (0 frames), 4 don")


def test_names_that_the_system_refuses_are_one_files_trouble(
    run: Run, network: Path, tmp_path: Path
) -> None:
    circle, long = tmp_path / "circle.mp4", tmp_path / f"{'n' * 300}.mp4"
    circle.symlink_to(circle)
    result = run(
        "batch", circle, long, PORTRAIT_CLIP, "--out-dir", tmp_path / "out", "--weights", network,
        "--max-frames", 1,
    )  # fmt: skip
    assert result.code == 2
    assert result.out.startswith("1 of 3 files tracked (1 frame), 0 done before, 2 failed; see ")
