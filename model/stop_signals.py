"""Signals as a wish to finish: Ctrl-C, SIGTERM, a closed terminal; what was made so far is kept."""

from __future__ import annotations

import os
import signal
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

_NAMED = {"SIGINT": "Ctrl-C", "SIGTERM": "SIGTERM", "SIGHUP": "SIGHUP", "SIGBREAK": "Ctrl-Break"}
_NAMES = {int(getattr(signal, n)): text for n, text in _NAMED.items() if hasattr(signal, n)}
# Those that this system has: POSIX sends SIGHUP when a terminal is closed or a connection is lost;
# Windows has SIGBREAK.
SIGNALS = tuple(signal.Signals(number) for number in _NAMES)
_HANG_UP = getattr(signal, "SIGHUP", None)

# Set by a parent to its own number, for a command that is to end, as by SIGTERM, when the pipe ends
# that is its standard input: with the parent, also where that is killed.
ENDS_WITH_INPUT = "PROPNET_ENDS_WITH_INPUT"

# Devices of the terminal that this process was started at.
_terminals: set[int] = set()


@dataclass
class StopFlag:
    """What a signal sets. No event: that takes a lock, which the interrupted code may hold.

    Attributes:
        number: of the signal; 0 while there was none.
    """

    number: int = 0

    def is_set(self) -> bool:
        """Whether a signal came."""
        return self.number != 0

    @property
    def name(self) -> str:
        """The signal as its sender calls it."""
        return _NAMES.get(self.number, "")

    @property
    def exit_code(self) -> int:
        """What a shell expects of a program that this signal ended: 130 for Ctrl-C."""
        return 128 + self.number


@contextmanager
def interrupt_flag(held: bool, on_stop: Callable[[], object] = lambda: None) -> Iterator[StopFlag]:
    """A flag that ends the loop: the first of `SIGNALS` sets it.

    Raising in the middle of a frame, as Python does otherwise, could tear a file. The second one
    raises `KeyboardInterrupt` all the same, for those who do not want to wait.

    Args:
        held: False leaves the signals as they are, and the flag unset.
        on_stop: called in the signal handler as well, to wake a loop that waits; takes no lock.

    Yields:
        The flag. In threads other than the main one Python delivers no signals: it stays unset.
    """
    stop = StopFlag()
    if not held or threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def on_signal(number: int, frame: FrameType | None) -> None:
        _answer_hang_up(number)
        if stop.is_set():
            # A closed terminal is told of twice, by the system and by the shell.
            if number == _HANG_UP == stop.number:
                return
            raise KeyboardInterrupt  # asked twice: the loop does not come around
        stop.number = number
        on_stop()

    with _handled(SIGNALS, on_signal):
        yield stop


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Signals end the program by `SystemExit`, so that unfinished files are cleaned away.

    All but Ctrl-C, which Python answers by `KeyboardInterrupt`.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came = StopFlag()

    def on_signal(number: int, frame: FrameType | None) -> None:
        _answer_hang_up(number)
        if number == _HANG_UP == came.number:
            return  # told of twice: cleaning up goes on
        came.number = number
        sys.exit(came.exit_code)

    _terminals.update(_terminal_devices())
    _follow_parent()
    try:
        with _handled([each for each in SIGNALS if each != signal.SIGINT], on_signal):
            yield
    except SystemExit as end:
        # Ray's waiting hands the exception on with a code of its own.
        end.code = came.exit_code if came.is_set() else end.code
        raise


def _follow_parent() -> None:
    """SIGTERM for this process at the end of a parent that asks for it by `ENDS_WITH_INPUT`."""
    try:
        asked = os.environ.pop(ENDS_WITH_INPUT, "") == str(os.getppid())
        if not asked or not stat.S_ISFIFO(os.fstat(0).st_mode):
            return
    except OSError:  # no standard input
        return

    def watch() -> None:
        with suppress(OSError):
            while os.read(0, 1):
                pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="end-of-parent", daemon=True).start()


@contextmanager
def _handled(
    numbers: tuple[signal.Signals, ...] | list[signal.Signals],
    handler: Callable[[int, FrameType | None], object],
) -> Iterator[None]:
    """Have signals handled; a SIGHUP that was ignored from the start (nohup) stays ignored."""
    wanted = [
        number
        for number in numbers
        if number != _HANG_UP or signal.getsignal(number) is not signal.SIG_IGN
    ]
    before = {number: signal.signal(number, handler) for number in wanted}
    try:
        yield
    finally:
        for number, old in before.items():
            # None: a handler that was not set from Python, which cannot be put back.
            signal.signal(number, signal.SIG_DFL if old is None else old)


def _terminal_devices() -> set[int]:
    """The terminals that are open now: of one that is gone the system does not say what it was."""
    found = set()
    for number in range(3):
        with suppress(OSError):
            if os.isatty(number):
                found.add(os.fstat(number).st_rdev)
    return found


def _answer_hang_up(number: int) -> None:
    """Have what is said from now on go nowhere: to write to a closed terminal is an error.

    That error would break off a run that could have completed its files.
    """
    if number != _HANG_UP or not _terminals:
        return
    nowhere = os.open(os.devnull, os.O_RDWR)
    for name in os.listdir("/dev/fd") if Path("/dev/fd").is_dir() else ():  # noqa: PTH208
        with suppress(OSError):
            own = os.fstat(int(name))
            if stat.S_ISCHR(own.st_mode) and own.st_rdev in _terminals:
                os.dup2(nowhere, int(name))
    os.close(nowhere)
