"""Diagrams: Mermaid text in the pages, drawn beforehand, so that readers load no script for it.

A comment within names a diagram and says what it shows, `%% NAME: TEXT`. Its drawing is
docs/diagrams/NAME.svg, which ends with the digest of what it was drawn from. A drawing of another
text is not shown: the text itself is, until `render_diagrams.py` has drawn it.
"""

from __future__ import annotations

import hashlib
import logging
import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page
from repository import DOCS

_log = logging.getLogger("mkdocs.hooks.diagrams")
_FENCE = re.compile(r"^```mermaid\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_NAME = re.compile(r"^\s*%% ([a-z-]+): (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Diagram:
    """A diagram in a page.

    Attributes:
        text: Mermaid.
        name: of its drawing.
        title: what it shows, for those who do not see it.
    """

    text: str
    name: str
    title: str

    @property
    def drawing(self) -> Path:
        """File of the drawing, whether it is there or not."""
        return DOCS / "diagrams" / f"{self.name}.svg"

    @property
    def mark(self) -> str:
        """What the drawing of this very text ends with."""
        return f"<!-- drawn from {hashlib.sha256(self.text.encode()).hexdigest()} -->\n"

    @property
    def is_drawn(self) -> bool:
        """Whether the drawing is there, and of this text."""
        file = self.drawing
        return file.is_file() and file.read_text(encoding="utf-8").endswith(self.mark)


def find_diagrams(markdown: str) -> Iterator[Diagram]:
    """The diagrams of a page.

    Raises:
        ValueError: one has no name.
    """
    for found in _FENCE.finditer(markdown):
        yield _diagram(found)


def _diagram(found: re.Match[str]) -> Diagram:
    named = _NAME.search(found[1])
    if named is None:
        raise ValueError(f"a diagram has no line '%% NAME: WHAT IT SHOWS':\n{found[1]}")
    return Diagram(found[1], named[1], named[2])


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put drawings in the place of the texts."""
    del config, files
    return _FENCE.sub(_drawer(page.file.src_uri), markdown)


def _drawer(page: str) -> Callable[[re.Match[str]], str]:
    def draw(found: re.Match[str]) -> str:
        diagram = _diagram(found)
        if not diagram.is_drawn:
            _log.info("the diagram %s of %s is shown as text: draw it anew", diagram.name, page)
            return f"```text\n{diagram.text}```"
        file = diagram.drawing.relative_to(DOCS).as_posix()
        return f"![{diagram.title}]({posixpath.relpath(file, posixpath.dirname(page) or '.')})"

    return draw
