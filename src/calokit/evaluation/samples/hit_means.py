"""Energy-weighted means and widths over the hits of each shower."""

from __future__ import annotations

import numpy as np

from calokit.arrays import Float64
from calokit.showers.hits import Hits


def ratio(numerator: Float64, denominator: Float64) -> Float64:
    """Divide (event,) by (event,), with 0 where the denominator is 0 (an empty shower)."""
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)


def mean_and_width(hits: Hits, values: Float64, visible: Float64) -> tuple[Float64, Float64, Float64]:
    """Return the energy-weighted mean and standard deviation of each shower.

    Args:
        hits: The hits.
        values: (hit,) what is averaged.
        visible: (event,) energy of the hits, MeV.

    Returns:
        Mean (event,), standard deviation (event,), and each hit's distance from its shower's mean (hit,).
    """
    mean = ratio(hits.sum_by_event(hits.energy * values), visible)
    offset = values - mean[hits.event]
    return mean, np.sqrt(ratio(hits.sum_by_event(hits.energy * offset**2), visible)), offset
