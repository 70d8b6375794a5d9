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

from model.errors import InputError

# What unfinished files end in, before their extension.
UNFINISHED = ".partial"
# Of the final name: with token, mark and extension it stays below the 255 bytes of file systems,
# also where a character takes four.
_LONGEST = 48
# Those that this process has begun, and its number: a forked child inherits the set, not the files.
_begun: set[tuple[int, Path]] = set()


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
    if suffixes and not path.name.lower().endswith(tuple(suffixes)):
        known = " or ".join(suffixes)
        raise InputError(f"{path} does not end in {known}, which is all that can be written.")
    if path.is_dir():
        raise InputError(f"{path} is a folder: give the name of a file in it.")
    if source is not None and path.exists() and path.samefile(source):
        raise InputError(f"{path} is the input itself: give another name for the output.")
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists already: give another name, or add --overwrite.")


def unfinished(path: Path) -> Path:
    """A name beside a file for its unfinished version: NAME.TOKEN.partial.EXT.

    Nobody has it, and nobody can foresee it: create it exclusively.
    """
    stem = path.stem[:_LONGEST]
    return path.with_name(f"{stem}.{secrets.token_hex(4)}{UNFINISHED}{path.suffix}")


def create_unfinished(path: Path) -> Path:
    """Make an empty file for the unfinished version of another; see `unfinished`.

    End it with `complete` or `give_up`; `give_up_all` takes away what a process leaves.

    Raises:
        OSError: the folder is missing or cannot be written to, or the disk is full.
    """
    partial = unfinished(path)
    # Before the file: a signal may come between any two steps, and its name is nobody else's.
    _begun.add((os.getpid(), partial))
    try:
        partial.touch(exist_ok=False)
    except OSError:
        _begun.discard((os.getpid(), partial))
        raise
    return partial


def complete(partial: Path, path: Path) -> None:
    """Give an unfinished file its final name.

    Raises:
        OSError: it cannot be renamed.
    """
    partial.replace(path)
    _begun.discard((os.getpid(), partial))


def give_up(partial: Path) -> None:
    """Remove an unfinished file, if it is still there.

    Raises:
        OSError: it cannot be removed.
    """
    partial.unlink(missing_ok=True)
    _begun.discard((os.getpid(), partial))


@atexit.register
def give_up_all() -> None:
    """Remove every unfinished file of this process: for the end of one that a signal breaks off.

    Blocks that own a file remove it themselves, but an exception that a signal raises can come
    between a file and its block. Done at exit; call it before `os._exit`, which skips that.
    """
    for owner, partial in list(_begun):
        if owner == os.getpid():
            with suppress(OSError):
                give_up(partial)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; rename it to `path` when the block succeeds.

    Args:
        path: the file to write. An existing one stays untouched until the new one is complete.

    Raises:
        InputError: the folder cannot be written to, or the disk is full.
    """
    partial = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = create_unfinished(path)
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
