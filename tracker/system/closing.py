"""Objects that `with` closes, and those that it completes or gives up."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Closing(ABC):
    """Something to close at the end, however the block that used it ends."""

    @abstractmethod
    def close(self) -> None:
        """Release everything."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Committing(Closing):
    """Something that is completed at the end of its block, or given up if an exception ends it.

    `close` completes it; a second call does nothing.
    """

    @abstractmethod
    def abort(self) -> None:
        """Give up: nothing is left of what is not complete."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()
