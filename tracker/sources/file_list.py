"""Many files named at once: folders, patterns, their order and the names of their outputs."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from model.errors import InputError
from model.output_lock import UNFINISHED
from tracker.system.path_kinds import exists, is_file, is_folder

# What is taken from a folder; a file named by itself or by a pattern may be called anything.
_VIDEOS = "mp4 m4v mov mkv webm avi mpg mpeg ts m2ts mts wmv flv 3gp ogv mxf gif"
_PICTURES = "jpg jpeg png bmp webp tif tiff avif jp2 pgm ppm"
VIDEO_NAMES = frozenset(f".{name}" for name in _VIDEOS.split(" "))
PICTURE_NAMES = frozenset(f".{name}" for name in _PICTURES.split(" "))
_WILD = re.compile(r"[*?\[]")


def is_series(source: str | Path | int) -> bool:
    """Whether a source means files to be found: a folder, or a pattern that is no file's name."""
    text = str(source)
    if isinstance(source, int) or "://" in text:
        return False
    return is_folder(text) or (bool(_WILD.search(text)) and not exists(text))


def find_inputs(sources: Iterable[str | Path], outputs: Iterable[Path | None] = ()) -> list[Path]:
    """The files that are meant.

    A folder stands for the videos and pictures directly in it, in natural order (2 before 10); a
    pattern may hold * ? [..], and ** for all folders below. Folders that exist
    by the very name are meant, and brackets that match nothing are brackets. Each file is named
    once. What lies in a folder of outputs is left out where a pattern finds other files as well:
    the same command has made it before.

    Args:
        sources: files, folders and patterns.
        outputs: folders that outputs will be written to.

    Raises:
        InputError: a folder or pattern without any file, or a folder that cannot be read. (Files
            are not looked at here.)
    """
    found: list[Path] = []
    homes = {os.path.realpath(folder) for folder in outputs if folder is not None}
    for source in sources:
        path = Path(source)
        if is_folder(path):
            files = [p for p in _listed(path) if p.suffix.lower() in VIDEO_NAMES | PICTURE_NAMES]
            what = "no video or picture in it (give a pattern like 'DIR/**/*' for those below it)"
        elif is_series(source):
            files = _matching(path)
            what = "no file of that name"
        else:
            found.append(path)
            continue
        files = [p for p in files if is_file(p) and not _ours(p)]
        if not files:
            raise InputError(f"{source}: there is {what}.")
        inside = {f for f in {p.parent for p in files} if os.path.realpath(f) in homes}
        apart = [p for p in files if p.parent not in inside]
        found += sorted(apart or files, key=natural_key)
    return list(dict.fromkeys(found))


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise InputError(f"{folder} cannot be read: {error.strerror}.") from error


def _matching(path: Path) -> list[Path]:
    known = Path()
    parts = list(path.parts)
    while len(parts) > 1 and is_folder(known / parts[0]):
        known /= parts.pop(0)
    pattern = str(Path(*parts))
    for wanted in dict.fromkeys((pattern, pattern.replace("[", "[[]"))):
        place = str(Path(glob.escape(str(known)), wanted))
        if found := glob.glob(place, recursive=True):  # noqa: PTH207
            return [Path(name) for name in found]
    return []


def natural_key(path: Path) -> list[tuple[tuple[int, int, str], ...]]:
    """Sorts names as people count: frame2 before frame10, folder by folder."""
    return [
        tuple(
            (0, int(piece), "") if piece.isdecimal() else (1, 0, piece.casefold())
            for piece in re.split(r"(\d+)", part)
            if piece
        )
        for part in path.parts
    ]


def output_names(inputs: Sequence[Path]) -> list[str]:
    """A name for the outputs of each input, without extension: different ones, easy to recognise.

    The input's own name if no other input has it; otherwise with as many folders and the extension
    before it as it takes: a/clip.mp4 and b/clip.mp4 become a_clip_mp4 and b_clip_mp4.

    Args:
        inputs: different paths.

    Raises:
        InputError: there is no such name for one of them.
    """
    resolved = [path.absolute() for path in inputs]
    deepest = max((len(path.parts) for path in resolved), default=0)
    names: list[str | None] = [None] * len(inputs)
    for depth in range(deepest + 1):
        candidates = [_candidate(path, depth) for path in resolved]
        # Files on a Mac or Windows disk are the same whatever the case.
        counts = Counter(name.casefold() for name in candidates)
        taken = {name.casefold() for name in names if name is not None}
        for i, candidate in enumerate(candidates):
            key = candidate.casefold()
            if names[i] is None and counts[key] == 1 and key not in taken:
                names[i] = candidate
    for path, name in zip(inputs, names, strict=True):
        if name is None:
            raise InputError(f"{path} is given twice, under two names: give it once.")
    return [name for name in names if name is not None]


def _candidate(path: Path, depth: int) -> str:
    if depth == 0:
        return path.stem
    parts = [part for part in path.parts if part != path.anchor]
    return "_".join([*parts[-depth:-1], path.name.replace(".", "_")])


def _ours(path: Path) -> bool:
    """Half-written outputs of a run that was killed, and hidden files."""
    return path.stem.endswith(UNFINISHED) or path.name.startswith(".")
