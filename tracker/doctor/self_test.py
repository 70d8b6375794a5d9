"""Whether tracking works: the shipped files, and the shipped portrait followed by the default."""

from __future__ import annotations

from statistics import median
from time import perf_counter

from tracker.doctor.row import Row

NAME = "tracking"
# Where the pupils of the portrait are, pixels: the mean of what propnet-s and propnet-m say, in 32
# and in 8 bits, which differ by 0.4 at most. Their distance is 43.
_PUPILS = ((203.4, 100.5), (246.5, 102.7))
# A tenth of that distance: far beyond what engines and networks differ by, and no other face.
_OFF = 4.0
_FRAMES = 20


def weights() -> list[Row]:
    """Every shipped file against SHA256SUMS."""
    from model.zoo import damaged, shipped  # noqa: PLC0415

    sums = shipped()
    if not sums:
        return [Row("weights", "SHA256SUMS is missing: install the package again", "failed")]
    bad = damaged()
    return [
        Row(name, bad[name], "failed") if name in bad else Row(name, f"SHA-256 {digest[:12]}...")
        for name, digest in sums.items()
    ]


def tracking() -> list[Row]:
    """The portrait as a video that stands still, followed by the default engine."""
    import numpy as np  # noqa: PLC0415

    from tracker.assets.portrait import portrait_image  # noqa: PLC0415
    from tracker.system.opencv_threads import one_opencv_thread  # noqa: PLC0415

    one_opencv_thread()
    from tracker.tracking.face_tracker import Tracker  # noqa: PLC0415

    image = portrait_image()
    start = perf_counter()
    with Tracker() as tracker:
        loaded = perf_counter()
        first = tracker(image, 0.0)
        found = perf_counter()
        times = []
        for frame in range(1, _FRAMES + 1):
            begin = perf_counter()
            faces = tracker(image, frame / 30)
            times.append(perf_counter() - begin)
        engine = tracker.description
    if len(first) != 1 or len(faces) != 1:
        text = f"{len(first)} and {len(faces)} faces in the portrait, which has one, with {engine}"
        return [Row(NAME, text, "failed")]
    off = float(np.linalg.norm(faces[0].landmarks[[96, 97]] - _PUPILS, axis=1).max())
    # Not `off > _OFF`: nan is wrong, too.
    if not off <= _OFF:
        text = f"the portrait's pupils are {off:.1f} pixels off, with {engine}"
        return [Row(NAME, text, "failed")]
    return [
        Row(NAME, f"works, with {engine}; the portrait's pupils are within {off:.1f} pixels"),
        Row("loading", f"{1000 * (loaded - start):.0f} ms"),
        Row("first frame", f"{1000 * (found - loaded):.0f} ms"),
        Row("each frame after it", f"{1000 * median(times):.1f} ms (median of {_FRAMES})"),
    ]
