"""Where what was made of a network for this machine is kept."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """The folder of engines and compiled networks: $PROPNET_CACHE, else the user's cache.

    That is propnet in $XDG_CACHE_HOME or ~/.cache on Linux.
    """
    given = os.environ.get("PROPNET_CACHE")
    if given:
        return Path(given)
    # Imported late: where the folder is named, nothing else is needed.
    from platformdirs import user_cache_path  # noqa: PLC0415

    return user_cache_path("propnet", appauthor=False)
