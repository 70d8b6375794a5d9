"""Nothing about the user in what is shown: home, name and machine."""

from __future__ import annotations

import getpass
import platform
import re
from pathlib import Path

# Shorter names are words of other things.
_SHORTEST = 3


def without_user(text: str) -> str:
    """Text with ~ for the home folder, USER for the user in paths, and HOST for the machine."""
    home = _home()
    if len(home) > 1:  # not / of a user without a home
        text = re.sub(rf"{re.escape(home)}(?=[/\\]|\b|$)", "~", text)
    user, host = _user(), platform.node().partition(".")[0]
    if len(user) >= _SHORTEST:
        text = re.sub(rf"(?<=[/\\]){re.escape(user)}(?=[/\\]|\W|$)", "USER", text)
    if len(host) >= _SHORTEST and host != "localhost":
        text = re.sub(rf"(?<![\w-]){re.escape(host)}(?![\w-])", "HOST", text)
    return text


def _home() -> str:
    try:
        return str(Path.home())
    except RuntimeError:  # nobody knows
        return ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a number without a name, as in containers
        return ""
