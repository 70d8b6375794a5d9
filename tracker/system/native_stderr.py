"""Keep native libraries from writing over the terminal.

MediaPipe, TensorFlow Lite and OpenCV log to file descriptor 2 from C++, before any Python setting
can reach them.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from model.errors import InputError


@contextmanager
def native_stderr_hidden() -> Iterator[None]:
    """Keep what native code writes to stderr off the terminal while the block runs.

    Python's `sys.stderr` keeps its way to the terminal. If the block fails with anything but a
    mistake of the user, what was hidden is printed after all: it may say why.
    """
    try:
        terminal = os.dup(2)
    except OSError:  # no stderr at all, as in a windowed program: nothing to protect
        yield
        return
    python_stderr = sys.stderr
    moved = None
    with tempfile.TemporaryFile() as hidden:
        # Only a Python stderr that would write to descriptor 2 needs another way out.
        if _descriptor(python_stderr) == 2:
            python_stderr.flush()
            moved = os.fdopen(os.dup(terminal), "w", buffering=1, encoding="utf-8")
            sys.stderr = moved
        os.dup2(hidden.fileno(), 2)
        try:
            yield
        except Exception as error:
            if not isinstance(error, InputError):
                hidden.seek(0)
                os.write(terminal, hidden.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
            sys.stderr = python_stderr
            if moved is not None:
                moved.close()


def _descriptor(stream: object) -> int | None:
    try:
        return stream.fileno()  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):  # replaced, as by a test runner
        return None
