"""What tests of the commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

PORTRAIT = Path(__file__).parent.parent / "docs" / "portrait.mp4"
# Arguments to exit code, stdout and stderr: see the fixture `run`.
Run = Callable[..., SimpleNamespace]
