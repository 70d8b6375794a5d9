"""What OpenCV's threads do while there is nothing to do, in processes of their own."""

import os
import subprocess
import sys

import pytest

NAME = "OPENCV_THREAD_POOL_ACTIVE_WAIT_WORKER"
# What a program finds that imports the tracker, and whether OpenCV was loaded before that was set.
LOOK = f"""
import builtins, os, sys
seen = []
real = builtins.__import__
def watched(name, *rest):
    if name == "cv2" and "cv2" not in sys.modules:
        seen.append(os.environ.get({NAME!r}))
    return real(name, *rest)
builtins.__import__ = watched
from tracker import Tracker
print(seen[0], os.environ[{NAME!r}])
"""


@pytest.mark.parametrize(("user", "found"), [(None, "0 0"), ("500", "500 500")])
def test_they_sleep_unless_the_user_wants_otherwise(user: str | None, found: str) -> None:
    environment = {key: value for key, value in os.environ.items() if key != NAME}
    if user is not None:
        environment[NAME] = user
    run = subprocess.run(
        [sys.executable, "-c", LOOK], env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == found
