"""Things with threads behind them, which a forked process gets without their threads."""

from __future__ import annotations

import os

from model.errors import InputError


class HomeProcess:
    """The process that something was made in; in a copy of it the first use would wait for ever.

    Args:
        what: happened there, as a sentence begins: "this engine was made".
    """

    def __init__(self, what: str) -> None:
        self._what, self._number = what, os.getpid()

    @property
    def is_here(self) -> bool:
        """Whether this is that process."""
        return os.getpid() == self._number

    def check(self) -> None:
        """Before every use.

        Raises:
            InputError: this is another process.
        """
        if not self.is_here:
            raise InputError(
                f"{self._what} in another process, and its threads did not come along with the "
                "fork: start processes by multiprocessing.get_context('spawn'), and make trackers "
                "and engines in each."
            )
