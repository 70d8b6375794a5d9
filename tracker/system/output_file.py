"""Output files that appear whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from model.errors import InputError


class OutputFile:
    """A file written under a temporary name beside its final one, and renamed when it is whole.

    Everything that can be wrong with the name is found here, before any work starts.

    Args:
        path: the final name.
        suffixes: extensions that the writer can make, in lower case, ".mp4" first.
        overwrite: replace an existing file (when the new one is whole, not before).
        source: the file being read, which must not be replaced.

    Attributes:
        path: the final name.
        partial: NAME.partial.EXT in the same folder; write here.

    Raises:
        InputError: unknown extension, no such folder, a folder that cannot be written to, an
            existing file without `overwrite`, or the input itself.
    """

    def __init__(
        self,
        path: Path,
        suffixes: Sequence[str],
        *,
        overwrite: bool = False,
        source: Path | None = None,
    ) -> None:
        self.path = Path(path)
        self.partial = self.path.with_name(f"{self.path.stem}.partial{self.path.suffix}")
        if self.path.suffix.lower() not in suffixes:
            known = " or ".join(suffixes)
            raise InputError(f"{path} does not end in {known}, which is all that can be written.")
        if self.path.is_dir():
            raise InputError(f"{path} is a folder: give the name of a file in it.")
        if source is not None and self.path.exists() and self.path.samefile(source):
            raise InputError(f"{path} is the input itself: give another name for the output.")
        if self.path.exists() and not overwrite:
            raise InputError(f"{path} exists already: give another name, or add --overwrite.")
        folder = self.path.parent
        if not folder.is_dir():
            raise InputError(f"{folder} is not an existing folder: create it for {self.path.name}.")
        try:
            # The only sure way to know that a folder can be written to is to write to it.
            self.partial.touch()
        except OSError as error:
            raise InputError(
                f"{path} cannot be written: {error.strerror}; choose another folder."
            ) from error

    def commit(self) -> None:
        """Give the finished file its final name."""
        self.partial.replace(self.path)

    def discard(self) -> None:
        """Remove the unfinished file."""
        self.partial.unlink(missing_ok=True)
