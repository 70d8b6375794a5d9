"""How every command of this project reports a mistake of its user."""

import errno
import logging
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import NoReturn

from rich.console import Console
from rich.text import Text

from model.stop_signals import ended_by_signals

# Of a message: damaged files make names and values of any length.
_LONGEST = 500
# A disk, or what somebody may have of it.
_FULL = (errno.ENOSPC, errno.EDQUOT)
# Of the command that runs, what it holds until its end.
_held: list[ExitStack] = []


class InputError(Exception):
    """Something the user gave cannot be used.

    The message is one sentence: what is wrong, where, and what to do about it. Library code raises
    it; commands turn it into one line on stderr and exit code 2. What is quoted from files may hold
    anything: the message is cut in its middle, and has no line breaks or control characters.
    """

    def __str__(self) -> str:
        return _one_line(super().__str__())


def run_command(command: Callable[[], object]) -> None:
    """Run a command-line entry point, turning `InputError` into one line and exit code 2.

    So does a full disk that nothing else speaks of, one that its output is kept on for example.

    SIGTERM and a closed terminal end it by `SystemExit`, Ctrl-C by exit code 130: blocks are left
    and files cleaned away. What it has put into
    `hold_until_command_ends` is closed.

    What the libraries log meanwhile for people ("propnet", INFO) is printed to stderr.

    Args:
        command: the typer application, called without arguments.
    """
    logger, handler = logging.getLogger("propnet"), _ToStderr()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        with ended_by_signals(), ExitStack() as stack:
            _held.append(stack)
            try:
                command()
            finally:
                _held.remove(stack)
    except InputError as error:
        _end(str(error))
    except OSError as error:
        if error.errno not in _FULL:
            raise
        try:
            sys.stdout.flush()
        except OSError:  # what waits there would be tried again at the very end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _end("what this command prints, or a file of its own, finds no room: the disk is full.")
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def hold_until_command_ends(resource: AbstractContextManager[object]) -> None:
    """Enter a context, and leave it when the command ends that `run_command` runs.

    Where none runs, as in a program that calls a command's function, it is left at once.
    """
    if _held:
        _held[-1].enter_context(resource)
    else:
        with resource:
            pass


def _end(message: str) -> NoReturn:
    # Console wraps at the terminal's width; a path must stay copyable, so no soft wrapping.
    Console(stderr=True, highlight=False).print(
        Text.assemble(("error:", "bold red"), " ", message), soft_wrap=True
    )
    sys.exit(2)


class _ToStderr(logging.Handler):
    """Prints to what is stderr at the time: it changes while native code is kept quiet."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a message as it is."""
        sys.stderr.write(f"{self.format(record)}\n")


def _one_line(text: str) -> str:
    if len(text) > _LONGEST:
        half = (_LONGEST - 5) // 2
        text = f"{text[:half]} ... {text[-half:]}"
    return "".join(letter if letter.isprintable() else " " for letter in text)
