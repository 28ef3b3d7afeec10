"""The page of a reconstruction: a bundle and the classical methods on showers whose truth is known."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from calokit.bundles.bundle import Bundle
from calokit.classical.boosted_energy import SMALLEST_SAMPLE
from calokit.classical.methods import CALIBRATED_SUM
from calokit.classical.track_fit import directions_to_slopes
from calokit.errors import ConfigurationError
from calokit.evaluation.estimates.energy_groups import LEAST_SHOWERS
from calokit.inference.reconstruct import Reconstruction
from calokit.report.pages.reconstruction import Places, ReconstructionContent, write_reconstruction_page
from calokit.showers import ShowerFile, Split
from calokit.studies.judging.reconstruction import classical_results

FEW_FITTED = 2000
"""Classical methods fitted on fewer showers are told to be below their best."""
TRUE_PLACES = frozenset({"incident_positions", "incident_directions"})
FIT = "log-weighted fit"
"""The classical method for places and angles."""


def check_reportable(columns: Iterable[str], test: ShowerFile, train: ShowerFile) -> None:
    """Refuse what no page can be written about, before the work.

    Args:
        columns: What is found (`estimated_columns`).
        test: Showers whose truth is known.
        train: Showers that the classical methods are fitted on.

    Raises:
        ConfigurationError: The bundle is for several particles, or finds places and the file knows none;
            or there are too few showers to judge, or to fit the classical methods on.
    """
    found = set(columns)
    if "particle_energy" in found:
        raise ConfigurationError("the report shows single particles; a study judges bundles for several.")
    if "energy" not in found and not _places_known(found, test):
        raise ConfigurationError(
            f"{test.path}: no true impacts and directions ({', '.join(sorted(TRUE_PLACES))}) to compare with."
        )
    needs = (
        (test, LEAST_SHOWERS, "errors are measured by true energy"),
        (train, SMALLEST_SAMPLE, "the classical methods are fitted on them"),
    )
    for view, least, purpose in needs:
        if len(view) < least:
            raise ConfigurationError(
                f"{view.path}: {len(view)} showers ({_name_part(view)}) are too few for a report; {purpose}, "
                f"and that needs at least {least}. Give a file with more showers, or leave out --report."
            )


def _places_known(found: set[str], test: ShowerFile) -> bool:
    """Return whether places are found, and the file knows the true ones."""
    return {"position", "direction"} <= found and test.columns >= TRUE_PLACES


def describe_fit(train: ShowerFile, test: ShowerFile) -> str:
    """Return what the classical methods are fitted on, and a caution where that does them wrong."""
    words = f"classical methods fitted on {len(train)} showers of {train.path.name}, {_name_part(train)}"
    if len(train) < FEW_FITTED:
        words += f"; with fewer than {FEW_FITTED} they are worse than they could be"
    return words + _caution((train.first, train.last), train.sha256, test, "these methods")


def describe_training(bundle: Bundle, test: ShowerFile) -> str:
    """Return what a bundle was trained on, and a caution where some of that is judged."""
    made = bundle.provenance
    words = f"trained on {made['data_showers']} showers in {made['cpu_seconds'] / 60:.1f} minutes"
    known = (0, made["data_showers"])  # what trains is at the front of a file
    return words + _caution(known, made["data_sha256"], test, "it")


def _caution(known: tuple[int, int], sha256: str, test: ShowerFile, whom: str) -> str:
    """Return how many of the showers judged are among known ones (first, past the last) of a file, if any."""
    common = min(known[1], test.last) - max(known[0], test.first)
    if common <= 0 or sha256 != test.sha256:
        return ""
    return f"; {common} of the showers judged are among them, which flatters {whom}"


def _name_part(view: ShowerFile) -> str:
    """Return in words which showers of a file a view holds."""
    if view.split is Split.ALL:
        return "the whole file"
    return f"split {view.split} (numbers {view.first} to {view.last - 1})"


def report_reconstruction(
    bundle: Bundle, made: Reconstruction, test: ShowerFile, train: ShowerFile, folder: Path
) -> Path:
    """Write a page on what a bundle made of showers, beside the classical methods.

    Args:
        bundle: The bundle.
        made: What it made of the test showers.
        test: Showers whose truth is known.
        train: Showers that the classical methods are fitted on.
        folder: Where.

    Returns:
        The path of the page.

    Raises:
        ConfigurationError: See `check_reportable`.
    """
    check_reportable(made.columns, test, train)
    known, classical = classical_results(train, test)
    name = bundle.name
    energies = {}
    if "energy" in made.columns:
        energies = {**classical.energies, name: made.columns["energy"].astype(np.float64)}
    places = None
    if _places_known(set(made.columns), test):
        angles = np.arctan(directions_to_slopes(made.columns["direction"]))
        places = Places(
            FIT,
            {FIT: classical.lines.positions, name: made.columns["position"].astype(np.float64)},
            {FIT: classical.angles, name: angles},
            known.positions,
            np.arctan(known.slopes),
        )
    width = made.columns.get("energy_uncertainty")
    content = ReconstructionContent(
        bundle.recipe.title,
        name,
        CALIBRATED_SUM,
        f"{len(test)} showers of {test.path.name}, {_name_part(test)}; made by: {test.generator}",
        known.energies,
        energies,
        None if width is None else width.astype(np.float64),
        places,
        (
            describe_training(bundle, test),
            f"{made.milliseconds_per_shower:.2f} ms a shower, the search of hits included",
            describe_fit(train, test),
        ),
    )
    return write_reconstruction_page(content, folder)
