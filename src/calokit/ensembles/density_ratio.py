"""How much more often a mixture makes an example than the data have it: a calibrated classifier in folds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.isotonic import IsotonicRegression

from calokit.arrays import Float32, Float64
from calokit.errors import ConfigurationError

LEAST = 1e-3
"""Probabilities are kept so far from 0 and 1: no finite sample shows more."""


@dataclass(frozen=True)
class MixtureJudge:
    """Boosted trees that tell data from the mixture, with honest labels, one to one.

    Attributes:
        folds: Parts; the examples of each are judged by trees that saw none of them.
        trees: At most so many.
        leaves: Of each tree, at most.
        seed: Fixes parts and trees.
    """

    folds: int = 5
    trees: int = 150
    leaves: int = 31
    seed: int = 1

    def probabilities(self, data: Float32, mixture: Float32) -> tuple[Float64, Float64]:
        """Return the probability (example,) that an example is of the data, for those of data and mixture.

        Calibrated by isotonic regression on all of them, so that a perfect mixture gives 0.5 everywhere.

        Args:
            data: What the trees see of each example of the data (example, k).
            mixture: As many of the mixture; row i of both has the same conditions and falls in the same part.

        Raises:
            ConfigurationError: They differ in shape, or are fewer than the folds.
        """
        if data.shape != mixture.shape or len(data) < 2 * self.folds:
            raise ConfigurationError(
                f"data and mixture are {data.shape} and {mixture.shape}: the same numbers of examples, at "
                f"least {2 * self.folds}, and of columns are needed."
            )
        rng = np.random.default_rng(self.seed)
        part = rng.permutation(len(data)) % self.folds
        scores = np.zeros((2, len(data)))
        for number in range(self.folds):
            inside = part == number
            model = HistGradientBoostingClassifier(
                max_iter=self.trees,
                max_leaf_nodes=self.leaves,
                early_stopping=True,
                validation_fraction=0.15,
                n_iter_no_change=10,
                random_state=self.seed + number,
            )
            rows = np.concatenate([data[~inside], mixture[~inside]])
            model.fit(rows, np.repeat([1, 0], (~inside).sum()))
            scores[0, inside] = model.predict_proba(data[inside])[:, 1]
            scores[1, inside] = model.predict_proba(mixture[inside])[:, 1]
        straight = IsotonicRegression(y_min=LEAST, y_max=1.0 - LEAST, out_of_bounds="clip")
        straight.fit(scores.ravel(), np.repeat([1.0, 0.0], len(data)))
        found, others = straight.predict(scores[0]), straight.predict(scores[1])
        return found.astype(np.float64), others.astype(np.float64)


def ratio_of(probabilities: Float64) -> Float64:
    """Return dP_mixture / dP_data from the probability that an example is of the data.

    Example:
        >>> ratio_of(np.array([0.5, 0.9])).round(3).tolist()
        [1.0, 0.111]
    """
    return (1.0 - probabilities) / probabilities


def shannon_divergence(data: Float64, mixture: Float64) -> float:
    """Return the Jensen-Shannon divergence in bits from the probabilities of examples of data and mixture.

    0 for equal distributions, 1 for those that never overlap; what a GAN minimises (arXiv:1406.2661).

    Example:
        >>> shannon_divergence(np.full(9, 0.5), np.full(9, 0.5))
        0.0
    """
    return float(1.0 + 0.5 * (np.log2(data).mean() + np.log2(1.0 - mixture).mean()))


def shannon_divergence_error(data: Float64, mixture: Float64) -> float:
    """Return the standard error of `shannon_divergence` from the scatter of the examples.

    Example:
        >>> shannon_divergence_error(np.full(9, 0.5), np.full(9, 0.5))
        0.0
    """
    terms = np.log2(data), np.log2(1.0 - mixture)
    return float(0.5 * np.sqrt(sum(term.var() / len(term) for term in terms)))
