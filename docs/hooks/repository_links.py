"""Links to files of the repository that are no pages of the site: shown as the path of the file.

No address at which the repository is hosted is known, and readers of the texts in a clone follow
the same links to the files. A link to a file that does not exist is a warning, which ends a strict
build.
"""

from __future__ import annotations

import logging
import posixpath
import re
from collections.abc import Callable

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page
from repository import ROOT, ROOT_PAGES

_log = logging.getLogger("mkdocs.hooks.repository_links")
# Links within code are no links, so code is matched as well, and left as it is.
_LINK_OR_CODE = re.compile(
    r"(?P<code>^```.*?^```|`[^`\n]*`)|\[(?P<text>[^\]]*)\]\((?P<target>(?![a-z]+:|#)[^)\s]+)\)",
    re.DOTALL | re.MULTILINE,
)


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Rewrite links that leave docs/."""
    del config, files
    return _LINK_OR_CODE.sub(_rewriter(page.file.src_uri), markdown)


def _rewriter(page: str) -> Callable[[re.Match[str]], str]:
    folder = posixpath.dirname(page)

    def rewrite(found: re.Match[str]) -> str:
        if found["code"] is not None:
            return found[0]
        target, hash_mark, anchor = found["target"].partition("#")
        path = posixpath.normpath(posixpath.join("docs", folder, target))
        if path.startswith("docs/"):
            return found[0]
        if path in ROOT_PAGES:
            there = posixpath.relpath(ROOT_PAGES[path], folder or ".")
            return f"[{found['text']}]({there}{hash_mark}{anchor})"
        if not (ROOT / path).exists():
            _log.warning("%s links to %s, which is not in the repository", page, path)
        text = found["text"].strip("`")
        return f"`{path}`" if path.endswith(text) else f"{text} (`{path}`)"

    return rewrite
