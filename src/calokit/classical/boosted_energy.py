"""Gradient boosting on shower shapes: the strongest energy estimate that needs no network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from calokit.arrays import Float64
from calokit.classical.energy import BiasCorrection, LayerWeightedSum
from calokit.errors import CalokitError

SMALLEST_SAMPLE = 200
FOLDS = 8
"""Parts of the training showers; each group of trees learns on all but one of them."""
RIDGE = 1e-4
"""Penalty on the squares of the line's weights, a shower and standardised feature."""


@dataclass(frozen=True)
class ShapeLine:
    """A line in standardised features, by least squares with a small ridge.

    Attributes:
        middle: (k,) mean of each feature.
        spread: (k,) its standard deviation.
        weights: (k + 1,) of the standardised features, and a constant.

    Example:
        >>> features = np.random.default_rng(0).normal(size=(500, 2))
        >>> line = ShapeLine.fit(features, 3 * features[:, 0] - 1)
        >>> line(np.array([[2.0, 5.0]])).round(2).tolist()
        [5.0]
    """

    middle: Float64
    spread: Float64
    weights: Float64

    @classmethod
    def fit(cls, features: Float64, targets: Float64) -> Self:
        """Fit to features (event, k) and targets (event,); one that never changes counts for nothing."""
        middle, spread = features.mean(axis=0), features.std(axis=0)
        spread = np.where(spread > 1e-9 * (1.0 + np.abs(middle)), spread, np.inf)
        design = _with_ones((features - middle) / spread)
        ridge = RIDGE * len(design) * np.diag([*np.ones(features.shape[1]), 0.0])
        weights = np.linalg.solve(design.T @ design + ridge, design.T @ targets)
        return cls(middle, spread, np.asarray(weights, np.float64))

    def __call__(self, features: Float64) -> Float64:
        """Return the line's values (event,) at features (event, k)."""
        return np.asarray(_with_ones((features - self.middle) / self.spread) @ self.weights)


@dataclass(frozen=True)
class BoostedEnergy:
    """A line and boosted trees correct the layer-weighted sum: E = sum + sqrt(sum) x (line + trees).

    Line and trees learn the error in units of its spread, so that (dE)^2 / E is what they make small; the
    line takes what rises and falls with a feature, for which trees need many showers. Eight groups of trees
    learn on seven eighths of the showers each and are averaged; each stops when a tenth of its showers, held
    back, gets no better. What each makes of the eighth it never saw tells the bias, which is corrected.

    Attributes:
        weighted: The layer-weighted sum that is corrected.
        line: The line in the features.
        trees: Fitted `sklearn.ensemble.HistGradientBoostingRegressor`, averaged.
        correction: Removes the bias.
    """

    weighted: LayerWeightedSum
    line: ShapeLine
    trees: tuple[Any, ...]
    correction: BiasCorrection

    @classmethod
    def fit(cls, layer_deposits: Float64, features: Float64, energies: Float64, seed: int = 1) -> Self:
        """Fit to training showers.

        Args:
            layer_deposits: (event, layer) MeV.
            features: (event, k) of `shower_features`.
            energies: (event,) true energies, MeV.
            seed: Decides which showers are held back.

        Raises:
            CalokitError: There are fewer than 200 showers.
        """
        if len(energies) < SMALLEST_SAMPLE:
            raise CalokitError(f"boosted trees need {SMALLEST_SAMPLE} showers; {len(energies)} are given.")
        weighted = LayerWeightedSum.fit(layer_deposits, energies)
        base = weighted(layer_deposits).clip(1.0)
        error = (energies - base) / np.sqrt(base)
        line = ShapeLine.fit(features, error)
        straight = line(features)
        known = _seen_by_trees(features, base, straight)
        fold = np.random.default_rng(seed).permutation(len(energies)) % FOLDS
        trees, unseen = [], np.zeros(len(energies))
        for number in range(FOLDS):
            inside = fold != number
            one = _untrained_trees(seed)
            one.fit(known[inside], (error - straight)[inside])
            unseen[~inside] = one.predict(known[~inside])
            trees.append(one)
        raw = base + np.sqrt(base) * (straight + unseen)
        return cls(weighted, line, tuple(trees), BiasCorrection.fit(raw, energies))

    def __call__(self, layer_deposits: Float64, features: Float64) -> Float64:
        """Return the energies (event,) of deposits (event, layer) and features (event, k), MeV."""
        base = self.weighted(layer_deposits).clip(1.0)
        straight = self.line(features)
        known = _seen_by_trees(features, base, straight)
        learned = np.mean([one.predict(known) for one in self.trees], axis=0)
        return self.correction(base + np.sqrt(base) * (straight + learned))


def _untrained_trees(seed: int) -> Any:
    """Return trees whose settings were the best of five on held-back showers, within 0.003 of each other."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(
        learning_rate=0.05,
        max_iter=600,
        max_leaf_nodes=15,
        min_samples_leaf=40,
        l2_regularization=1.0,
        early_stopping=True,
        validation_fraction=0.1,
        n_iter_no_change=20,
        random_state=seed,
    )


def _seen_by_trees(features: Float64, base: Float64, straight: Float64) -> Float64:
    return np.concatenate([features, base[:, None], straight[:, None]], axis=1)


def _with_ones(values: Float64) -> Float64:
    return np.concatenate([values, np.ones((len(values), 1))], axis=1)
