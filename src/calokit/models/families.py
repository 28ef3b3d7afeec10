"""From the settings of a recipe to the untrained model."""

from __future__ import annotations

from typing import Any

import torch

from calokit.detector import Detector
from calokit.models.protocols import Trainable
from calokit.models.settings import ModelSettings


def build_model(settings: ModelSettings, detector: Detector, seed: int) -> Trainable[Any]:
    """Return the untrained model, its weights initialised from the seed.

    Args:
        settings: The model part of a recipe.
        detector: The detector it belongs to.
        seed: Decides the initial weights.

    Raises:
        ConfigurationError: The model does not fit the detector.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return settings.build(detector)
