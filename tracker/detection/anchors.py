"""Where the cells of a BlazeFace network look: the centres that its boxes are counted from.

After MediaPipe's `SsdAnchorsCalculator` with the options of its two face detectors (anchors of
fixed size, centres in the middle of their cells, two per cell and layer or one). Bazarevsky et al.,
"BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", 2019.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracker.detection.detection import DetectorModel

# Of each network: its input's side, and a (stride, anchors per cell) for each of its output layers.
# The short-range one has one layer of stride 8 and three of stride 16, which share their cells.
INPUT_SIZES: dict[DetectorModel, int] = {"short": 128, "full": 192}
_LAYERS: dict[DetectorModel, tuple[tuple[int, int], ...]] = {
    "short": ((8, 2), (16, 6)),
    "full": ((4, 1),),
}


def anchor_centres(model: DetectorModel) -> NDArray[np.float32]:
    """Centres of all anchors, in the order of the network's outputs.

    Args:
        model: which network.

    Returns:
        [A, 2] x, y in pixels of the input, counted from its corner; 896 or 2304 of them.
    """
    size = INPUT_SIZES[model]
    layers = []
    for stride, count in _LAYERS[model]:
        cells = (np.arange(size // stride, dtype=np.float32) + np.float32(0.5)) * stride
        rows, columns = np.meshgrid(cells, cells, indexing="ij")
        centres = np.stack([columns.ravel(), rows.ravel()], axis=1)
        layers.append(np.repeat(centres, count, axis=0))
    return np.concatenate(layers)
