"""Files that the tracker ships: face detectors, the generic face, the portrait, the web page."""

from pathlib import Path

ASSETS = Path(__file__).parent
"""The folder they lie in; README.md in it says where each comes from."""
