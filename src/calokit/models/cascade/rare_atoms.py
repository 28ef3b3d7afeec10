"""After training: probabilities that training could not measure are taken down to what happens.

That a box of many hits hands all of them to one half is a thing of the edges of a shower. In its middle it
never happens, but a network that is trained by likelihood learns no difference between one in ten thousand
and never; and where hundreds of boxes are cut, one shower of two hundred breaks off there. Below the
probability where they are no longer what happens, `HitDraw` lets probabilities fall off steeply.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from calokit.arrays import Float64
from calokit.models.batches import TrainingBatch
from calokit.models.cascade.hit_draw import MANY, STEEPER
from calokit.models.cascade.stage import Stage

if TYPE_CHECKING:
    from calokit.models.cascade.surrogate import CascadeSurrogate

MOST_SHOWERS = 4096
"""So many showers are looked at, at most."""
BLOCK = 64
"""Showers that are looked at together."""
CANDIDATES: Float64 = np.arange(-14.0, -3.9, 0.25)
"""Logarithms of probabilities to choose from."""
LEAST_GAIN = 2.0
"""Nats over all showers that a choice must gain."""


@torch.no_grad()
def correct_rare_atoms(model: CascadeSurrogate, batch: TrainingBatch) -> None:
    """Choose below which probability those of atoms fall off, by the likelihood of true showers.

    Args:
        model: A trained cascade.
        batch: True showers.
    """
    stages = [one for one in model.modules() if isinstance(one, Stage)]
    for stage in stages:
        stage.hits.rarest.zero_()
    rarest = choose_rarest(*_find_rare(model, batch[:MOST_SHOWERS]))
    for stage in stages:
        stage.hits.rarest.fill_(rarest)


def choose_rarest(logarithms: Float64, happened: Float64) -> float:
    """Return the probability below which others are to fall off, 0 for none.

    Args:
        logarithms: Of the probabilities of atoms (atom,), none of them large.
        happened: 1 for the atoms that happened, 0 for others (atom,).

    Example:
        >>> bool(choose_rarest(np.full(100_000, -8.0), np.zeros(100_000)) > np.exp(-8.0))
        True
        >>> choose_rarest(np.full(100_000, -8.0), np.arange(100_000) % 2981 == 0)
        0.0
    """
    gains = []
    for candidate in CANDIDATES:
        below = logarithms < candidate
        here, depth = logarithms[below], candidate - logarithms[below]
        won = np.exp(here) - np.exp(here - STEEPER * depth)
        gains.append(float(won.sum() - STEEPER * (depth * happened[below]).sum()))
    best = int(np.argmax(gains))
    return float(np.exp(CANDIDATES[best])) if gains[best] > LEAST_GAIN else 0.0


def _find_rare(model: CascadeSurrogate, batch: TrainingBatch) -> tuple[Float64, Float64]:
    """Return logarithms of small probabilities of atoms of boxes of many hits, and which happened (atom,)."""
    logarithms, happened = [np.zeros(0)], [np.zeros(0)]
    for start in range(0, len(batch), BLOCK):
        part = batch[slice(start, start + BLOCK)]
        cells = model.cells_of(part)
        facts = model.facts(part.incidents, cells.visible, cells.count)
        for stage, cuts in model.cuts(facts, cells):
            if not len(cuts.rows):
                continue
            found = stage.hits.log_atoms(stage.run(cuts)[0], cuts.choice)
            hits, taken = cuts.choice.hits[:, None], cuts.taken[:, None]
            came = torch.cat([taken <= 0, taken >= hits], 1)
            rare = (found < CANDIDATES[-1]) & torch.isfinite(found) & (hits >= MANY)
            logarithms.append(found[rare].double().cpu().numpy())
            happened.append(came[rare].double().cpu().numpy())
    return np.concatenate(logarithms), np.concatenate(happened)
