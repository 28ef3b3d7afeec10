"""CaloChallenge's classifiers on the kept showers of a comparison, as measurements."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from calokit.detector import Detector
from calokit.evaluation.classifiers.challenge import (
    ChallengeResult,
    ChallengeSettings,
    challenge_dense_auc,
    challenge_image_auc,
)
from calokit.evaluation.classifiers.inputs import ClassifierInputs, observable_inputs, voxel_inputs
from calokit.evaluation.measures.kept import KeptSamples
from calokit.evaluation.metrics.distances import Distance
from calokit.evaluation.metrics.precision_recall import standardise
from calokit.evaluation.samples.kept_showers import KeptShowers
from calokit.evaluation.scorecard import Measurement
from calokit.progress import TellPart

Judge = Callable[[ClassifierInputs, ClassifierInputs], ChallengeResult]


def judge_as_challenge(
    samples: KeptSamples,
    detector: Detector,
    threshold: float,
    seeds: Sequence[int],
    patience: int | None,
    tell: TellPart,
    device: str = "cpu",
) -> list[Measurement]:
    """Return areas and Jensen-Shannon divergences of CaloChallenge's dense networks and of its 3D network.

    The networks, splits and calibration are CaloChallenge's; unlike there all that is known of the incident
    particle is among the inputs, showers of one incident stay in one part of the split, and the observables
    are calokit's, standardised by the reference.

    Args:
        samples: The kept showers.
        detector: Whose cells they have.
        threshold: MeV; cells at or below it count as empty.
        seeds: One training each.
        patience: Epochs without a better one after which a training stops; None never stops early.
        tell: Called with a text and the part done (0 to 1).
        device: What trains.
    """
    settings = ChallengeSettings(patience=patience, paired_split=True, device=device)

    def cells(kept: KeptShowers) -> ClassifierInputs:
        return voxel_inputs(kept.cells, kept.conditions, threshold)

    known = samples.reference.conditions.shape[1]
    reference_observables = samples.reference.high_level[:, known:].astype(np.float64)

    def observables(kept: KeptShowers) -> ClassifierInputs:
        # the conditions are the first columns, and inputs of their own
        _, scaled = standardise(reference_observables, kept.high_level[:, known:].astype(np.float64))
        return observable_inputs(scaled.astype(np.float32), kept.conditions)

    def dense(one: ClassifierInputs, two: ClassifierInputs) -> ChallengeResult:
        return challenge_dense_auc(one, two, seeds, settings, tell)

    inputs = [
        ("low", "cells", cells, dense),
        ("high", "observables", observables, dense),
    ]
    shape = detector.sections[0].shape if len(detector.sections) == 1 else None
    if shape is not None and min(shape) > 1 and math.prod(shape) == samples.reference.cells.shape[1]:

        def images(one: ClassifierInputs, two: ClassifierInputs) -> ChallengeResult:
            return challenge_image_auc(one, two, shape, seeds, settings, tell)

        inputs.append(("image", "3D images", cells, images))
    found = []
    for name, title, make, judge in inputs:
        reference = make(samples.reference)
        value, floor = (judge(reference, make(other)) for other in (samples.generated, samples.floor))
        found += _measurements(name, title, value, floor)
    return found


def _measurements(name: str, title: str, value: ChallengeResult, floor: ChallengeResult) -> list[Measurement]:
    trainings = f"{len(value.runs)} trainings, 60/20/20 %, {value.parameters:,} weights"
    rows = (
        ("auc", "AUC", (value.auc, value.auc_error), (floor.auc, floor.auc_error)),
        ("jsd", "JSD (bits)", (value.jsd, value.jsd_error), (floor.jsd, floor.jsd_error)),
    )
    return [
        Measurement.of(
            "classifiers",
            f"challenge.{key}_{name}",
            f"CaloChallenge {words}, {title}",
            Distance(*found),
            Distance(*least),
            value.showers_per_class,
            note=trainings,
        )
        for key, words, found, least in rows
    ]
