"""A family from outside calokit in one file: every cell has its mean share of the energy and fluctuates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from calokit.compute.draws import Draws, Noise
from calokit.detector import Detector
from calokit.models.batches import IncidentTensors, TrainingBatch
from calokit.models.parts.promises import keep_promises
from calokit.models.protocols import Surrogate
from calokit.models.settings import ModelSettings
from calokit.recipes.recipe import Recipe, TrainingSettings
from calokit.showers import Showers


class ToySettings(ModelSettings):
    model: ClassVar[str] = "toy_family:ToySurrogate"
    kind: Literal["toy"] = "toy"
    fluctuation: float = 0.2


class ToySurrogate(Surrogate):
    threshold_mev, conditions = 0.1, ("energy",)

    def __init__(self, settings: ToySettings, detector: Detector) -> None:
        super().__init__()
        self.fluctuation = settings.fluctuation
        self.shares = nn.ParameterDict({"mean": torch.zeros(detector.number_of_cells)})

    def fit_transforms(self, sample: Showers) -> None:
        pass

    def parts(self) -> dict[str, nn.Module]:
        return {"shares": self.shares}

    def losses(self, batch: TrainingBatch, draws: Draws) -> dict[str, Tensor]:
        shares = batch.energies / batch.incidents.energies[:, None]
        return {"shares": (shares - self.shares["mean"]).square().sum(1).mean()}

    def noise(self) -> Mapping[str, Noise]:
        return {"cells": Noise("normal", len(self.shares["mean"]))}

    def showers(self, incidents: IncidentTensors, noise: Mapping[str, Tensor]) -> Tensor:
        energies = incidents.energies[:, None] * self.shares["mean"] * (1 + self.fluctuation * noise["cells"])
        return keep_promises(energies, self.threshold_mev, incidents.energies)


def toy() -> Recipe:
    training = TrainingSettings(steps=300, batch_size=32, learning_rate=0.02, warmup_steps=0)
    return Recipe(name="toy", title="Mean shares, from outside", model=ToySettings(), training=training)


RECIPES = (toy,)
