"""Pictures written to files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from tracker.assets.portrait import portrait_image


def save(path: Path, image: np.ndarray) -> Path:
    cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return path


def portrait(path: Path) -> Path:
    return save(path, portrait_image())
