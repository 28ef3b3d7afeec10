"""From the settings of a recipe to the untrained model: the one place that lists the families."""

from __future__ import annotations

import torch

from calokit.detector import Detector
from calokit.models.flow import FlowSettings, FlowSurrogate
from calokit.models.gan import GanSettings, GanSurrogate
from calokit.models.protocols import Surrogate
from calokit.models.regression import RegressionSettings, RegressionSurrogate
from calokit.training.recipe import ModelSettings


def build_surrogate(settings: ModelSettings, detector: Detector, seed: int) -> Surrogate:
    """Return the untrained model, its weights initialised from the seed.

    Args:
        settings: The model part of a recipe.
        detector: The detector it will generate in.
        seed: Decides the initial weights.

    Raises:
        ConfigurationError: The model does not fit the detector.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        match settings:
            case FlowSettings():
                return FlowSurrogate(settings, detector)
            case RegressionSettings():
                return RegressionSurrogate(settings, detector)
            case GanSettings():
                return GanSurrogate(settings, detector)
