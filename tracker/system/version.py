"""Which version of this program it is."""

from __future__ import annotations

from importlib import metadata


def package_version() -> str | None:
    """The installed version; None where it is run from its sources."""
    try:
        return metadata.version("propnet-tracker")
    except metadata.PackageNotFoundError:
        return None
