"""Where what was made of a network for this machine is kept."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from model.errors import InputError


def cache_folder() -> Path:
    """The folder of engines and compiled networks: $PROPNET_CACHE, else the user's cache.

    That is propnet in $XDG_CACHE_HOME or ~/.cache on Linux.

    Raises:
        InputError: the user has no home, as a number without a name has none in a container.
    """
    given = os.environ.get("PROPNET_CACHE")
    if given:
        return Path(given)
    # Imported late: where the folder is named, nothing else is needed.
    from platformdirs import user_cache_path  # noqa: PLC0415

    with suppress(RuntimeError):  # newer ones raise it, older ones leave ~ as it is
        folder = user_cache_path("propnet", appauthor=False)
        if folder.is_absolute():
            return folder
    raise InputError("this user has no home: set PROPNET_CACHE to a folder for engines.")
