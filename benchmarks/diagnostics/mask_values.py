"""What a mask + value network says of every cell before a mask is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from calokit.arrays import Float32
from calokit.bundles.bundle import Bundle
from calokit.compute.draws import Draws, Purpose, draw_generator
from calokit.errors import ConfigurationError
from calokit.inference.generate import BLOCK, need_surrogate
from calokit.models.batches import IncidentTensors
from calokit.showers import ShowerFile


@dataclass(frozen=True)
class MaskValues:
    """The mask of some showers as the network sees it, beside the truth.

    Attributes:
        probabilities: (event, cell) of being hit.
        hits: (event, cell) 1 where the true shower has a hit.
    """

    probabilities: Float32
    hits: Float32


def mask_values(bundle: Bundle, view: ShowerFile, count: int, seed: int = 1) -> MaskValues:
    """Return hit probabilities of the first showers of a file beside their true masks.

    Args:
        bundle: A trained mask + value network (regression or GAN), on the processor.
        view: Truth.
        count: How many showers.
        seed: Decides the random inputs of a GAN.

    Raises:
        ConfigurationError: The bundle is of a family without a mask.
        BundleError: The bundle reconstructs.
    """
    model = need_surrogate(bundle)
    showers = view.read(0, min(count, len(view)))
    found = []
    for number, start in enumerate(range(0, len(showers), BLOCK)):
        incidents = IncidentTensors.of(showers[start : start + BLOCK].incidents)
        draws = Draws(draw_generator(seed, Purpose.GENERATION, number))
        with torch.inference_mode():
            chances = model.hit_probabilities(incidents, draws.noise(model.noise(), len(incidents)))
        if chances is None:
            raise ConfigurationError(f"bundle {bundle.name} has no mask; give a regression or a GAN.")
        found.append(chances.numpy())
    hits = (showers.energies > model.threshold_mev).astype(np.float32)
    return MaskValues(np.concatenate(found), hits)
