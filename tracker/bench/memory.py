"""How much memory this process holds."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

_STATM = Path("/proc/self/statm")


def resident_mb() -> float | None:
    """Memory of the process now, MB; None where the system has no /proc (all but Linux)."""
    with suppress(OSError):
        pages = int(_STATM.read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    return None


def peak_mb() -> float | None:
    """Largest memory of the process so far, MB; None on Windows."""
    try:
        import resource  # noqa: PLC0415  (Unix only)
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Bytes on macOS, kibibytes on Linux.
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
