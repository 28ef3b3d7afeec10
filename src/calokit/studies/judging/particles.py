"""Judging a network for several particles beside classical clusters on the same events."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from calokit.arrays import Float64
from calokit.classical.clusters import FoundParticles, PeakClusters
from calokit.classical.hits import GridHits
from calokit.errors import ShowerFileError
from calokit.evaluation.estimates.several import ParticleErrors
from calokit.showers import ShowerFile

TUNING_EVENTS = 5_000
"""Training events that the clusters are tuned on, at most."""


def judge_particles(
    columns: dict[str, NDArray[Any]], train: ShowerFile, test: ShowerFile
) -> tuple[dict[str, list[float]], dict[str, dict[str, Any]]]:
    """Return the metrics and curves of found particles; the floor of each is the classical clusters' figure.

    Args:
        columns: `particle_energy` and `particle_position` of the test events.
        train: Events that the clusters are tuned on.
        test: The test events, which tell their particles.
    """
    energies, positions = _truth(test)
    mine = ParticleErrors.of(
        columns["particle_energy"].astype(np.float64),
        columns["particle_position"].astype(np.float64),
        energies,
        positions,
    )
    clusters = cluster_results(train, test)
    other = ParticleErrors.of(clusters.energies, clusters.positions, energies, positions)
    figures = {
        "particles.right_count": (mine.right_count, other.right_count),
        "particles.found": (mine.found, other.found),
        "particles.fake": (mine.fake, other.fake),
        "particles.energy_over_root": (mine.energy, other.energy),
        "particles.rms_x": (mine.position[0], other.position[0]),
        "particles.rms_y": (mine.position[1], other.position[1]),
    }
    curve = {
        "separation_mm": mine.separation_edges[:-1].tolist(),
        "right_count": mine.by_separation.tolist(),
        "clusters": other.by_separation.tolist(),
        "confusion": mine.confusion.tolist(),
        "confusion_of_clusters": other.confusion.tolist(),
    }
    return {name: [*one, *two] for name, (one, two) in figures.items()}, {"particles": curve}


def cluster_results(train: ShowerFile, test: ShowerFile) -> FoundParticles:
    """Tune the clusters on training events and apply them to others."""
    tuning = train.head(TUNING_EVENTS)
    energies, _ = _truth(tuning)
    hits = GridHits.join([GridHits.of(showers) for showers in tuning.chunks()])
    fitted = PeakClusters.fit(hits, energies, energies.shape[1])
    parts = [fitted(GridHits.of(showers)) for showers in test.chunks()]
    return FoundParticles(
        np.concatenate([one.energies for one in parts]), np.concatenate([one.positions for one in parts])
    )


def _truth(view: ShowerFile) -> tuple[Float64, Float64]:
    """Return energies (event, particle) in MeV and positions (event, particle, 2) in mm."""
    energies, positions = [], []
    for showers in view.chunks():
        if showers.particles is None:
            raise ShowerFileError(f"{view.path}: the events do not tell their particles (particle_*).")
        energies.append(showers.particles.energies.astype(np.float64))
        positions.append(showers.particles.positions.astype(np.float64))
    return np.concatenate(energies), np.concatenate(positions)
