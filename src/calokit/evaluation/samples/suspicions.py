"""What looks wrong with the samples themselves, before any distance is believed."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ks_2samp

from calokit.evaluation.samples.kept_showers import KeptShowers
from calokit.evaluation.samples.passage import Passage

IMPROBABLE = 1e-4
"""Samples of one law look more different than this probability says in one comparison of ten thousand."""
LARGEST_GAP = 2.0
"""Ratio of the smallest hits of two samples beyond which one of them must have been cut."""


def find_suspicious(passage: Passage) -> list[str]:
    """Return, in words, what the reader of a comparison should know about its samples.

    Empty showers (no cell above threshold) that are more or fewer than in the reference beyond chance;
    a sample that was cut at a higher threshold than the comparison's; incident particles of another law,
    which every distance would see before it saw any shower, or that raise the floor.

    Args:
        passage: The finished passage through the samples.
    """
    found = []
    reference, generated = passage.sides.reference, passage.sides.generated
    empty = reference.empty_showers, generated.empty_showers
    part = [count / passage.comparison.showers for count in empty]
    chance = math.sqrt(empty[0] + empty[1] + 1.0) / passage.comparison.showers
    if abs(part[1] - part[0]) > 4.0 * chance:
        found.append(
            f"{100 * part[1]:.3g} % of the generated showers are empty (no cell above threshold), "
            f"{100 * part[0]:.3g} % of the reference's."
        )
    smallest = [float(kept.cells.data.min(initial=np.inf)) for kept in (passage.reference, passage.generated)]
    if LARGEST_GAP * min(smallest) < max(smallest) < math.inf:  # no hits at all are told of above
        found.append(
            f"the smallest hit of the reference has {smallest[0]:.3g} MeV, of the generated showers "
            f"{smallest[1]:.3g} MeV: one of them was cut before; compare at a threshold of "
            f"{max(smallest):.3g} MeV or more."
        )
    if not passage.paired:
        found += [
            f"{names} of the generated showers follow another law than the reference's; every distance sees "
            "that first. Generate at the reference's particles (calokit generate --like)."
            for names in _differing_conditions(passage.reference, passage.generated)
        ]
    if not passage.floor_paired:
        found += [
            f"{names} of the floor's showers follow another law than the reference's: the floor is too high "
            "and flatters every number beside it. Take truth of the reference's particles."
            for names in _differing_conditions(passage.reference, passage.floor)
        ]
    return found


def _differing_conditions(reference: KeptShowers, other: KeptShowers) -> list[str]:
    """Return which conditions follow another law, in words: one text, or none."""
    one, two = _columns(reference), _columns(other)
    differing = [name for name in one if name in two and _probability(one[name], two[name]) < IMPROBABLE]
    return [" and ".join(differing)] if differing else []


def _probability(one: NDArray[np.float64], two: NDArray[np.float64]) -> float:
    """Return how probable a larger difference of two samples of one law is, for large ones."""
    return float(ks_2samp(one, two, method="asymp").pvalue)


def _columns(kept: KeptShowers) -> dict[str, NDArray[np.float64]]:
    incidents = kept.incidents
    columns = {"incident energies": incidents.energies.astype(np.float64)}
    for what, known in (("impacts", incidents.positions), ("directions", incidents.directions)):
        if known is not None:
            columns |= {
                f"{what} in {axis}": known[:, number].astype(np.float64) for number, axis in enumerate("xy")
            }
    return columns
