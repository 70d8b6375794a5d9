"""Output files that appear whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from model.errors import InputError
from model.files import check_output, complete, create_unfinished, give_up


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
        partial: a new file in the same folder; write here. See `model.files.unfinished`.

    Raises:
        InputError: unknown extension, no such folder, a folder that cannot be written to, an
            existing file without `overwrite`, or the input itself.
        OutputInUseError: another run writes it.
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
        check_output(self.path, suffixes, overwrite=overwrite, source=source)
        folder = self.path.parent
        if not folder.is_dir():
            raise InputError(f"{folder} is not an existing folder: create it for {self.path.name}.")
        try:
            # The only sure way to know that a folder can be written to is to write to it.
            self.partial = create_unfinished(self.path)
        except OSError as error:
            raise InputError(
                f"{path} cannot be written: {error.strerror}; choose another folder."
            ) from error
        try:
            # Again, as its only writer: another run may have finished it in between.
            check_output(self.path, suffixes, overwrite=overwrite, source=source)
        except InputError:
            self.discard()
            raise

    def commit(self) -> None:
        """Give the finished file its final name."""
        complete(self.partial, self.path)

    def discard(self) -> None:
        """Remove the unfinished file."""
        give_up(self.partial)
