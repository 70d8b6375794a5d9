"""Where things of the repository lie, for tests at any depth."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
# Four seconds of a moving portrait whose motion is known.
PORTRAIT_CLIP = DOCS / "portrait.mp4"
