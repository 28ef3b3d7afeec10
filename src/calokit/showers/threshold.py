"""From which energy on a cell counts as hit: said by the detector, or chosen from its showers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from calokit.detector import Detector, list_detectors, load_detector
from calokit.showers.batch import Showers
from calokit.showers.files import ShowerFile

LOST_PART = 1e-3
"""A chosen threshold leaves out this part of the visible energy."""
MUCH = 0.01
"""A threshold that leaves out more of the visible energy is worth a word."""
LOOKED_AT = 1024
"""So many showers are looked at."""


def settle_threshold(view: ShowerFile, judged: Sequence[ShowerFile] = ()) -> tuple[float, str]:
    """Return the threshold that showers are judged at where nobody names one, and where it comes from.

    Args:
        view: The showers; the first thousand are looked at where their detector says nothing.
        judged: Files that are compared with them. One that states a higher threshold, up to which it holds
            nothing, cannot be compared below it.

    Returns:
        Threshold in MeV, and words for a table.
    """
    own = _threshold_of(view.detector)
    if own is not None:
        settled, words = own, f"of detector {view.detector.name}"
    else:
        settled = choose_judging_threshold(_some_of(view))
        words = f"chosen: cells up to it hold {100 * LOST_PART:g} % of the energy of {view.path.name}"
    stated = max(judged, key=_stated_threshold, default=None)
    if stated is None or _stated_threshold(stated) <= settled:
        return settled, words
    settled = _stated_threshold(stated)
    return settled, (
        f"of {stated.path.name}, which holds nothing up to it; in {view.path.name} cells up to it hold "
        f"{100 * part_below(_some_of(view), settled):.2g} % of the energy"
    )


def _some_of(view: ShowerFile) -> Showers:
    """Return the showers that are looked at."""
    return view.read(0, min(len(view), LOOKED_AT))


def _stated_threshold(view: ShowerFile) -> float:
    """Return the threshold that a file says its showers were made with, MeV; 0 where it says none."""
    try:
        return float(f"{float(view.attributes.get('threshold_mev', 0.0)):.6g}")
    except (TypeError, ValueError):
        return 0.0


def _threshold_of(detector: Detector) -> float | None:
    """Return the threshold of a detector; files written before it had one hold a description without."""
    if detector.threshold_mev is None and detector.name in list_detectors():
        known = load_detector(detector.name)
        return known.threshold_mev if known.is_same(detector) else None
    return detector.threshold_mev


def choose_judging_threshold(showers: Showers) -> float:
    """Return the energy up to which cells hold a thousandth of the visible energy, rounded down, in MeV.

    Returns:
        A number of one digit; 0 for showers without energy.

    Example:
        >>> from calokit.detector import load_detector
        >>> cells = np.zeros((1, 400), np.float32)
        >>> cells[0, :4] = 0.03, 0.3, 100.0, 300.0
        >>> choose_judging_threshold(Showers(cells, np.array([1e3], np.float32), load_detector("zdc_ecal")))
        0.3
    """
    hits = np.sort(showers.energies[showers.energies > 0].astype(np.float64))
    if not len(hits):
        return 0.0
    below = int(np.searchsorted(np.cumsum(hits), LOST_PART * hits.sum(), side="right"))
    # float32 energies of a round number may lie just below it.
    energy = (hits[below - 1] if below else hits[0] / 2) * (1.0 + 1e-6)
    step = 10.0 ** math.floor(math.log10(energy))
    return float(f"{math.floor(energy / step) * step:.1g}")


def part_below(showers: Showers, threshold_mev: float) -> float:
    """Return the part of the visible energy that cells at or below a threshold hold."""
    energies = showers.energies
    total = float(energies.sum(dtype=np.float64))
    lost = float(energies[energies <= threshold_mev].sum(dtype=np.float64))
    return lost / total if total > 0 else 0.0


def doubt_threshold(view: ShowerFile, threshold_mev: float, key: str) -> list[str]:
    """Say where a threshold leaves out much of the energy of showers, and which would not.

    Args:
        view: The showers; the first thousand are looked at.
        threshold_mev: The threshold that was named.
        key: What names it, such as `model.threshold_mev`.
    """
    showers = view.read(0, min(len(view), LOOKED_AT))
    lost = part_below(showers, threshold_mev)
    better, origin = settle_threshold(view)
    if lost <= MUCH or better >= threshold_mev:
        return []
    words = (
        f"{key} of {threshold_mev:g} MeV leaves out {100 * lost:.2g} % of the energy of these showers; "
        f"{better:g} MeV would not ({origin})."
    )
    return [words]
