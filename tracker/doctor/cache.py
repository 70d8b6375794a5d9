"""Where engines and compiled networks are kept."""

from __future__ import annotations

import os

from tracker.doctor.row import Row


def cache() -> list[Row]:
    """The folder and what is in it, or why nothing is kept between starts."""
    from model.errors import InputError  # noqa: PLC0415
    from tracker.engines.cache_folder import cache_folder  # noqa: PLC0415

    try:
        folder = cache_folder()
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        if not there.is_dir() or not os.access(there, os.W_OK):
            raise PermissionError(f"{folder} cannot be written to")
        sizes = [path.stat().st_size for path in folder.glob("*") if path.is_file()]
    except (InputError, OSError) as error:
        return [Row("cache", f"none, every start compiles networks anew: {error}", "absent")]
    return [Row("cache", f"{folder}: {len(sizes)} files, {sum(sizes) / 1e6:.1f} MB")]
