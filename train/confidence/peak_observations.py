"""A network on views of faces and non-faces: peaks, and how far its points are off."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from model.confidence import TOLERANCE
from model.decoder import decode
from model.markup import Markup
from tracker.engines.base import Engine
from train.confidence.confidence_views import KINDS, SHARES, View
from train.data.sample import Sample

# A head seen from the side has its eyes as close together as one likes, and is as large as before:
# its points are judged by the distance that eyes have from ahead, in long sides of the box of the
# landmarks. 99 % of the faces of our data that look ahead have more.
_FROM_AHEAD = 0.5


@dataclass(frozen=True, eq=False)
class Observations:
    """What a network did on N views.

    Attributes:
        kinds: [N], str; see `train.confidence.confidence_views.KINDS`.
        peaks: [N, K], float32.
        errors: [N, K] distance of every point from its place, as a fraction of the markup's
            normalising distance (a turned head's before the turn); infinity where no face is in
            sight.
    """

    kinds: NDArray[np.str_]
    peaks: NDArray[np.float32]
    errors: NDArray[np.float64]

    @property
    def found(self) -> NDArray[np.bool_]:
        """[N], whether it holds a face whose landmarks were found."""
        return np.asarray(self.errors.mean(axis=1) < TOLERANCE)

    @property
    def right(self) -> NDArray[np.bool_]:
        """[N, K], whether the point is where it belongs."""
        return self.errors < TOLERANCE


def observe(
    engine: Engine,
    views: Iterable[View],
    batch: int = 16,
    progress: Callable[[int], object] | None = None,
) -> Observations:
    """Run a network on views.

    Args:
        engine: the network.
        views: of its crop size, in its markup; at least one.
        batch: views given to the network at once.
        progress: called with the number of views just done.
    """
    markup = engine.info.markup
    kinds: list[str] = []
    peaks: list[NDArray[np.float32]] = []
    errors: list[NDArray[np.float64]] = []
    rest = iter(views)
    # The next views are made while the network runs: neither holds Python's lock for long.
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(_take, rest, batch)
        while part := coming.result():
            coming = pool.submit(_take, rest, batch)
            found, heights = decode(engine(np.stack([view.crop for view in part])))
            errors += [
                _errors(points, view, markup)
                for view, points in zip(part, engine.info.corrected(found), strict=True)
            ]
            peaks.append(heights)
            kinds += [view.kind for view in part]
            if progress is not None:
                progress(len(part))
    return Observations(np.array(kinds), np.concatenate(peaks), np.array(errors))


def _take(views: Iterator[View], count: int) -> list[View]:
    return list(islice(views, count))


def _errors(points: NDArray[np.float64], view: View, markup: Markup) -> NDArray[np.float64]:
    if view.truth is None:
        return np.full(markup.points, np.inf)
    distance = np.linalg.norm(points - view.truth, axis=-1)
    unit = view.normalizer or float(markup.normalizer(view.truth))
    if markup.default_normalizer == "inter-ocular":
        unit = max(unit, _FROM_AHEAD * float(np.ptp(view.truth, axis=0).max()))
    return np.asarray(distance / max(unit, 1e-9), dtype=np.float64)


def choose(samples: Sequence[Sample], count: int, seed: int) -> tuple[list[Sample], list[str]]:
    """Draw faces and kinds of views: every source equally often, the kinds by `SHARES`.

    Frames of one film resemble each other; drawn by their number they would outvote photographs.

    Args:
        samples: faces, at least one.
        count: views, >= 1.
        seed: of chance.

    Returns:
        `count` faces and as many kinds.
    """
    rng = np.random.default_rng(seed)
    sources = sorted({sample.source for sample in samples})
    groups = [[sample for sample in samples if sample.source == source] for source in sources]
    faces: list[Sample] = []
    # Whole rounds through a group before any face comes again.
    for place, group in enumerate(groups):
        wanted = len(range(place, count, len(groups)))
        rounds = [rng.permutation(len(group)) for _ in range(-(-wanted // len(group)))]
        faces += [group[i] for i in np.concatenate([*rounds, []]).astype(int)[:wanted]]
    # The middles of `count` equal parts of 0..1 hit every kind by its share.
    ends = np.cumsum(list(SHARES.values()))
    parts = (np.arange(count) + 0.5) / count * ends[-1]
    kinds = [KINDS[i] for i in np.searchsorted(ends, parts)]
    return faces, [kinds[i] for i in rng.permutation(count)]
