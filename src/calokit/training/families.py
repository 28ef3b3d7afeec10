"""From the settings of a recipe to the untrained model: the one place that lists the families."""

from __future__ import annotations

from typing import Any

import torch

from calokit.detector import Detector
from calokit.models.cascade.settings import CascadeSettings
from calokit.models.cascade.surrogate import CascadeSurrogate
from calokit.models.counting_network import CountingReconstructor, CountingSettings
from calokit.models.flow import FlowSettings, FlowSurrogate
from calokit.models.gan import GanSettings, GanSurrogate
from calokit.models.hits_network import HitsReconstructor, HitsSettings
from calokit.models.particles_network import ParticlesReconstructor, ParticlesSettings
from calokit.models.protocols import Trainable
from calokit.models.regression import RegressionSettings, RegressionSurrogate
from calokit.models.sections import SectionsSettings, SectionsSurrogate
from calokit.models.voxel_network import VoxelReconstructor, VoxelSettings
from calokit.models.voxel_place_network import VoxelPlaceReconstructor, VoxelPlaceSettings
from calokit.training.recipe import ModelSettings


def build_surrogate(settings: ModelSettings, detector: Detector, seed: int) -> Trainable[Any]:
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
        match settings:
            case FlowSettings():
                return FlowSurrogate(settings, detector)
            case CascadeSettings():
                return CascadeSurrogate(settings, detector)
            case RegressionSettings():
                return RegressionSurrogate(settings, detector)
            case GanSettings():
                return GanSurrogate(settings, detector)
            case SectionsSettings():
                return SectionsSurrogate(settings, detector)
            case ParticlesSettings():
                return ParticlesReconstructor(settings, detector)
            case VoxelSettings():
                return VoxelReconstructor(settings, detector)
            case VoxelPlaceSettings():
                return VoxelPlaceReconstructor(settings, detector)
            case CountingSettings():
                return CountingReconstructor(settings, detector)
            case HitsSettings():
                return HitsReconstructor(settings, detector)
