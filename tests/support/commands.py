"""What tests of the commands share."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

# Arguments to exit code, stdout and stderr: see the fixture `run`.
Run = Callable[..., SimpleNamespace]
