"""After training: the spectrum of hits near the threshold is moved onto that of the training showers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from calokit.arrays import Float64
from calokit.compute.draws import Draws
from calokit.models.batches import TrainingBatch
from calokit.models.cascade.own_coordinate import BINS, count_hits
from calokit.models.cascade.spectral_lines import measure_lines
from calokit.models.cascade.stage import Stage

if TYPE_CHECKING:
    from calokit.models.cascade.surrogate import CascadeSurrogate

ROUNDS = 4
BLOCK = 256
"""Showers generated at once."""
MOST = 4.0
"""Features are at most so high, or so deep: what a hardly trained model lacks is not theirs to give."""
CHANCE = 2.0
"""Differences of fewer standard deviations are left."""


def correct_spectrum(model: CascadeSurrogate, batch: TrainingBatch, draws: Draws) -> None:
    """Divide the features that the densities follow by generated over true hits, a few times.

    A few per cent of hits too many near the threshold cost the likelihood next to nothing, and are seen by
    whoever counts hits. What is left is a density like before, only its coordinates are others: a step that
    the spectrum of single hits does not have is taken out of the coordinate it came by.

    Args:
        model: A trained cascade that knows what is near the threshold.
        batch: True showers.
        draws: The source of every random number.
    """
    seen = model.seen(batch.energies)
    lines = measure_lines(seen.cpu().numpy(), model.threshold_mev, model.settings.line_terms)[:2]

    def spectrum(seen: Tensor) -> Float64:
        return count_hits(seen.cpu().numpy(), model.threshold_mev, BINS, *lines)

    true, stages = spectrum(seen), [one for one in model.modules() if isinstance(one, Stage)]
    for _ in range(ROUNDS):
        made = np.zeros(BINS)
        for start in range(0, len(batch), BLOCK):
            part = batch[slice(start, start + BLOCK)]
            showers = model.showers(part.incidents, draws.noise(model.noise(), len(part)))
            made += spectrum(model.seen(showers))
        features = stages[0].energy.spectrum.features / np.exp(_believed(made, true))
        for stage in stages:
            stage.energy.follow(features.clip(1 / MOST, MOST))


def _believed(made: Float64, true: Float64) -> Float64:
    """Return ln(made / true) of each bin, less the more chance alone could make it; 0 for empty bins."""
    found = np.log(made.clip(0.5) / true.clip(0.5))
    variance = 1 / made.clip(0.5) + 1 / true.clip(0.5)
    shrunk = found * (1 - CHANCE**2 * variance / np.maximum(found**2, 1e-12)).clip(0.0)
    believed: Float64 = np.where((made > 0) & (true > 0), shrunk, 0.0)
    return believed
