"""From the tables of three samples (widths, linearity, occupancy, masks, correlations) to measurements."""

from __future__ import annotations

import numpy as np

from calokit.evaluation.measures.sums import make_curve, make_energy_curve
from calokit.evaluation.metrics.binned import BinnedValues, mean_deviation, ratio_of
from calokit.evaluation.metrics.cell_hits import cell_hits_separation
from calokit.evaluation.metrics.chi_square import compare_histograms
from calokit.evaluation.metrics.core_resolution import gaussian_core, rms90, widths_by_energy
from calokit.evaluation.metrics.correlations import GROUPS, correlation_distance, worst_neighbour_deviation
from calokit.evaluation.metrics.distances import Distance
from calokit.evaluation.metrics.layer_occupancy import THRESHOLD_MULTIPLES, occupancy_distance
from calokit.evaluation.metrics.linearity import linearity_difference
from calokit.evaluation.metrics.mask_classes import CLASS_NAMES, mask_class_distance
from calokit.evaluation.samples.sums import Sides, SideSums
from calokit.evaluation.scorecard import Curve, Measurement
from calokit.units import MEV_PER_GEV


class SideTables:
    """The widths of the response of three samples, computed once, and what the tables of the sums give.

    Args:
        sides: The filled sums.
    """

    def __init__(self, sides: Sides) -> None:
        self.sides = sides
        every = (sides.reference, sides.generated, sides.floor)
        self.core = [widths_by_energy(side.fractions, gaussian_core)[1] for side in every]
        self.rms90 = [widths_by_energy(side.fractions, rms90)[1] for side in every]

    def measure(self) -> list[Measurement]:
        """Return all measurements of the tables."""
        sides = self.sides
        found = [
            self._width(name, title, widths)
            for name, title, widths in (
                ("resolution.core", "Gaussian core of the response, mean |ratio - 1|", self.core),
                ("resolution.rms90", "RMS90 of the response, mean |ratio - 1|", self.rms90),
            )
            if _are_comparable(widths)
        ]
        found.append(
            sides.measure(
                "response",
                "sampling.mean_deviation",
                f"sampling fraction in bins of {self._bin_width:g} GeV, mean |ratio - 1|",
                lambda one, two: Distance(
                    *mean_deviation(
                        ratio_of(
                            two.energy_response.sampling_fraction(), one.energy_response.sampling_fraction()
                        )
                    )
                ),
            )
        )
        if _lines_are_fixed(sides):
            found.append(
                sides.measure(
                    "response",
                    "linearity.max_difference",
                    "linearity, largest difference of the deviations from a line",
                    lambda one, two: linearity_difference(
                        one.energy_response.linearity(), two.energy_response.linearity()
                    ),
                )
            )
        found += self._chi_square()
        found += self._occupancies()
        found.append(
            sides.measure(
                "cells",
                "masks.classes",
                "mask classes (collapsed, over-wide, matching)",
                lambda one, two: mask_class_distance(one.masks, two.masks),
                note=self._describe_masks(),
            )
        )
        layers = sides.reference.layers.shape[1]
        if layers > 1 and sides.reference.showers >= 2 * GROUPS:
            found.append(
                sides.measure(
                    "correlations",
                    "correlation.layers",
                    "correlations of the layer energies, RMS difference",
                    lambda one, two: correlation_distance(one.layer_correlations, two.layer_correlations),
                    note="of layer / incident energy",
                )
            )
        every = (sides.reference, sides.generated, sides.floor)
        if layers > 1 and min(side.upper_correlations.showers for side in every) >= 2 * GROUPS:
            found.append(
                sides.measure(
                    "correlations",
                    "correlation.worst_layer",
                    "correlation of neighbouring layers, worst pair",
                    lambda one, two: worst_neighbour_deviation(
                        one.upper_correlations, two.upper_correlations
                    ),
                    unit="standard errors",
                    note="in the upper half of ln(incident energy), where layers fluctuate least",
                )
            )
        found += [
            sides.measure(
                "cells",
                f"cell_hits.{cell}",
                f"separation at given energy, cell {cell}",
                lambda one, two, cell=cell: cell_hits_separation(  # type: ignore[misc]
                    one.cell_hits, two.cell_hits, cell
                ),
            )
            for cell in sides.reference.named_cells
        ]
        return found

    def curves(self) -> list[Curve]:
        """Return widths, sampling fraction, linearity, occupancy by layer and hit probabilities of cells."""
        sides = self.sides
        every = (sides.reference, sides.generated, sides.floor)
        edges = sides.reference.bins.energy
        label = "width / mean of visible / incident energy"
        curves = [
            make_energy_curve(
                "response", "resolution_core", "resolution, Gaussian core", label, edges, self.core
            ),
            make_energy_curve("response", "resolution_rms90", "resolution, RMS90", label, edges, self.rms90),
        ]
        sampling = sides.reference.bins.sampling
        axes = ("incident energy (GeV)", "visible / incident energy")
        values = [side.energy_response.sampling_fraction() for side in every]
        curves.append(
            make_curve(
                "response",
                "sampling_fraction",
                "sampling fraction",
                axes,
                sampling / MEV_PER_GEV,
                False,
                values,
            )
        )
        if _lines_are_fixed(sides):
            deviations = [side.energy_response.linearity().deviations for side in every]
            axes = ("incident energy (GeV)", "visible / straight line - 1")
            curves.append(
                make_curve(
                    "response", "linearity", "linearity", axes, sampling / MEV_PER_GEV, False, deviations
                )
            )
        layers = sides.reference.layers.shape[1]
        if layers > 1:
            middle = np.arange(layers + 1) - 0.5
            curves.append(
                make_curve(
                    "longitudinal",
                    "layer_occupancy",
                    "occupancy by layer",
                    ("layer", "part of the cells hit"),
                    middle,
                    False,
                    [side.occupancy.part_of_cells(0) for side in every],
                )
            )
        curves += [
            make_energy_curve(
                "cells",
                f"cell_hits_{cell}",
                f"how often cell {cell} is hit",
                "probability of a hit",
                edges,
                [side.cell_hits.hit_probability(cell) for side in every],
            )
            for cell in sides.reference.named_cells
        ]
        return curves

    @property
    def _bin_width(self) -> float:
        edges = self.sides.reference.bins.sampling
        return float(edges[1] - edges[0]) / MEV_PER_GEV

    def _width(self, name: str, title: str, widths: list[BinnedValues]) -> Measurement:
        reference, generated, floor = widths
        value, least = (Distance(*mean_deviation(ratio_of(one, reference))) for one in (generated, floor))
        return Measurement.of("response", name, title, value, least, self.sides.reference.showers)

    def _chi_square(self) -> list[Measurement]:
        """Return the chi-squared per degree of freedom of the visible fraction, both errors in it."""

        def distance(one: SideSums, two: SideSums) -> Distance:
            first, second = (side.observables["visible_fraction"] for side in (one, two))
            found = compare_histograms(first, second)
            return Distance(found.per_degree, np.sqrt(2.0 / max(found.degrees_of_freedom, 1)))

        return [
            self.sides.measure(
                "response", "chi2.visible_energy", "chi-squared / dof, visible / incident", distance
            )
        ]

    def _occupancies(self) -> list[Measurement]:
        """Return the distance of the occupancies at each threshold that the reference reaches."""
        found = []
        for number, multiple in enumerate(THRESHOLD_MULTIPLES):
            occupancy = self.sides.reference.occupancy
            if not occupancy.part_of_cells(number).values.any():
                continue
            threshold = occupancy.thresholds[number]
            found.append(
                self.sides.measure(
                    "cells",
                    f"occupancy.above_{multiple:g}",
                    f"occupancy above {threshold:.3g} MeV, relative difference",
                    lambda one, two, number=number: occupancy_distance(  # type: ignore[misc]
                        one.occupancy, two.occupancy, number
                    ),
                )
            )
        return found

    def _describe_masks(self) -> str:
        masks = self.sides.generated.masks
        parts = [f"{100 * masks.part(name).value:.3g} % {name.replace('_', '-')}" for name in CLASS_NAMES]
        return "generated: " + ", ".join(parts)


def _are_comparable(values: list[BinnedValues]) -> bool:
    """Tell whether some bin of the reference has a value and an error in both of the others."""
    reference = np.isfinite(values[0].values) & (values[0].errors > 0)
    return all(bool((reference & np.isfinite(other.errors)).any()) for other in values[1:])


def _lines_are_fixed(sides: Sides) -> bool:
    """Tell whether every sample has showers in three energy bins or more, so that a line says something."""
    return all(
        int((side.energy_response.sampling_fraction().errors > 0).sum()) >= 3
        for side in (sides.reference, sides.generated, sides.floor)
    )
