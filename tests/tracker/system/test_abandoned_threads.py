"""A command's end while a thread still waits in native code."""

import subprocess
import sys

import pytest

PROGRAM = """
import atexit, sys, threading
from tracker.system.abandoned_threads import abandon, leave_at_once
atexit.register(print, "ended by the interpreter")
over = threading.Event()
thread = threading.Thread(target=over.wait, daemon=True)
thread.start()
abandon(thread)
if sys.argv[1] == "over":
    over.set()
    thread.join()
print("said before", end=" ")
leave_at_once(7)
"""


@pytest.mark.parametrize(
    ("waits", "code", "said"),
    [("waits", 7, "said before "), ("over", 0, "said before ended by the interpreter\n")],
)
def test_only_a_thread_that_waits_cuts_the_end_short(waits: str, code: int, said: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, waits], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (code, said)
