"""Whether a path is a file or a folder: no, where the system does not say.

`pathlib` raises for a name that is too long and for one in a folder that may not be entered. What
is wrong with those is for whoever opens them to say, in a sentence about that one file.
"""

from __future__ import annotations

import os
from pathlib import Path


def is_file(path: str | Path) -> bool:
    """Whether there is such a regular file, as far as can be known."""
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: str | Path) -> bool:
    """Whether there is such a folder, as far as can be known."""
    return os.path.isdir(path)  # noqa: PTH112


def exists(path: str | Path) -> bool:
    """Whether there is anything of that name, as far as can be known."""
    return os.path.exists(path)  # noqa: PTH110
