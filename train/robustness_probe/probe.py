"""A network under every condition: errors and confidences, face by face."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.crop import from_crop
from model.decoder import decode
from model.markup import Markup
from tracker.engines.base import Engine
from train.augmentation.occluders import texture_of
from train.data.sample import Sample
from train.evaluation.landmark_errors import check_comparable
from train.evaluation.markup_conversion import to_markup
from train.evaluation.metrics import face_errors
from train.evaluation.predict import true_region
from train.robustness_probe.changed_face import ChangedFace, Shot, clean_shot
from train.robustness_probe.conditions import CONDITIONS, Condition


@dataclass(frozen=True, eq=False)
class Series:
    """A network on N faces in one state.

    Attributes:
        errors: [N] normalised mean errors as fractions; NaN for faces that cannot be had like that.
        confidence: [N] probabilities that the face was found, NaN as well; None if the weights hold
            no calibration.
    """

    errors: NDArray[np.float64]
    confidence: NDArray[np.float64] | None


@dataclass(frozen=True, eq=False)
class Probe:
    """A network on N faces under every condition.

    Attributes:
        markup: of the labels.
        points: [N, K, 2] landmarks found in the unchanged pictures, in the labels' markup, pixels.
        clean: the unchanged pictures.
        steps: condition's name -> one series for each of its values.
    """

    markup: Markup
    points: NDArray[np.float64]
    clean: Series
    steps: dict[str, list[Series]]


class _Job(NamedTuple):
    """A shot, of which face, and in which step; step 0 is the clean one."""

    step: int
    face: int
    shot: Shot


def probe(
    engine: Engine,
    samples: Sequence[Sample],
    *,
    conditions: Sequence[Condition] = CONDITIONS,
    batch: int = 32,
    progress: Callable[[int], object] | None = None,
) -> Probe:
    """Run a network on every face under every condition.

    Args:
        engine: the network; its markup may differ from the labels' where
            `train.evaluation.markup_conversion` knows how.
        samples: the faces, all with the same markup, at least one.
        conditions: what to change.
        batch: crops given to the network at once.
        progress: called with the number of faces just done.

    Raises:
        InputError: no conversion between the two markups, a face whose normalising distance is 0,
            or a picture that cannot be read.
    """
    markup, own = samples[0].markup, engine.info.markup
    check_comparable(own, samples)
    # What changes nothing is looked at once.
    steps = [(c, value) for c in conditions for value in c.values if value != c.clean]
    calibration = engine.info.calibration
    errors = np.full((1 + len(steps), len(samples)), np.nan)
    confidence = errors.copy()
    points = np.full((len(samples), markup.points, 2), np.nan)
    rest = _jobs(samples, steps, engine.info.input_size)
    done = 0
    # The next crops are made while the network runs: neither holds Python's lock for long.
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(_take, rest, batch)
        while part := coming.result():
            coming = pool.submit(_take, rest, batch)
            found, peaks = decode(engine(np.stack([job.shot.crop for job in part])))
            found = engine.info.corrected(found)
            for job, face, heights in zip(part, found, peaks, strict=True):
                placed = to_markup(from_crop(face, job.shot.matrix), own, markup)
                errors[job.step, job.face] = _error(placed, samples[job.face], job.shot.moved)
                if calibration is not None:
                    confidence[job.step, job.face] = calibration.face_confidence(heights)
                if job.step == 0:
                    points[job.face] = placed
            if progress is not None:
                progress(part[-1].face - done)
                done = part[-1].face
    if progress is not None:
        progress(len(samples) - done)

    def series(step: int) -> Series:
        return Series(errors[step], confidence[step] if calibration is not None else None)

    changed = {(c.name, value): series(i) for i, (c, value) in enumerate(steps, start=1)}
    clean = series(0)
    return Probe(
        markup=markup,
        points=points,
        clean=clean,
        steps={c.name: [changed.get((c.name, v), clean) for v in c.values] for c in conditions},
    )


def _error(points: NDArray[np.float64], sample: Sample, moved: NDArray[np.float64] | None) -> float:
    """Normalised mean error of points [K, 2] in the labels' markup."""
    # A head that turns is as large as before, though its eyes come to lie close together.
    shift = 0 if moved is None else moved - sample.points
    return float(face_errors((points - shift)[None], sample.points[None], sample.markup)[0])


def _jobs(
    samples: Sequence[Sample], steps: Sequence[tuple[Condition, float]], size: int
) -> Iterator[_Job]:
    """Every face in every step that it can be had in; the pictures are read one after another."""
    # Each face is covered by what the one before it stands in front of, the first by the second's.
    second = min(1, len(samples) - 1)
    texture = _texture(samples[second], samples[second].load(), size, second)
    for number, sample in enumerate(samples):
        image = sample.load()
        face = ChangedFace(
            number, image, true_region(sample, image), sample.points, sample.markup, texture
        )
        texture = _texture(sample, image, size, number)
        yield _Job(0, number, clean_shot(face, size))
        for step, (condition, value) in enumerate(steps, start=1):
            shot = condition.change(face, value, size)
            if shot is not None:
                yield _Job(step, number, shot)


def _texture(sample: Sample, image: NDArray[np.uint8], size: int, number: int) -> NDArray[np.uint8]:
    return texture_of(sample, image, size, np.random.default_rng((1, number)))


def _take(jobs: Iterator[_Job], count: int) -> list[_Job]:
    return list(islice(jobs, count))
