"""Draw the diagrams whose text has changed: `python docs/hooks/render_diagrams.py`.

Needs `mmdc` (npm install -g @mermaid-js/mermaid-cli), and that a browser. Where it does not find
one by itself, give it a file of options: `render_diagrams.py -p puppeteer.json`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from diagrams import Diagram, find_diagrams
from repository import DOCS

# Text as SVG's own: in a picture, browsers do not show HTML alike.
_CONFIG = {"htmlLabels": False, "flowchart": {"htmlLabels": False}}


def main() -> None:
    """Draw what is not drawn."""
    for page in sorted(DOCS.rglob("*.md")):
        for diagram in find_diagrams(page.read_text(encoding="utf-8")):
            if not diagram.is_drawn:
                draw(diagram, sys.argv[1:])
                print(f"drew {diagram.drawing.relative_to(DOCS)}")


def draw(diagram: Diagram, options: list[str]) -> None:
    """Draw a diagram.

    Args:
        diagram: what to draw.
        options: more of them for mmdc.

    Raises:
        subprocess.CalledProcessError: mmdc has failed, and said why.
    """
    diagram.drawing.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        text, config = Path(folder) / "text.mmd", Path(folder) / "config.json"
        drawn = Path(folder) / "drawn.svg"
        text.write_text(diagram.text, encoding="utf-8")
        config.write_text(json.dumps(_CONFIG), encoding="utf-8")
        # White, because its lines are dark whatever the page around it is.
        subprocess.run(
            ["mmdc", "-q", "-b", "white", "-c", config, "-i", text, "-o", drawn, *options],
            check=True,
        )
        svg = drawn.read_text(encoding="utf-8").rstrip("\n")
    diagram.drawing.write_text(f"{svg}\n{diagram.mark}", encoding="utf-8")


if __name__ == "__main__":
    main()
