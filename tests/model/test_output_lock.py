"""Two processes with one output, and what is left of one that was killed."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from model import file_lock, output_lock
from model.errors import InputError
from model.files import create_unfinished, give_up, replacing
from model.output_lock import OutputInUseError, OutputLock, claimed
from tests.support.paths import ROOT

# What another process does before it says that it is ready, and waits.
WRITING = "from model.files import create_unfinished; create_unfinished(path).write_text('half')"
CLAIMING = (
    "from model.files import create_unfinished; from model.output_lock import claimed; "
    "claim = claimed(path, folder=True); claim.__enter__(); create_unfinished(path / 'a.csv')"
)
FOLDER = "from model.files import create_unfinished; create_unfinished(path, folder=True)"


@contextmanager
def other(code: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process, which has done its code and lives on."""
    program = f"import pathlib, sys; path = pathlib.Path(sys.argv[1]); {code}; print(flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", f"{program}; sys.stdin.read()", str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "\n"
        try:
            yield process
        finally:
            process.kill()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_one_process_writes_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with other(WRITING, path) as process:
        with pytest.raises(OutputInUseError, match=r"a\.csv is being written by another run: "):
            create_unfinished(path)
        assert len(names(tmp_path)) == 2  # its file and its lock
        with replacing(tmp_path / "b.csv") as partial:  # another output of the same folder
            partial.write_text("b")
        process.communicate("")  # it ends by itself, and takes all with it
    with replacing(path) as partial:
        partial.write_text("ours")
    assert names(tmp_path) == {"a.csv", "b.csv"}


@pytest.mark.parametrize("code", [WRITING, FOLDER])
def test_what_a_killed_process_leaves_goes_with_the_next(tmp_path: Path, code: str) -> None:
    path = tmp_path / "a.csv"
    theirs = {"a.0123abcd.partial.csv", "b.0123abcd.partial.csv", ".b.csv.lock"}
    for name in theirs:
        (tmp_path / name).write_text("a user's")
    with other(code, path) as process:
        process.kill()
        process.wait()
    assert len(names(tmp_path)) == len(theirs) + 2
    with replacing(path) as partial:
        assert len(names(tmp_path)) == len(theirs) + 2  # ours are there, and only ours
        partial.write_text("ours")
    assert names(tmp_path) == {"a.csv"} | theirs


def test_a_claimed_folder(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    with other(CLAIMING, out) as process:
        with pytest.raises(OutputInUseError, match="out is in use by another run: "):
            claimed(out, folder=True).__enter__()
        process.kill()
        process.wait()
    with other(WRITING, out / "b.csv") as process:
        process.kill()
        process.wait()
    assert len(names(out)) == 5
    with other(WRITING, out / "c.csv"):
        living = names(out)
        with claimed(out, folder=True) as lock:
            # What the dead have left is gone, of the living nothing.
            left = {name for name in living if name.startswith(("c.", ".c."))}
            assert names(out) == left | {".propnet-lock"}
            with replacing(out / "d.csv", lock=lock) as partial:
                assert names(out) == left | {".propnet-lock", partial.name}  # one lock for all


def test_a_claim_leaves_no_folder(tmp_path: Path) -> None:
    with claimed(tmp_path / "a" / "b" / "c.onnx"):
        pass
    assert not names(tmp_path)
    path = tmp_path / "a" / "b" / "c.onnx"
    with claimed(path), replacing(path) as partial:
        partial.touch()
    assert path.exists()
    with pytest.raises(InputError, match=r"cannot make the folder .*c\.onnx"), claimed(path / "d"):
        pass


def test_who_waits_comes_next(tmp_path: Path) -> None:
    path, seen = tmp_path / "a.engine", list[str]()

    def wait() -> None:
        with claimed(path, wait=lambda: seen.append("waits")):
            seen.append(path.read_text())

    thread = threading.Thread(target=wait)
    with claimed(path):
        thread.start()
        while not seen:
            time.sleep(0.01)
        path.write_text("built")
    thread.join(20)
    assert seen == ["waits", "built"]


def test_a_file_that_happens_to_be_called_like_a_lock(tmp_path: Path) -> None:
    theirs = tmp_path / ".a.csv.propnet-lock"
    theirs.write_text('mine\n"b.0123abcd.partial.csv"\n')
    (tmp_path / "b.0123abcd.partial.csv").touch()
    with replacing(tmp_path / "a.csv") as partial:
        partial.touch()
        with pytest.raises(OutputInUseError):
            OutputLock(tmp_path / "a.csv")
    assert theirs.read_text().startswith("mine\n")
    assert names(tmp_path) == {theirs.name, "a.csv", "b.0123abcd.partial.csv"}


@pytest.mark.parametrize(
    "line",
    [b'"../victim.partial"', b'"victim"', b'"/tmp/x.partial"', b"nothing", b"7", b'"vic'],
)
def test_a_lock_removes_nothing_but_unfinished_files_beside_it(tmp_path: Path, line: bytes) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for victim in (tmp_path / "victim.partial", folder / "victim"):
        victim.touch()
    (folder / ".a.csv.propnet-lock").write_bytes(output_lock._HEADER + line + b"\n")
    OutputLock(folder / "a.csv").release()
    assert names(folder) == {"victim"}
    assert (tmp_path / "victim.partial").exists()


@pytest.mark.skipif(os.name == "nt", reason="flock is POSIX's")
def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    with replacing(tmp_path / "a.csv") as partial, replacing(tmp_path / "a.csv") as second:
        assert names(tmp_path) == {partial.name, second.name}
    with claimed(tmp_path, folder=True), replacing(tmp_path / "b.csv"):
        pass
    assert names(tmp_path) == {"a.csv", "b.csv"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_holds_nothing(tmp_path: Path) -> None:
    """A loading process that outlives training must not keep the run from being resumed."""
    begun = create_unfinished(tmp_path / "a.csv")
    child = os.fork()
    if not child:
        time.sleep(60)
        os._exit(0)
    try:
        with pytest.raises(OutputInUseError):
            OutputLock(tmp_path / "a.csv")
        give_up(begun)
        OutputLock(tmp_path / "a.csv").release()
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def test_a_lock_that_was_removed_is_nobodys(tmp_path: Path) -> None:
    """Of two who open a lock's file while its owner removes it, one gets it, not both."""
    path = tmp_path / "a.csv"
    owner = OutputLock(path)
    real: Callable[[Path], int] = file_lock._open

    def slow(at: Path) -> int:
        file = real(at)
        owner.release()  # between opening and locking; a second call does nothing
        return file

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(file_lock, "_open", slow)
        late = OutputLock(path)
    with pytest.raises(OutputInUseError):
        OutputLock(path)
    late.release()
    assert not names(tmp_path)


def test_long_names_have_locks_of_their_own(tmp_path: Path) -> None:
    one, two = (tmp_path / ("ä" * 120 + end) for end in ("1.csv", "2.csv"))
    locks = [OutputLock(one), OutputLock(two)]
    assert len(names(tmp_path)) == 2
    with pytest.raises(OutputInUseError):
        OutputLock(one)
    for lock in locks:
        lock.release()
