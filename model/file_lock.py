"""Files that are locked by the operating system, and whose lock ends with their process."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

# Where locks cannot be told from content (Windows) the locked byte lies far behind it.
_LOCKED_BYTE = 2**30


def open_locked(path: Path) -> int | None:
    """A locked file, None where that is not to be had.

    Raises:
        BlockingIOError: another one has locked it.
    """
    while True:
        try:
            file = _open(path)
        except OSError:
            return None
        try:
            _lock(file)
        except BlockingIOError:
            os.close(file)
            raise
        except OSError:  # a file system without locks
            empty = os.fstat(file).st_size == 0
            os.close(file)
            if empty:
                with suppress(OSError):
                    path.unlink()
            return None
        # Its owner may have removed it since it was opened: what is locked is nobody's then.
        if is_at(file, path):
            return file
        os.close(file)


def is_at(file: int, path: Path) -> bool:
    """Whether an open file is the one that has a name now."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except OSError:
        return False


def _open(path: Path) -> int:
    more = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | more, 0o666)
    except PermissionError:  # another user's: it can be locked all the same
        return os.open(path, os.O_RDONLY | more)


if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        os.lseek(file, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError(*error.args) from error

else:
    import fcntl

    def _lock(file: int) -> None:
        # Not lockf: its locks are lost when the process closes any other handle of the file.
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def read_all(file: int) -> bytes:
    """The whole content of an open file."""
    os.lseek(file, 0, os.SEEK_SET)
    with os.fdopen(os.dup(file), "rb") as stream:
        return stream.read()


def append(file: int, line: bytes) -> None:
    """Write at the end of an open file."""
    os.lseek(file, 0, os.SEEK_END)
    os.write(file, line)
