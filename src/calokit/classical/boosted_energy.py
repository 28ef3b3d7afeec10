"""Gradient boosting on shower shapes: the strongest energy estimate that needs no network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from calokit.arrays import Float64
from calokit.classical.energy import BiasCorrection, LayerWeightedSum
from calokit.errors import CalokitError

SMALLEST_SAMPLE = 200


@dataclass(frozen=True)
class BoostedEnergy:
    """Boosted trees that correct the layer-weighted sum: E = sum + sqrt(sum) x trees(shape).

    The trees learn the error in units of its spread, so that (dE)^2 / E is what they make small; they stop
    when a tenth of their training showers, held back, gets no better. On a further tenth, which the trees
    never see, the bias is corrected.

    Attributes:
        weighted: The layer-weighted sum that the trees correct.
        trees: A fitted `sklearn.ensemble.HistGradientBoostingRegressor`.
        correction: Removes the bias.
    """

    weighted: LayerWeightedSum
    trees: Any
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
        from sklearn.ensemble import HistGradientBoostingRegressor

        if len(energies) < SMALLEST_SAMPLE:
            raise CalokitError(f"boosted trees need {SMALLEST_SAMPLE} showers; {len(energies)} are given.")
        weighted = LayerWeightedSum.fit(layer_deposits, energies)
        base = weighted(layer_deposits).clip(1.0)
        trees = HistGradientBoostingRegressor(
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
        apart = np.zeros(len(energies), bool)
        apart[np.random.default_rng(seed).permutation(len(energies))[: len(energies) // 10]] = True
        known = _with_base(features, base)
        trees.fit(known[~apart], ((energies - base) / np.sqrt(base))[~apart])
        raw = base[apart] + np.sqrt(base[apart]) * trees.predict(known[apart])
        return cls(weighted, trees, BiasCorrection.fit(raw, energies[apart]))

    def __call__(self, layer_deposits: Float64, features: Float64) -> Float64:
        """Return the energies (event,) of deposits (event, layer) and features (event, k), MeV."""
        base = self.weighted(layer_deposits).clip(1.0)
        return self.correction(base + np.sqrt(base) * self.trees.predict(_with_base(features, base)))


def _with_base(features: Float64, base: Float64) -> Float64:
    return np.concatenate([features, base[:, None]], axis=1)
