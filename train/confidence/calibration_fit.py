"""Fitting and judging what a network's peaks mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.confidence import Calibration, face_features, point_features
from model.errors import InputError
from train.confidence.confidence_views import FACES, KINDS, NO_FACES
from train.confidence.logistic_regression import Reliability, fit_logistic, reliability, roc
from train.confidence.peak_observations import Observations


def fit_calibration(seen: Observations) -> Calibration:
    """Fit both models of a calibration.

    Args:
        seen: a network on views of training faces.

    Raises:
        InputError: it found no face at all, or one in every view.
    """
    try:
        face = fit_logistic(face_features(seen.peaks), seen.found)
        points = point_features(seen.peaks)
        point = fit_logistic(points.reshape(-1, points.shape[-1]), seen.right.ravel())
    except ValueError as error:
        raise InputError(
            f"the network is within the tolerance on {int(seen.found.sum())} of {len(seen.found)} "
            "views of training faces and non-faces: there is nothing to tell apart. Train it "
            "longer, or look for more views."
        ) from error
    # Ten digits: what is beyond them is of no account, and files stay readable.
    return Calibration(*(tuple(float(f"{x:.10g}") for x in values) for values in (face, point)))


@dataclass(frozen=True, eq=False)
class Assessment:
    """How well a calibration does.

    Attributes:
        confidence: [N] of the views.
        seen: the views.
        face: reliability of faces' confidences.
        point: reliability of points' scores.
        face_roc: faces in plain sight against places without one; see
            `train.confidence.logistic_regression.roc`.
        found_roc: found against not found, over all views.
        point_roc: points where they belong against others, over all views.
    """

    confidence: NDArray[np.float64]
    seen: Observations
    face: Reliability
    point: Reliability
    face_roc: tuple[NDArray[np.float64], NDArray[np.float64], float]
    found_roc: tuple[NDArray[np.float64], NDArray[np.float64], float]
    point_roc: tuple[NDArray[np.float64], NDArray[np.float64], float]


def assess(calibration: Calibration, seen: Observations) -> Assessment:
    """Judge a calibration on views that it was not fitted on.

    Raises:
        InputError: the views are all of one kind, so that there is nothing to tell apart.
    """
    confidence = calibration.face_confidence(seen.peaks)
    scores = calibration.point_scores(seen.peaks).astype(np.float64).ravel()
    right = seen.right.ravel()
    clear, empty = np.isin(seen.kinds, FACES), np.isin(seen.kinds, NO_FACES)
    for cases in (seen.found, right, clear[clear | empty]):
        if not 0 < cases.sum() < len(cases):
            raise InputError(
                "the views to judge by are all alike (all found, or none): take more views, or "
                "train the network longer."
            )
    return Assessment(
        confidence=confidence,
        seen=seen,
        face=reliability(confidence, seen.found),
        point=reliability(scores, right),
        face_roc=roc(confidence[clear | empty], clear[clear | empty]),
        found_roc=roc(confidence, seen.found),
        point_roc=roc(scores, right),
    )


def figures(result: Assessment, start: float, stop: float) -> dict[str, object]:
    """The numbers of an assessment, for JSON.

    Args:
        result: the assessment.
        start: the tracker's threshold for new faces.
        stop: and for faces that it follows.
    """
    kinds: dict[str, object] = {}
    for kind in KINDS:
        of_kind = result.seen.kinds == kind
        if of_kind.any():
            chances = result.confidence[of_kind]
            kinds[kind] = {
                "views": int(of_kind.sum()),
                "found": float(result.seen.found[of_kind].mean()),
                "confidence": float(chances.mean()),
                "over_start": float((chances >= start).mean()),
                "over_stop": float((chances >= stop).mean()),
            }
    return {
        "views": len(result.confidence),
        "found": float(result.seen.found.mean()),
        "face": {
            "calibration_error": result.face.error,
            "auc_face_or_not": result.face_roc[2],
            "auc_found_or_not": result.found_roc[2],
            "reliability": _table(result.face),
        },
        "point": {
            "calibration_error": result.point.error,
            "auc": result.point_roc[2],
            "reliability": _table(result.point),
        },
        "thresholds": {"start": start, "stop": stop},
        "kinds": kinds,
    }


def _table(bins: Reliability) -> list[dict[str, float | int]]:
    return [
        {"cases": int(count), "stated": float(stated), "happened": float(happened)}
        for count, stated, happened in zip(bins.count, bins.stated, bins.happened, strict=True)
        if count
    ]
