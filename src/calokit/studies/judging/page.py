"""The page of a reconstruction: a bundle and the classical methods on showers whose truth is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from calokit.bundles.bundle import Bundle
from calokit.classical.methods import CALIBRATED_SUM
from calokit.classical.track_fit import directions_to_slopes
from calokit.errors import ConfigurationError
from calokit.inference.reconstruct import Reconstruction
from calokit.report.pages.reconstruction import Places, ReconstructionContent, write_reconstruction_page
from calokit.showers import ShowerFile
from calokit.studies.judging.reconstruction import classical_results

FIT = "log-weighted fit"
"""The classical method for places and angles."""


def report_reconstruction(
    bundle: Bundle, made: Reconstruction, test: ShowerFile, train: ShowerFile, folder: Path
) -> Path:
    """Write a page on what a bundle made of showers, beside the classical methods.

    Args:
        bundle: The bundle.
        made: What it made of the test showers.
        test: Showers with true energies at fixed values.
        train: Showers that the classical methods are fitted on.
        folder: Where.

    Returns:
        The path of the page.

    Raises:
        ConfigurationError: The bundle is for several particles.
        CalokitError: No true energy has enough showers.
    """
    if "particle_energy" in made.columns:
        raise ConfigurationError("the report shows single particles; a study judges bundles for several.")
    known, classical = classical_results(train, test)
    name = bundle.name
    energies = {}
    if "energy" in made.columns:
        energies = {**classical.energies, name: made.columns["energy"].astype(np.float64)}
    places = None
    if {"position", "direction"} <= set(made.columns):
        angles = np.arctan(directions_to_slopes(made.columns["direction"]))
        places = Places(
            FIT,
            {FIT: classical.lines.positions, name: made.columns["position"].astype(np.float64)},
            {FIT: classical.angles, name: angles},
            known.positions,
            np.arctan(known.slopes),
        )
    width = made.columns.get("energy_uncertainty")
    trained = bundle.provenance
    content = ReconstructionContent(
        bundle.recipe.title,
        name,
        CALIBRATED_SUM,
        f"{len(test)} showers of {test.path.name}, split {test.split}; {test.generator}",
        known.energies,
        energies,
        None if width is None else width.astype(np.float64),
        places,
        (
            f"trained on {trained['data_showers']} showers in {trained['cpu_seconds'] / 60:.1f} minutes",
            f"{made.milliseconds_per_shower:.2f} ms a shower, the search of hits included",
            f"classical methods fitted on {len(train)} showers of {train.path.name}",
        ),
    )
    return write_reconstruction_page(content, folder)
