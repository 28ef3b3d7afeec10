"""Stage 1 of the EIC ZDC reports: the mask + value network trained by regression (seeds 000 and 001)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from calokit.compute.draws import Draws, Noise
from calokit.detector import Detector
from calokit.models.batches import IncidentTensors, TrainingBatch
from calokit.models.mask_value.cell_values import CellValues
from calokit.models.mask_value.network import (
    MaskValueNetwork,
    energy_penalty,
    mask_value_losses,
    open_gate,
)
from calokit.models.mask_value.settings import RegressionSettings
from calokit.models.parts.conditions import IncidentEncoder
from calokit.models.parts.places import CartesianImage
from calokit.models.parts.promises import keep_promises
from calokit.models.parts.symmetries import SquareSymmetries
from calokit.models.protocols import Surrogate
from calokit.showers import Showers


class RegressionSurrogate(Surrogate):
    """The mask + value network for a detector with one layer of cells in rows and columns.

    Args:
        settings: Sizes, conditions, units and loss weights.
        detector: One Cartesian section of one layer.

    Raises:
        ConfigurationError: The detector has another readout.
    """

    def __init__(self, settings: RegressionSettings, detector: Detector) -> None:
        super().__init__()
        self.settings = settings
        self.threshold_mev = settings.threshold_mev
        self.conditions = settings.conditions
        self.image = CartesianImage(detector)
        cells = (self.image.rows, self.image.columns)
        self.encoder = IncidentEncoder(settings.conditions, self.image.pitch_mm, cells)
        self.values = CellValues(settings.normalisation, settings.threshold_mev)
        self.network = MaskValueNetwork(self.encoder.width, settings, cells)

    def fit_transforms(self, sample: Showers) -> None:
        """Set the scales of conditions and values from training showers."""
        batch = TrainingBatch.of(sample)
        self.encoder.fit(batch.incidents)
        self.values.fit(batch)

    def parts(self) -> dict[str, nn.Module]:
        """Return the whole network, which one optimiser trains."""
        return {"regression": self.network}

    def losses(self, batch: TrainingBatch, draws: Draws) -> dict[str, Tensor]:  # noqa: ARG002
        """Return the weighted sum of mask loss, value loss and energy penalty."""
        return {"regression": torch.stack(list(self._terms(batch).values())).sum()}

    def validation_losses(
        self,
        batch: TrainingBatch,
        draws: Draws,  # noqa: ARG002
    ) -> dict[str, Tensor]:
        """Return the weighted terms of the loss one by one."""
        return self._terms(batch)

    def symmetries(self) -> Callable[[TrainingBatch, Draws], TrainingBatch]:
        """Return the mirror images and turns of the readout."""
        return SquareSymmetries(self.image)

    def noise(self) -> dict[str, Noise]:
        """Return what decides hits, where they are drawn, and what moves values, where they have noise."""
        cells = self.image.cells
        wanted = {"hits": Noise("uniform", cells)} if self.settings.gate == "draw" else {}
        return wanted | ({"values": Noise("normal", cells)} if self.settings.noise_width > 0 else {})

    def showers(self, incidents: IncidentTensors, noise: Mapping[str, Tensor]) -> Tensor:
        """Compose value and gated mask and cut at the threshold; cells are independent given the particle."""
        logits, values = self.images(incidents)
        if self.settings.noise_width > 0:
            values = functional.relu(values + self.settings.noise_width * noise["values"])
        gate = open_gate(logits, self.settings.gate, noise.get("hits"))
        energies = gate * self.values.inverse(values, incidents.energies)
        most = incidents.energies if self.settings.at_most_incident else None
        return keep_promises(energies, self.settings.threshold_mev, most)

    def hit_probabilities(self, incidents: IncidentTensors, noise: Mapping[str, Tensor]) -> Tensor:
        """Return the probability (event, cell) of a hit."""
        del noise
        return torch.sigmoid(self.images(incidents)[0])

    def images(self, incidents: IncidentTensors) -> tuple[Tensor, Tensor]:
        """Return mask logits and values (event, cell), values in the unit of the settings' normalisation."""
        logits, values = self.network(self.encoder(incidents))
        return logits, values

    def _terms(self, batch: TrainingBatch) -> dict[str, Tensor]:
        """Return the weighted terms of the loss by name."""
        settings, incident = self.settings, batch.incidents.energies
        logits, values = self.images(batch.incidents)
        targets = self.values(batch.energies, incident)
        mask, value = mask_value_losses(logits, values, batch.energies, targets, settings)
        terms = {"mask": settings.mask_weight * mask, "value": settings.value_weight * value}
        if settings.energy_penalty > 0:
            made = torch.sigmoid(logits) * self.values.inverse(values, incident)
            terms["energy"] = settings.energy_penalty * energy_penalty(made, batch.energies, incident)
        return terms
