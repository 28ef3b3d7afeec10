"""One passage through reference, generated and floor sample, side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from calokit.evaluation.metrics.binned import BinnedMoments
from calokit.evaluation.samples.kept_showers import KeptShowers, spread_positions
from calokit.evaluation.samples.observables import ObservableCalculator
from calokit.evaluation.samples.pairing import match_incidents, same_incidents, squared_errors
from calokit.evaluation.samples.streams import Comparison
from calokit.evaluation.samples.sums import Sides, SideSums
from calokit.evaluation.samples.survey import Bins
from calokit.evaluation.topology.features import FeatureMaker
from calokit.showers import Incidents, Showers

KEPT_BYTES = 512 * 2**20
"""The showers kept of one sample take at most about so much memory; detectors with many hits keep fewer."""
HIT_BYTES = 12
"""Memory of one hit of a kept shower: its energy and its cell."""
LEAST_AFFORDABLE = 100


class Passage:
    """Goes through the samples of a comparison and holds what is left of them.

    Args:
        comparison: The samples.
        calculator: Computes the observables.
        bins: Every bin, from the survey of the reference.
        keep: How many showers of each sample shall be kept, memory allowing.
        tell: Called with the part of the passage done (0 to 1).
        maker: Makes the strong judge's table of kept showers; None leaves it out.

    Attributes:
        kept: Positions of the kept showers, rising.
        sides: The filled sums.
        reference: Kept showers of the reference.
        generated: Kept showers of the generated sample, at the same positions.
        floor: Kept showers of the floor.
        squared: Squared errors of the generated sample by energy.
        paired: Whether the generated showers are of the reference's incidents.
        floor_paired: Whether the floor's are.
    """

    def __init__(
        self,
        comparison: Comparison,
        calculator: ObservableCalculator,
        bins: Bins,
        keep: int,
        tell: Callable[[float], None],
        maker: FeatureMaker | None = None,
    ) -> None:
        affordable = int(KEPT_BYTES / (HIT_BYTES * max(bins.mean_hits, 1.0)))
        self.kept = spread_positions(comparison.showers, min(keep, max(affordable, LEAST_AFFORDABLE)))
        self.comparison, self.calculator, self.bins = comparison, calculator, bins
        self.sides = Sides(*(SideSums(calculator, bins, self.kept, maker) for _ in range(3)))
        self.squared, self._floor_squared = BinnedMoments(bins.energy), BinnedMoments(bins.energy)
        self.paired, self.floor_paired = True, True
        self._true_incidents: list[Incidents] = []
        self._floor_incidents: list[Incidents] = []
        for start, stop in comparison.blocks():
            self._add_block(start, stop)
            tell(stop / comparison.showers)
        self.reference: KeptShowers = self.sides.reference.kept_showers()
        self.generated: KeptShowers = self.sides.generated.kept_showers()
        self.floor: KeptShowers = self.sides.floor.kept_showers()

    def floor_squared_errors(self) -> tuple[BinnedMoments, str]:
        """Return the squared errors between two truth showers by energy, and how they were paired.

        Floor showers of the reference's incidents are taken as they come; else the kept showers are matched
        by `match_incidents`, with all that both truths know, also what the generated showers lack.
        """
        if self.floor_paired:
            return self._floor_squared, "floor: two truth showers of each incident"
        matched = BinnedMoments(self.bins.energy)
        first, second = (
            Incidents.join(one)[self.kept] for one in (self._true_incidents, self._floor_incidents)
        )
        one, two = match_incidents(first, second, self.calculator.pitch, self.bins.energy)
        energies = first.energies[one].astype(np.float64)
        others = second.energies[two].astype(np.float64)
        for start in range(0, len(one), 1024):
            part = slice(start, start + 1024)
            true = self.reference.cells[one[part]].multiply(1.0 / energies[part, None])
            other = self.floor.cells[two[part]].multiply(1.0 / others[part, None])
            squares = (true.tocsr() - other.tocsr()).power(2).sum(axis=1)
            matched.add(
                energies[part], np.asarray(squares).ravel() / self.comparison.detector.number_of_cells
            )
        return (
            matched,
            f"floor: {len(one)} pairs of truth showers of the nearest incidents, slightly too high",
        )

    def _add_block(self, start: int, stop: int) -> None:
        comparison = self.comparison
        reference = comparison.reference.read(start, stop)
        self.sides.reference.add(comparison.common(reference))
        generated, same = _of_incidents(comparison.generated.read(start, stop), reference)
        self.sides.generated.add(comparison.common(generated))
        self.paired = self.paired and same
        if self.paired:
            self._add_squares(self.squared, reference, generated)
        del generated
        floor, same = _of_incidents(comparison.floor.read(start, stop), reference)
        self.sides.floor.add(comparison.common(floor))
        self._true_incidents.append(reference.incidents)
        self._floor_incidents.append(floor.incidents)
        self.floor_paired = self.floor_paired and same
        if self.floor_paired:
            self._add_squares(self._floor_squared, reference, floor)

    def _add_squares(self, moments: BinnedMoments, reference: Showers, other: Showers) -> None:
        """Add the squared errors of a block of the same incidents."""
        moments.add(
            reference.incident_energies.astype(np.float64),
            squared_errors(reference, other, self.calculator.threshold),
        )


def _of_incidents(showers: Showers, reference: Showers) -> tuple[Showers, bool]:
    """Return showers, of the reference's incidents where theirs are the same but for rounding; and whether.

    Else a classifier would tell them by the last digit of what both are said to have.
    """
    if not same_incidents(reference, showers):
        return showers, False
    moved = replace(
        showers,
        incident_energies=reference.incident_energies,
        positions=showers.positions if reference.positions is None else reference.positions,
        directions=showers.directions if reference.directions is None else reference.directions,
    )
    return moved, True
