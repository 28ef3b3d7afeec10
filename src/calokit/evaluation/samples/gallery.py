"""A few showers of the same incidents side by side: as images, and as hits for a display in space."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calokit.detector.images import cell_images
from calokit.evaluation.samples.kept_showers import KeptShowers
from calokit.evaluation.samples.passage import Passage
from calokit.evaluation.scorecard import EventHits, EventPair, ShowerHits
from calokit.units import MEV_PER_GEV

MOST_HITS = 3000
"""Of each shower at most so many hits, the hottest, go into a scorecard."""
ENERGY_DIGITS = 4
"""Significant digits that the energy of a hit has in a scorecard."""


def collect_images(passage: Passage, number: int) -> list[EventPair]:
    """Return matched showers as images summed over layers, each in the section that holds most of it.

    Args:
        passage: After a passage through files of the same incidents.
        number: How many, at evenly spread ranks of the incident energy.
    """
    detector = passage.comparison.detector
    images = [image for image in cell_images(detector) if image.is_regular]
    if not images:
        return []
    incidents = passage.reference.incidents
    events = []
    for event in _spread_over_energies(passage, number):
        reference = passage.reference.cells[[event]].toarray()[0].astype(np.float64)
        generated = passage.generated.cells[[event]].toarray()[0].astype(np.float64)
        image = max(images, key=lambda image: float(reference[image.cells].sum()))
        events.append(
            EventPair(
                incident_energy_gev=float(incidents.energies[event]) / MEV_PER_GEV,
                position_mm=_numbers_of(incidents.positions, event),
                row_edges=image.slow.edges.tolist(),
                column_edges=image.fast.edges.tolist(),
                reference=image.sum_layers(reference).tolist(),
                generated=image.sum_layers(generated).tolist(),
            )
        )
    return events


def collect_hits(passage: Passage, number: int) -> list[EventHits]:
    """Return the hit cells of the same showers as `collect_images`, for every kind of readout.

    Args:
        passage: After a passage through files of the same incidents.
        number: How many, at evenly spread ranks of the incident energy.
    """
    incidents = passage.reference.incidents
    return [
        EventHits(
            incident_energy_gev=float(incidents.energies[event]) / MEV_PER_GEV,
            position_mm=_numbers_of(incidents.positions, event),
            direction=_numbers_of(incidents.directions, event),
            reference=_hits_of(passage.reference, event),
            generated=_hits_of(passage.generated, event),
        )
        for event in _spread_over_energies(passage, number)
    ]


def _spread_over_energies(passage: Passage, number: int) -> list[int]:
    """Return the places of showers at evenly spread ranks of the incident energy."""
    order = np.argsort(passage.reference.incidents.energies, kind="stable")
    ranks = ((np.arange(number) + 0.5) / max(number, 1) * len(order)).astype(int)
    return [int(event) for event in order[ranks]]


def _hits_of(kept: KeptShowers, event: int) -> ShowerHits:
    """Return the hits of a kept shower, the hottest first, at most `MOST_HITS`."""
    shower = kept.cells[[event]].tocoo()
    cells, energies = shower.coords[-1], shower.data.astype(np.float64)
    hottest = np.argsort(-energies, kind="stable")[:MOST_HITS]
    return ShowerHits(
        cells=cells[hottest].tolist(),
        energies_mev=[float(f"{energy:.{ENERGY_DIGITS}g}") for energy in energies[hottest]],
        hits=len(energies),
        energy_mev=float(energies.sum()),
    )


def _numbers_of(rows: NDArray[np.float32] | None, event: int) -> list[float] | None:
    """Return one row of an optional table as plain numbers."""
    return None if rows is None else [float(value) for value in rows[event]]
