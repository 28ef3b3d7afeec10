"""Shapes, masks, occupancies and correlations, beside loops over the cells of each shower."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import numpy as np

from benchmarks.metrics.checks.agreement import Agreement, Truth, error_ratio, halves, largest, span
from calokit.arrays import Float64
from calokit.detector import Detector
from calokit.evaluation.metrics.binned import energy_edges
from calokit.evaluation.metrics.cell_hits import CellHitsByEnergy, cell_hits_separation
from calokit.evaluation.metrics.cells import (
    CellHistograms,
    CellSums,
    mean_cell_separation,
    mean_occupancy_deviation,
)
from calokit.evaluation.metrics.correlations import CorrelationSums, correlation_distance
from calokit.evaluation.metrics.distances import Distance, logarithmic_edges
from calokit.evaluation.metrics.layer_occupancy import LayerOccupancy, occupancy_distance
from calokit.evaluation.metrics.mask_classes import (
    MaskClasses,
    limits_from_reference,
    mask_class_distance,
    mask_extents,
)
from calokit.evaluation.samples.momentum_shape import momentum_shape
from calokit.evaluation.samples.observables import ObservableCalculator
from calokit.showers import Showers
from calokit.showers.hits import find_hits

ZDC_THRESHOLD = 0.1
PAR04_THRESHOLD = 0.0005


def check_shapes(truth: Truth) -> list[Agreement]:
    """Return the comparisons of this file."""
    return [
        _observables(truth),
        _momentum_shape(),
        _cell_spectra(truth.zdc),
        _occupancy_of_cells(truth.zdc),
        _layer_occupancy(truth.par04),
        _correlations(truth.par04),
        _masks(truth.zdc),
        _cell_hits(truth.zdc),
    ]


def _observables(truth: Truth) -> Agreement:
    differences = []
    for showers, threshold in ((truth.zdc[:60], ZDC_THRESHOLD), (truth.par04[:20], PAR04_THRESHOLD)):
        calculator = ObservableCalculator(showers.detector, threshold)
        observables = calculator(showers)
        cells = showers.detector.cells
        for event, energies in enumerate(showers.energies.astype(np.float64)):
            hit = energies > np.float32(threshold)
            weights, ranked = energies[hit], sorted(energies[hit].tolist(), reverse=True)
            expected = {"visible_energy": math.fsum(ranked), "hits": float(len(ranked))}
            if len(ranked) > 1:
                total = math.fsum(ranked)
                for axis, places in (("x", cells.x), ("y", cells.y)):
                    impact = 0.0 if showers.positions is None else showers.positions[event, "xy".index(axis)]
                    expected[f"centre_{axis}"] = float(np.average(places[hit] - impact, weights=weights))
                    expected[f"width_{axis}"] = _weighted_deviation(places[hit], weights)
                expected |= {f"hottest_{number}": math.fsum(ranked[:number]) / total for number in (1, 4, 9)}
                if showers.detector.number_of_layers > 1:
                    expected["depth"] = float(np.average(calculator.depths[hit], weights=weights))
                    expected["depth_width"] = _weighted_deviation(calculator.depths[hit], weights)
            for name, value in expected.items():
                scale = max(abs(value), 1e-3)
                differences.append(abs(observables.column(name)[event] - value) / scale)
    return Agreement(
        "energies, centres, widths, depth, hottest cells",
        "numpy's average and cov with weights, and sorted lists, shower by shower (Geant4)",
        max(differences),
    )


def _weighted_deviation(places: Float64, weights: Float64) -> float:
    return math.sqrt(float(np.cov(places, aweights=weights, ddof=0)))


def _momentum_shape() -> Agreement:
    """Return the widths of a Gaussian of 3 mm along and 1 mm across a momentum, in every direction."""
    readout = {"kind": "cartesian", "rows": 41, "columns": 41, "row_pitch_mm": 1.0, "column_pitch_mm": 1.0}
    section = {"name": "only", "layers": 1, "readout": readout}
    plane = Detector.from_mapping({"name": "plane", "title": "1 mm", "sections": [section]}, "plane")
    angles = np.radians(np.arange(0.0, 360.0, 7.0))
    axes = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    along = axes[:, :1] * plane.cells.x + axes[:, 1:] * plane.cells.y
    across = axes[:, :1] * plane.cells.y - axes[:, 1:] * plane.cells.x
    blobs = np.exp(-0.5 * ((along / 3.0) ** 2 + across**2)).astype(np.float32)
    directions = np.concatenate([0.2 * axes, np.ones((len(axes), 1))], axis=1) / math.hypot(0.2, 1.0)
    showers = Showers(
        blobs,
        np.full(len(blobs), 100.0, np.float32),
        plane,
        np.zeros((len(blobs), 2), np.float32),
        directions.astype(np.float32),
    )
    shape = momentum_shape(showers, z_max_mm=0.0)
    return Agreement(
        "asymmetries and widths along and across the momentum",
        "a Gaussian of 3 mm x 1 mm along 52 directions: widths 3 and 1, asymmetries 0",
        max(largest(shape.width_along, np.full(52, 3.0)), largest(shape.width_across, np.ones(52))),
    )


def _cell_spectra(zdc: Showers) -> Agreement:
    edges = logarithmic_edges(ZDC_THRESHOLD, float(zdc.energies.max()), 16)
    pair = halves(zdc)
    sums = []
    for half in pair:
        counts = CellHistograms(zdc.detector.number_of_cells, edges)
        counts.add(find_hits(half, ZDC_THRESHOLD))
        sums.append(counts)
    expected = []
    for cell in range(zdc.detector.number_of_cells):
        columns = [half.energies[:, cell] for half in pair]
        hits = [column[column > np.float32(ZDC_THRESHOLD)].astype(np.float64) for column in columns]
        if len(hits[0]) + len(hits[1]) < 10:
            continue
        parts = []
        for column, hit in zip(columns, hits, strict=True):
            inside = np.histogram(hit.clip(edges[0], edges[-1]), edges)[0]
            parts.append(np.concatenate([[len(column) - len(hit)], inside]) / len(column))
        total = parts[0] + parts[1]
        used = total > 0
        expected.append(0.5 * float(((parts[0] - parts[1])[used] ** 2 / total[used]).sum()))
    found = mean_cell_separation(*sums)
    return Agreement(
        "separation cell by cell",
        "numpy's histogram of every cell (Geant4)",
        abs(found.value / float(np.mean(expected)) - 1.0),
        floor=found,
        floor_showers=f"{len(zdc) // 2} zdc",
    )


def _occupancy_of_cells(zdc: Showers) -> Agreement:
    sums = []
    for half in halves(zdc):
        cells = CellSums(zdc.detector.number_of_cells)
        cells.add(find_hits(half, ZDC_THRESHOLD))
        sums.append(cells)
    hit = halves(zdc)[0].energies > np.float32(ZDC_THRESHOLD)
    return Agreement(
        "hit probability of cells",
        "mean of (energy > threshold) over the showers, by numpy (Geant4)",
        largest(sums[0].occupancy, hit.mean(axis=0)),
        floor=mean_occupancy_deviation(*sums),
        floor_showers=f"{len(zdc) // 2} zdc",
    )


def _layer_occupancy(par04: Showers) -> Agreement:
    thresholds = (PAR04_THRESHOLD, 10 * PAR04_THRESHOLD)

    def occupancy(showers: Showers) -> LayerOccupancy:
        sums = LayerOccupancy(par04.detector, thresholds)
        sums.add(find_hits(showers, PAR04_THRESHOLD))
        return sums

    layers = [par04.energies[:, par04.detector.cells.layer == layer] for layer in range(45)]
    differences = []
    for number, threshold in enumerate(thresholds):
        parts = np.stack([(energies > np.float32(threshold)).mean(axis=1) for energies in layers], axis=1)
        found = occupancy(par04).part_of_cells(number)
        differences.append(largest(found.values, parts.mean(axis=0)))
        differences.append(largest(found.errors, parts.std(axis=0) / math.sqrt(len(par04))))
    one, other = (occupancy(half) for half in halves(par04))

    def draw(generator: np.random.Generator, part: float) -> Distance:
        chosen = generator.integers(0, len(par04), (2, 100))
        pair = [occupancy(par04[rows]) for rows in chosen]
        if part:
            pair[1] = occupancy(replace(par04, energies=par04.energies * np.float32(1.0 + part))[chosen[1]])
        return occupancy_distance(pair[0], pair[1], 1)

    return Agreement(
        "occupancy of layers",
        "mean and spread of (energy > threshold) over each layer's cells, by numpy (Geant4)",
        max(differences),
        error_over_spread=span(*(error_ratio(partial(draw, part=part), 80) for part in (0.0, 0.5))),
        floor=occupancy_distance(one, other, 0),
        floor_showers=f"{len(par04) // 2} par04",
    )


def _correlations(par04: Showers) -> Agreement:
    layer = par04.detector.cells.layer
    energies = np.stack(
        [par04.energies[:, layer == number].sum(axis=1, dtype=np.float64) for number in range(45)], axis=1
    )
    fractions = energies / par04.incident_energies[:, None]

    def sums_of(values: Float64) -> CorrelationSums:
        sums = CorrelationSums(values.shape[1])
        for start in range(0, len(values), 77):
            sums.add(values[start : start + 77])
        return sums

    roots = {
        rho: np.linalg.cholesky(rho ** np.abs(np.subtract.outer(np.arange(8), np.arange(8))))
        for rho in (0.9, 0.8)
    }

    def draw(generator: np.random.Generator, other: float) -> Distance:
        samples = [generator.normal(size=(400, 8)) @ roots[rho].T for rho in (0.9, other)]
        return correlation_distance(sums_of(samples[0]), sums_of(samples[1]))

    return Agreement(
        "correlations of layer energies",
        "numpy's corrcoef (Geant4)",
        largest(sums_of(fractions).matrix(), np.corrcoef(fractions.T), relative=False),
        relative=False,
        error_over_spread=span(*(error_ratio(partial(draw, other=other), 120) for other in (0.9, 0.8))),
        floor=correlation_distance(sums_of(fractions[::2]), sums_of(fractions[1::2])),
        floor_showers=f"{len(par04) // 2} par04",
    )


def _masks(zdc: Showers) -> Agreement:
    incident = zdc.incident_energies.astype(np.float64)
    edges = energy_edges(float(incident.min()), float(incident.max()), 4)
    hits = find_hits(zdc, ZDC_THRESHOLD)
    limits = limits_from_reference(incident, hits.sum_by_event(), mask_extents(hits, zdc.detector), edges)

    def classes(showers: Showers) -> MaskClasses:
        counts = MaskClasses(zdc.detector, limits)
        counts.add(showers.incident_energies.astype(np.float64), find_hits(showers, ZDC_THRESHOLD))
        return counts

    clean = classes(zdc).part("collapsed").value
    energies = zdc.energies.copy()
    rows = np.random.default_rng(4).permutation(len(zdc))[: len(zdc) // 10]
    energies[rows] = 0.0
    lost = classes(zdc[rows]).counts[:, 0].sum()
    expected = clean + (len(rows) - lost) / len(zdc)
    found = classes(replace(zdc, energies=energies)).part("collapsed").value

    def draw(generator: np.random.Generator) -> Distance:
        pair = (classes(zdc[:1]), classes(zdc[:1]))
        for each, law in zip(pair, ([0.1, 0.1, 0.8], [0.02, 0.05, 0.93]), strict=True):
            each.counts[:] = 0.0
            each.counts[0] = generator.multinomial(1000, law)
        return mask_class_distance(*pair)

    one, other = (classes(half) for half in halves(zdc))
    return Agreement(
        "mask classes",
        "a tenth of the showers emptied: the part that is collapsed (Geant4)",
        abs(found - expected),
        relative=False,
        error_over_spread=span(error_ratio(draw, 400)),
        floor=mask_class_distance(one, other),
        floor_showers=f"{len(zdc) // 2} zdc",
    )


def _cell_hits(zdc: Showers) -> Agreement:
    incident = zdc.incident_energies.astype(np.float64)
    edges = energy_edges(float(incident.min()), float(incident.max()) * 1.001, 4)
    cell_edges = {cell: logarithmic_edges(ZDC_THRESHOLD, 1e4, 10) for cell in (130, 210)}

    def table(showers: Showers) -> CellHitsByEnergy:
        counts = CellHitsByEnergy(edges, cell_edges)
        counts.add(showers.incident_energies.astype(np.float64), find_hits(showers, ZDC_THRESHOLD))
        return counts

    differences = []
    for cell, inside in cell_edges.items():
        column = zdc.energies[:, cell].astype(np.float64)
        hit = column > np.float32(ZDC_THRESHOLD)
        expected = np.histogram2d(incident[hit], column[hit].clip(inside[0], inside[-1]), [edges, inside])[0]
        differences.append(largest(table(zdc).counts[cell][:, 1:], expected, relative=False))
    one, other = (table(half) for half in halves(zdc))
    return Agreement(
        "hits of a cell against energy",
        "numpy's histogram2d (counts; Geant4)",
        max(differences),
        relative=False,
        floor=cell_hits_separation(one, other, 210),
        floor_showers=f"{len(zdc) // 2} zdc, cell 210",
    )
