"""Observables of each shower: energies, hits, centre, widths, depth, hottest cells and rings."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, hstack
from scipy.spatial import cKDTree

from calokit.arrays import Float32, Float64
from calokit.detector import Detector
from calokit.errors import CalokitError, suggest_near_miss
from calokit.evaluation.samples.hit_means import mean_and_width, ratio
from calokit.evaluation.samples.momentum_shape import ALONG_MOMENTUM, shape_of_hits
from calokit.showers import Showers
from calokit.showers.hits import Hits, find_hits

HOTTEST_CELLS = (1, 2, 4, 9)
"""How many of the most energetic cells are summed for the hottest-cell fractions."""
SPECTRUM_MULTIPLES = (1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
"""Band edges of the counts of cells by energy, in multiples of the threshold; the last band is open."""
RING_RADII = (0.5, 1.0, 1.5, 2.0, 3.0, 5.0)
"""Radii about the shower's centre within which the energy is summed, in median cell pitches."""


@dataclass(frozen=True)
class Observables:
    """Named observables of each shower.

    Attributes:
        names: The k column names.
        values: (event, k) float64.
    """

    names: tuple[str, ...]
    values: Float64

    def column(self, name: str) -> Float64:
        """Return one observable, (event,).

        Raises:
            CalokitError: There is no observable of that name.
        """
        if name not in self.names:
            raise CalokitError(f"no observable {name!r}. {suggest_near_miss(name, self.names)}")
        return self.values[:, self.names.index(name)]


class ObservableCalculator:
    """Computes the observables of showers of one detector at one threshold.

    An empty shower (no cell above threshold) has 0 in every column: centre on the impact, no width, no depth,
    no fractions. Centres are relative to the impact where positions are known, else to the detector's axis.
    Widths are energy-weighted standard deviations about the shower's own centre.

    Columns: `visible_energy` (MeV), `visible_fraction` (visible / incident), `hits`, `centre_x`, `centre_y`,
    `width_x`, `width_y` (mm), `hottest_N` (energy fraction of the N most energetic cells), `cells_A_to_B` and
    `cells_above_A` (number of cells between multiples of the threshold), `within_R_pitches` (energy fraction
    within R median cell pitches of the centre), and with several layers `depth`, `depth_width` (mm; in layers
    where the detector does not say how deep they are) and `layer_I` (MeV); where impact and direction are
    known also `asymmetry_along`, `asymmetry_across`, `width_along`, `width_across` (mm), those of
    `momentum_shape` about the point that the particle would reach at the middle depth of the cells.

    Args:
        detector: Whose cells the showers have.
        threshold: MeV; cells at or below it count as empty.
    """

    def __init__(self, detector: Detector, threshold: float) -> None:
        self.detector = detector
        self.threshold = threshold
        self.pitch = median_pitch(detector)
        self.depths = cell_depths(detector)
        known = detector.cells.z[~np.isnan(detector.cells.z)]
        self.middle_mm = float(known.mean()) if len(known) else 0.0

    def __call__(self, showers: Showers, hits: Hits | None = None) -> Observables:
        """Return the observables of showers; `hits` saves finding them again where already known."""
        hits = find_hits(showers, self.threshold) if hits is None else hits
        visible = hits.sum_by_event(hits.energy)
        columns: dict[str, Float64] = {
            "visible_energy": visible,
            "visible_fraction": visible / showers.incident_energies,
            "hits": hits.sum_by_event(),
        }
        columns |= self._transverse(showers, hits, visible)
        columns |= _hottest(hits, visible)
        columns |= self._spectrum(hits)
        if self.detector.number_of_layers > 1:
            columns |= self._longitudinal(hits, visible)
        if showers.positions is not None and showers.directions is not None:
            shape = shape_of_hits(showers, hits, visible, self.middle_mm)
            columns |= {name: getattr(shape, name) for name in ALONG_MOMENTUM}
        return Observables(tuple(columns), np.stack(list(columns.values()), axis=1))

    def _transverse(self, showers: Showers, hits: Hits, visible: Float64) -> dict[str, Float64]:
        cells = self.detector.cells
        x, y = cells.x[hits.cell], cells.y[hits.cell]
        if showers.positions is not None:
            impact = showers.positions.astype(np.float64)
            x, y = x - impact[hits.event, 0], y - impact[hits.event, 1]
        centre_x, width_x, from_x = mean_and_width(hits, x, visible)
        centre_y, width_y, from_y = mean_and_width(hits, y, visible)
        distance = np.hypot(from_x, from_y) / self.pitch
        rings = {
            f"within_{radius:g}_pitches": ratio(hits.sum_by_event(hits.energy * (distance < radius)), visible)
            for radius in RING_RADII
        }
        shape = {"centre_x": centre_x, "centre_y": centre_y, "width_x": width_x, "width_y": width_y}
        return shape | rings

    def _longitudinal(self, hits: Hits, visible: Float64) -> dict[str, Float64]:
        layers = self.detector.number_of_layers
        depth, depth_width, _ = mean_and_width(hits, self.depths[hits.cell], visible)
        columns: dict[str, Float64] = {"depth": depth, "depth_width": depth_width}
        place = hits.event * layers + self.detector.cells.layer[hits.cell]
        energies = np.bincount(place, weights=hits.energy, minlength=hits.events * layers)
        by_layer = energies.astype(np.float64).reshape(hits.events, layers)
        columns |= {f"layer_{layer}": by_layer[:, layer] for layer in range(layers)}
        return columns

    def _spectrum(self, hits: Hits) -> dict[str, Float64]:
        bands = len(SPECTRUM_MULTIPLES)
        # a threshold of 0 has no multiples: 1 keV stands in
        edges = np.array(SPECTRUM_MULTIPLES) * (self.threshold or 1e-3)
        band = np.searchsorted(edges, hits.energy, side="right") - 1
        place = hits.event * bands + np.maximum(band, 0)
        counts = (
            np.bincount(place, minlength=hits.events * bands).reshape(hits.events, bands).astype(np.float64)
        )
        names = [f"cells_{low:g}_to_{high:g}" for low, high in itertools.pairwise(SPECTRUM_MULTIPLES)]
        names.append(f"cells_above_{SPECTRUM_MULTIPLES[-1]:g}")
        return {name: counts[:, index] for index, name in enumerate(names)}


def high_level_features(showers: Showers, threshold: float) -> tuple[Float32, list[str]]:
    """Return the observables and conditions of each shower in the form a classifier takes.

    Energies and counts enter as logarithms: ln(energy + threshold), ln(fraction + 1e-4), ln(1 + hits).

    Args:
        showers: The showers.
        threshold: MeV; cells at or below it count as empty.

    Returns:
        (event, k) float32, finite for empty showers too, and the k names; the conditions come first.
    """
    return features_of(ObservableCalculator(showers.detector, threshold)(showers), showers, threshold)


def features_of(observables: Observables, showers: Showers, threshold: float) -> tuple[Float32, list[str]]:
    """Return classifier features as `high_level_features` does, from observables already computed."""
    conditions, condition_names = showers.conditions()
    names = [name for name in observables.names if name not in ALONG_MOMENTUM]
    values = observables.values[:, [observables.names.index(name) for name in names]]
    for index, name in enumerate(names):
        if name == "visible_energy" or name.startswith("layer_"):
            values[:, index] = np.log(values[:, index] + (threshold or 1e-3))
        elif name == "visible_fraction":
            values[:, index] = np.log(values[:, index] + 1e-4)
        elif name == "hits":
            values[:, index] = np.log1p(values[:, index])
    matrix = np.concatenate([conditions, values], axis=1).astype(np.float32)
    return matrix, [*condition_names, *names]


def low_level_features(showers: Showers, threshold: float) -> csr_array:
    """Return the conditions and ln(1 + cell / threshold) of every cell, as a sparse matrix.

    Args:
        showers: The showers.
        threshold: MeV; cells at or below it count as empty. In the logarithm 1 keV stands in for a
            threshold of 0.

    Returns:
        (event, conditions + cell) float32 in compressed rows, since most cells of a shower are empty.
    """
    conditions, _ = showers.conditions()
    kept = np.where(showers.energies > threshold, showers.energies, np.float32(0.0))
    return join_low_level(conditions, csr_array(kept), threshold)


def join_low_level(conditions: Float64, cells: csr_array, threshold: float) -> csr_array:
    """Return low-level features from conditions (event, k) and cells above threshold (event, cell) in MeV."""
    logarithms = cells.copy()
    logarithms.data = np.log1p(logarithms.data / np.float32(threshold or 1e-3))
    features: csr_array = hstack([csr_array(conditions.astype(np.float32)), logarithms], format="csr")
    return features


def median_pitch(detector: Detector) -> float:
    """Return the median distance in mm from a cell to its nearest neighbour in its layer.

    The layer with the most cells stands for the detector; 1 mm where there is no such distance.
    """
    cells = detector.cells
    largest = np.bincount(cells.layer).argmax()
    places = np.stack([cells.x, cells.y], axis=1)[cells.layer == largest]
    if len(places) < 2:
        return 1.0
    distances, _ = cKDTree(places).query(places, k=2)
    return float(np.median(distances[:, 1])) or 1.0


def cell_depths(detector: Detector) -> Float64:
    """Return the depth of each cell's layer in mm, or its number where any depth is unknown; (cell,)."""
    cells = detector.cells
    return cells.layer.astype(np.float64) if np.isnan(cells.z).any() else cells.z


def _hottest(hits: Hits, visible: Float64) -> dict[str, Float64]:
    order = np.lexsort((-hits.energy, hits.event))
    counts = np.bincount(hits.event, minlength=hits.events)
    first = np.cumsum(counts) - counts
    rank = np.arange(len(order)) - np.repeat(first, counts)
    ordered = hits.energy[order]
    return {
        f"hottest_{number}": ratio(hits.sum_by_event(ordered * (rank < number)), visible)
        for number in HOTTEST_CELLS
    }
