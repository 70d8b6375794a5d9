"""Pages of the site whose text lies where readers of a repository look for it: beside docs/."""

from __future__ import annotations

import re

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from repository import ROOT, ROOT_PAGES

_RELATIVE_LINK = re.compile(r"\]\((?![a-z]+:|#)([^)\s]+)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add them, with their links seen from docs/."""
    for name, page in ROOT_PAGES.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=_RELATIVE_LINK.sub(_moved, text)))
    return files


def _moved(link: re.Match[str]) -> str:
    target = link[1]
    return f"]({target.removeprefix('docs/') if target.startswith('docs/') else f'../{target}'})"
