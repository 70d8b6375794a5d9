"""One writer for every output: a lock of the operating system, which ends with its process."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import sleep

from model.errors import InputError
from model.file_lock import append, is_at, open_locked, read_all

# What unfinished files end in, before their extension.
UNFINISHED = ".partial"
_SUFFIX = ".propnet-lock"
# The first line tells our files from others that happen to be called so.
_HEADER = b"propnet-tracker: locked while an output is written. Nothing runs? Remove it.\n"
# Of the name of an output: with what is added it stays below the 255 bytes of file systems.
_LONGEST = 200
_PATIENCE = 0.2  # seconds between two looks of one who waits

# Those that this process holds or is about to take.
_taken: set[OutputLock] = set()
_claims: dict[Path, OutputLock] = {}


class OutputInUseError(InputError):
    """Another run, or another part of this one, writes the same output."""


class OutputLock:
    """The right to write an output, held until `release` or the end of the process.

    While it is held there is a file `.NAME.propnet-lock` beside the output (`.propnet-lock` in a
    folder). It also names the unfinished files of its owner: whoever gets the lock of an owner
    that was killed removes these, and no others.

    Where nothing can be locked (no such folder, no permission, a network share without locks) this
    holds nothing, and says nothing: then two runs are not told apart, but still write files of
    their own, and the last to finish gives its whole file the name.

    Args:
        output: the file or folder.
        folder: whether everything in that folder is meant; it exists.

    Raises:
        OutputInUseError: another one holds it.
    """

    def __init__(self, output: Path, *, folder: bool = False) -> None:
        self._path = (output / _SUFFIX if folder else _beside(output)).absolute()
        self._file: int | None = None
        self._ours = False
        self._names: set[str] = set()
        # Video and crops of a run are written by different threads.
        self._writing = threading.Lock()
        # Before the file: a signal may come between any two steps.
        _taken.add(self)
        try:
            self._file = open_locked(self._path)
        except BlockingIOError as error:
            _taken.discard(self)
            what = f"{output} is in use by" if folder else f"{output} is being written by"
            raise OutputInUseError(
                f"{what} another run: wait for its end, or give another name."
            ) from error
        if self._file is not None:
            self._take_over(self._file)

    def _take_over(self, file: int) -> None:
        """Remove what an owner that was killed has left, and make the file ours."""
        with suppress(OSError):
            content = read_all(file)
            if content and not content.startswith(_HEADER):
                return  # somebody else's file: it stays as it is
            self._ours = True
            for line in content[len(_HEADER) :].splitlines():
                _remove_unfinished(self._path.parent, line)
            os.ftruncate(file, 0)
            append(file, _HEADER)

    def note(self, name: str) -> None:
        """Write down an unfinished file, before it is made; it lies beside the lock's file."""
        with self._writing:
            self._names.add(name)
            if self._file is not None and self._ours:
                with suppress(OSError):  # a full disk is found by who writes the output
                    append(self._file, json.dumps(name).encode() + b"\n")

    def strike(self, name: str) -> None:
        """The unfinished file is no more."""
        with self._writing:
            self._names.discard(name)
            # Lines are only ever added, so that none is lost when the process is killed here.
            if not self._names and self._file is not None and self._ours:
                with suppress(OSError):
                    os.ftruncate(self._file, len(_HEADER))

    def release(self) -> None:
        """Give the right back. A second call does nothing."""
        file, self._file = self._file, None
        if file is not None:
            ours = self._ours and is_at(file, self._path)
            if os.name == "nt":  # which removes no open file, and so not the next owner's either
                os.close(file)
            if ours:
                with suppress(OSError):
                    self._path.unlink()
            if os.name != "nt":  # only now: what is removed must not be locked by the next one
                os.close(file)
        _taken.discard(self)

    def forget(self) -> None:
        """In a forked child: the lock is its parent's."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


@contextmanager
def claimed(
    output: Path, *, folder: bool = False, wait: Callable[[], object] | None = None
) -> Iterator[OutputLock]:
    """Hold the lock of an output over all the work for it; this process may write it meanwhile.

    The files of a folder have locks of their own beside.

    Args:
        output: the file or folder. Missing folders above it are made, and removed at the end if
            nothing has come into them.
        folder: whether everything in that folder is meant, which is made as well. What killed
            owners of single files in it have left is removed.
        wait: if another one holds it, called once, and it is waited for instead of refusing.

    Yields:
        The lock.

    Raises:
        OutputInUseError: another one holds it.
        InputError: the folder cannot be made.
    """
    key = output.resolve() if folder else _key(output)
    if key in _claims and wait is None:
        raise OutputInUseError(f"{output} is given for two outputs: give two names.")
    made = _make_folders(output if folder else output.parent)
    lock, waiting = None, False
    try:
        while lock is None:
            try:
                lock = OutputLock(output, folder=folder)
            except OutputInUseError:
                if wait is None:
                    raise
                if not waiting:
                    wait()
                waiting = True
                sleep(_PATIENCE)
        _claims[key] = lock
        if folder:
            _remove_abandoned(output)
        yield lock
    finally:
        if lock is not None:
            _claims.pop(key, None)
            lock.release()
        for path in reversed(made):
            with suppress(OSError):
                path.rmdir()


def claim_of(output: Path) -> OutputLock | None:
    """The lock under which this process has claimed a file, if it has."""
    return _claims.get(_key(output))


def is_lock_file(path: Path) -> bool:
    """Whether a file is one that locks are taken on, by its name."""
    return path.name.endswith(_SUFFIX)


def release_all() -> None:
    """Release every lock of this process: for its end."""
    for lock in list(_taken):
        with suppress(OSError):
            lock.release()


def _key(output: Path) -> Path:
    return output.parent.resolve() / output.name


def _beside(output: Path) -> Path:
    name = output.name
    if len(os.fsencode(name)) > _LONGEST:
        digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
        name = f"{name[: _LONGEST // 4]}.{digest}"
    return output.with_name(f".{name}{_SUFFIX}")


def _remove_unfinished(folder: Path, line: bytes) -> None:
    """Remove what a line of a lock's file names, if it can only be an unfinished file there."""
    try:
        name = json.loads(line)
        safe = isinstance(name, str) and Path(name).name == name and UNFINISHED in name
    except ValueError:  # cut off when its owner was killed: nothing was made yet
        return
    if safe:
        remove(folder / name)


def remove(path: Path) -> None:
    """Remove a file or folder, if it is still there and can be removed."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _remove_abandoned(folder: Path) -> None:
    """Take and give back every lock in a folder that nobody holds: that removes what was left."""
    for path in folder.glob(f".?*{_SUFFIX}"):
        name = path.name[1 : -len(_SUFFIX)]
        with suppress(OutputInUseError):
            OutputLock(folder / name).release()


def _make_folders(folder: Path) -> list[Path]:
    """Make a folder and those above it; returns those that were missing, outermost first."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()][::-1]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {folder}: {error.strerror or error}.") from error
    return missing


def _forget_all() -> None:
    for lock in _taken:
        lock.forget()
    _taken.clear()
    _claims.clear()


if hasattr(os, "register_at_fork"):
    # A child that lives on would hold what its parent has locked.
    os.register_at_fork(after_in_child=_forget_all)
