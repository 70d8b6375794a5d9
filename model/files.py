"""Writing files so that a reader never sees half of one, and nobody loses one."""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from model.errors import InputError, hold_until_command_ends
from model.output_lock import (
    UNFINISHED,
    OutputLock,
    claim_of,
    claimed,
    release_all,
    remove,
)

# Of the final name: with token, mark and extension it stays below the 255 bytes of file systems,
# also where a character takes four.
_LONGEST = 48
# What this process has begun, by its number (a forked child inherits this, not the files), and the
# lock of each with whether it was taken for this file alone.
_begun: dict[tuple[int, Path], tuple[OutputLock, bool]] = {}


def check_output(
    path: Path,
    suffixes: Sequence[str] = (),
    *,
    overwrite: bool = False,
    source: Path | None = None,
) -> None:
    """Find out that a name cannot be written to before any work starts.

    Args:
        path: the file to write.
        suffixes: endings that can be written, in lower case; none allows any.
        overwrite: whether an existing file may be replaced.
        source: file being read, which must not be replaced.

    Raises:
        InputError: another ending, a folder, the input itself, or an existing file.
    """
    name = path.name.lower()
    if suffixes and not name.endswith(tuple(suffixes)):
        known = " or ".join(suffixes)
        raise InputError(f"{path} does not end in {known}, which is all that can be written.")
    if name in suffixes:
        raise InputError(f"{path} is an ending without a name: give a name before it.")
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder: give the name of a file in it.")
        if source is not None and path.exists() and path.samefile(source):
            raise InputError(f"{path} is the input itself: give another name for the output.")
        # A link that leads nowhere is somebody's, too.
        if (path.exists() or path.is_symlink()) and not overwrite:
            raise InputError(f"{path} exists already: give another name, or add --overwrite.")
    except OSError as error:  # a name too long, a folder that may not be entered
        raise InputError(f"{path} cannot be written: {error.strerror}.") from error


def reserve_output(
    path: Path,
    suffixes: Sequence[str] = (),
    *,
    overwrite: bool = False,
    folder: bool = False,
) -> None:
    """For commands: `check_output`, and nobody else writes it until the command ends.

    Args:
        path: the file to write.
        suffixes: endings that can be written, in lower case; none allows any.
        overwrite: whether an existing file may be replaced.
        folder: reserve an existing or new folder instead, with all that is in it.

    Raises:
        OutputInUseError: another run writes it.
        InputError: as `check_output`, or its folder cannot be made.
    """
    if not folder:
        check_output(path, suffixes, overwrite=overwrite)
    hold_until_command_ends(claimed(path, folder=folder))
    if not folder:  # another run may have finished it in between
        check_output(path, suffixes, overwrite=overwrite)


def unfinished(path: Path) -> Path:
    """A name beside a file for its unfinished version: NAME.TOKEN.partial.EXT.

    Nobody has it, and nobody can foresee it: create it exclusively.
    """
    stem = path.stem[:_LONGEST]
    return path.with_name(f"{stem}.{secrets.token_hex(4)}{UNFINISHED}{path.suffix}")


def create_unfinished(path: Path, *, folder: bool = False, lock: OutputLock | None = None) -> Path:
    """Make an empty file for the unfinished version of another; see `unfinished`.

    This process is its only writer until `complete` or `give_up`, see `model.output_lock`;
    `give_up_all` takes away what a process leaves.

    Args:
        path: the file to write.
        folder: make an empty folder instead, for one.
        lock: of its folder, if that is enough: one of its own takes a moment.

    Raises:
        OutputInUseError: another one writes it.
        OSError: the folder is missing or cannot be written to, or the disk is full.
    """
    shared = lock or claim_of(path)
    lock = shared or OutputLock(path)
    partial = unfinished(path)
    # Before the file: a signal may come between any two steps, and its name is nobody else's.
    _begun[os.getpid(), partial] = lock, shared is None
    lock.note(partial.name)
    try:
        if folder:
            partial.mkdir()
        else:
            partial.touch(exist_ok=False)
    except OSError:
        _end(partial)
        raise
    return partial


def complete(partial: Path, path: Path) -> None:
    """Give an unfinished file its final name.

    Raises:
        OSError: it cannot be renamed.
    """
    partial.replace(path)
    _end(partial)


def give_up(partial: Path) -> None:
    """Remove an unfinished file, if it is still there.

    Raises:
        OSError: it cannot be removed.
    """
    if partial.is_dir():
        remove(partial)
    else:
        partial.unlink(missing_ok=True)
    _end(partial)


def _end(partial: Path) -> None:
    lock, alone = _begun.pop((os.getpid(), partial), (None, False))
    if lock is not None:
        lock.strike(partial.name)
        if alone:
            lock.release()


@atexit.register
def give_up_all() -> None:
    """Remove every unfinished file of this process: for the end of one that a signal breaks off.

    Blocks that own a file remove it themselves, but an exception that a signal raises can come
    between a file and its block. Done at exit; call it before `os._exit`, which skips that.
    """
    for partial in _ours():
        with suppress(OSError):
            give_up(partial)
    release_all()


def remove_all_unfinished() -> None:
    """Remove every unfinished file of this process while other threads may still write them.

    One may be about to open its file, and so make it anew. The locks stay with its name in them:
    the next owner of the output removes that.
    """
    for partial in _ours():
        remove(partial)


def _ours() -> list[Path]:
    return [partial for owner, partial in list(_begun) if owner == os.getpid()]


@contextmanager
def replacing(
    path: Path, *, folder: bool = False, lock: OutputLock | None = None
) -> Iterator[Path]:
    """Yield a temporary name beside `path`; rename it to `path` when the block succeeds.

    Args:
        path: the file to write. An existing one stays untouched until the new one is complete.
        folder: write a folder, of which there is none of that name yet.
        lock: see `create_unfinished`.

    Raises:
        OutputInUseError: another run writes it.
        InputError: the folder cannot be written to, or the disk is full.
    """
    partial = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = create_unfinished(path, folder=folder, lock=lock)
        yield partial
        complete(partial, path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}.") from error
    finally:
        if partial is not None:
            with suppress(OSError):
                give_up(partial)


def write_json(path: Path, values: object) -> None:
    """Write values as indented JSON, whole or not at all; an existing file is replaced.

    Raises:
        InputError: the folder cannot be written to, or the disk is full.
    """
    text = json.dumps(values, indent=2)
    with replacing(path) as partial:
        partial.write_text(text + "\n", encoding="utf-8")


def sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
