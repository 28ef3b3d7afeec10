"""The Jensen-Shannon divergence of generated showers from truth, by a calibrated classifier."""

from __future__ import annotations

import numpy as np

from calokit.arrays import Float32
from calokit.ensembles.density_ratio import MixtureJudge, shannon_divergence, shannon_divergence_error
from calokit.evaluation.samples.observables import ObservableCalculator
from calokit.evaluation.topology.features import FeatureMaker
from calokit.showers import ShowerFile

PIECE = 1024
"""Showers looked at at a time."""


class DivergenceJudge:
    """Measures the divergence in bits of any number of samples from one reference: what AdaGAN minimises.

    Boosted trees on all observables, in parts that test what they never saw, calibrated by isotonic
    regression (`calokit.ensembles.density_ratio`); being fitted to the scores themselves, the calibration
    leaves a small positive divergence of equal samples, which the floor shows.

    Args:
        reference: The truth.
        floor: Truth of other seeds, cut to the reference's number; None knows no floor.
        threshold_mev: Cells at or below it count as empty.
        seed: Of parts and trees.
    """

    def __init__(
        self, reference: ShowerFile, floor: ShowerFile | None, threshold_mev: float, seed: int
    ) -> None:
        self.maker = FeatureMaker(ObservableCalculator(reference.detector, threshold_mev))
        self.judge = MixtureJudge(seed=seed)
        self.reference = self._look(reference)
        self.floor = (float("nan"), float("nan")) if floor is None else self._measure(floor)

    def metrics(self, generated: ShowerFile) -> dict[str, list[float]]:
        """Return value, error, floor and its error of `divergence.shannon`."""
        return {"divergence.shannon": [*self._measure(generated), *self.floor]}

    def _measure(self, other: ShowerFile) -> tuple[float, float]:
        seen = self._look(other.head(min(len(other), len(self.reference))))
        data, made = self.judge.probabilities(self.reference[: len(seen)], seen)
        return shannon_divergence(data, made), shannon_divergence_error(data, made)

    def _look(self, view: ShowerFile) -> Float32:
        """Return what trees see of the showers of a file (event, k)."""
        threshold = self.maker.observables.threshold
        return np.concatenate(
            [self.maker(piece.with_threshold(threshold)).values for piece in view.chunks(PIECE)]
        )
