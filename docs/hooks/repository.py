"""Where the site's parts lie, for the hooks beside this file."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
# Files beside docs/ that are pages of the site all the same -> what they are called there.
ROOT_PAGES = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
