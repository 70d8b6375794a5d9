"""Loading processes are the parallelism: none of them may have threads of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

COUNT = """
import os
import train
import numpy as np
np.linalg.lstsq(np.eye(400), np.ones((400, 400)), rcond=None)
print(len(os.listdir("/proc/self/task")))
"""


def processors() -> int:
    """Those that this process may use, which is what OpenBLAS counts."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="counted as Linux counts them")
@pytest.mark.skipif(processors() < 2, reason="one processor: one thread anyway")
@pytest.mark.parametrize(("given", "threads"), [(None, 1), ("2", 2)])
def test_algebra_has_one_thread_unless_asked(given: str | None, threads: int) -> None:
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
    environment = {name: value for name, value in os.environ.items() if name not in names}
    if given:
        environment["OPENBLAS_NUM_THREADS"] = given
    command = [sys.executable, "-c", COUNT]
    done = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) == threads
