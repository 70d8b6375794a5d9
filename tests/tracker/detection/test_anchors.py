import numpy as np
import pytest

from tracker.detection.anchors import INPUT_SIZES, anchor_centres
from tracker.detection.detection import DetectorModel


@pytest.mark.parametrize(
    ("model", "layers"),
    # Strides of the layers, one by one, and anchors per cell of each, as MediaPipe's options for
    # its two detectors list them ("interpolated_scale_aspect_ratio" adds the second).
    [("short", [(8, 2), (16, 2), (16, 2), (16, 2)]), ("full", [(4, 1)])],
)
def test_every_cell_of_every_layer(model: DetectorModel, layers: list[tuple[int, int]]) -> None:
    """MediaPipe joins layers of one stride: all anchors of a cell follow each other."""
    size = INPUT_SIZES[model]
    expected = []
    for stride in dict(layers):
        count = sum(number for other, number in layers if other == stride)
        for row in range(size // stride):
            for column in range(size // stride):
                expected += [((column + 0.5) * stride, (row + 0.5) * stride)] * count
    np.testing.assert_array_equal(anchor_centres(model), np.array(expected, dtype=np.float32))
