"""The classical methods, fitted on the training showers of a reconstruction and applied to any others."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from calokit.arrays import Float64
from calokit.classical.boosted_energy import BoostedEnergy
from calokit.classical.energy import CalibratedSum, LayerWeightedSum
from calokit.classical.hits import GridHits
from calokit.classical.shower_features import shower_features
from calokit.classical.track_fit import FittedLines, LineFit, directions_to_slopes
from calokit.showers import ShowerFile

CALIBRATED_SUM = "calibrated sum"
"""The method that ratios of energies are taken to."""


@dataclass(frozen=True)
class ClassicalInputs:
    """What the classical methods need of some showers.

    Attributes:
        energies: (event,) true energies, MeV.
        positions: (event, 2) true impacts, mm.
        slopes: (event, 2) true slopes.
        layers: (event, layer) deposits, MeV.
        hits: The hits.
    """

    energies: Float64
    positions: Float64
    slopes: Float64
    layers: Float64
    hits: GridHits

    @classmethod
    def read(cls, view: ShowerFile) -> Self:
        """Read a view, a piece at a time."""
        truth: list[tuple[Float64, Float64, Float64]] = []
        found: list[GridHits] = []
        for showers in view.chunks():
            found.append(GridHits.of(showers))
            none = np.zeros((len(showers), 2))
            truth.append(
                (
                    showers.incident_energies.astype(np.float64),
                    none if showers.positions is None else showers.positions.astype(np.float64),
                    none if showers.directions is None else directions_to_slopes(showers.directions),
                )
            )
        hits = GridHits.join(found)
        energies, positions, slopes = (np.concatenate(one) for one in zip(*truth, strict=True))
        return cls(energies, positions, slopes, hits.sum_by_layer(hits.energy), hits)


@dataclass(frozen=True)
class ClassicalMethods:
    """Every classical method, fitted.

    Attributes:
        calibrated_sum: Linear calibration of the sum.
        layer_weighted: A weight for each layer.
        boosted: Boosted trees on shower shapes.
        line_fit: Log-weighted centroids and a straight line, its cut tuned.
    """

    calibrated_sum: CalibratedSum
    layer_weighted: LayerWeightedSum
    boosted: BoostedEnergy
    line_fit: LineFit

    @classmethod
    def fit(cls, known: ClassicalInputs) -> Self:
        """Fit all of them to training showers."""
        line_fit = LineFit.fit(known.hits, known.positions, known.slopes)
        features, _ = shower_features(known.hits, line_fit(known.hits))
        return cls(
            CalibratedSum.fit(known.layers.sum(axis=1), known.energies),
            LayerWeightedSum.fit(known.layers, known.energies),
            BoostedEnergy.fit(known.layers, features, known.energies),
            line_fit,
        )

    def apply(self, known: ClassicalInputs) -> ClassicalEstimates:
        """Return what every method makes of showers."""
        lines = self.line_fit(known.hits)
        features, _ = shower_features(known.hits, lines)
        return ClassicalEstimates(
            {
                CALIBRATED_SUM: self.calibrated_sum(known.layers.sum(axis=1)),
                "layer weights": self.layer_weighted(known.layers),
                "boosted trees": self.boosted(known.layers, features),
            },
            lines,
        )


@dataclass(frozen=True)
class ClassicalEstimates:
    """What the classical methods make of some showers.

    Attributes:
        energies: (event,) MeV, by method.
        lines: The fitted lines.
    """

    energies: dict[str, Float64]
    lines: FittedLines

    @cached_property
    def angles(self) -> Float64:
        """(event, 2) angles of the projections to the xz and yz planes, rad."""
        return np.arctan(self.lines.slopes)
