"""Stage 2 of the EIC ZDC reports: the mask + value network as the generator of a GAN (seeds 000 and 001).

The generator is the network of stage 1 with random numbers beside the incident particle; its weights can be
taken over from a stage-1 bundle (the first layer widened by zeros). Noise is added to the image it makes,
with a strength that follows a schedule. A discriminator that knows the particle judges the images; mask and
value losses stay as further terms of the generator's loss. The reports give neither discriminator nor noise
level; both are our design.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from calokit.compute.draws import Draws, Noise
from calokit.detector import Detector
from calokit.errors import RunError
from calokit.models.adversarial.corrected_surrogate import CorrectedSurrogate
from calokit.models.adversarial.discriminators import ImageDiscriminator
from calokit.models.adversarial.objectives import (
    discriminator_loss,
    generator_loss,
    gradient_penalty,
    held_fixed,
    is_discriminators_turn,
)
from calokit.models.adversarial.settings import GanSettings
from calokit.models.adversarial.total_correction import TotalCorrection
from calokit.models.batches import IncidentTensors, TrainingBatch
from calokit.models.mask_value.cell_values import CellValues
from calokit.models.mask_value.network import (
    MaskValueNetwork,
    energy_penalty,
    mask_value_losses,
    open_gate,
)
from calokit.models.parts.conditions import IncidentEncoder
from calokit.models.parts.places import CartesianImage
from calokit.models.parts.symmetries import SquareSymmetries
from calokit.showers import Showers

TEMPERATURE = 0.5
"""Softness of the drawn mask's gradient (binary concrete, arXiv:1611.00712)."""

IMAGE_SCALE = 5.0
"""Divides ln(1 + e / threshold), so that the discriminator's images are of order one."""

FIRST_LAYER = "network.layers.0.weight"


@dataclass(frozen=True)
class Draw:
    """What the generator makes of a batch: images (event, cell).

    Attributes:
        logits: Of a cell being hit.
        values: Without noise, in the unit of the normalisation.
        gate: 1 in hit cells and 0 in others, with the gradient of a soft mask.
        ungated: MeV, noise applied, as if every cell were hit.
        energies: MeV, noise and gate applied, not cut at the threshold.
    """

    logits: Tensor
    values: Tensor
    gate: Tensor
    ungated: Tensor
    energies: Tensor


class GanSurrogate(CorrectedSurrogate):
    """The GAN for a detector with one layer of cells in rows and columns.

    Args:
        settings: Network, noise, objective and turns.
        detector: One Cartesian section of one layer.

    Raises:
        ConfigurationError: The detector has another readout.
    """

    def __init__(self, settings: GanSettings, detector: Detector) -> None:
        super().__init__()
        self.settings = settings
        self.threshold_mev = settings.threshold_mev
        self.conditions = settings.conditions
        self.corrects_totals, self.at_most_incident = settings.corrects_totals, settings.at_most_incident
        self.image = CartesianImage(detector)
        cells = (self.image.rows, self.image.columns)
        self.encoder = IncidentEncoder(settings.conditions, self.image.pitch_mm, cells)
        self.values = CellValues(settings.normalisation, settings.threshold_mev)
        starts = (0.0, settings.noise_width) if settings.noise == "learned" else (0.0,)
        self.network = MaskValueNetwork(self.encoder.width + settings.random_inputs, settings, cells, starts)
        self.discriminator = ImageDiscriminator(
            2 + self.image.geometry_channels,
            cells,
            self.encoder.width + 2,
            settings.discriminator_channels,
            settings.spectral_norm,
        )
        self.correction = TotalCorrection() if settings.corrects_totals else None
        self.progress = 1.0
        self.turn: Literal["discriminator", "generator"] = "generator"

    def fit_transforms(self, sample: Showers) -> None:
        """Set the scales of conditions and values from training showers."""
        batch = TrainingBatch.of(sample)
        self.encoder.fit(batch.incidents)
        self.values.fit(batch)

    def parts(self) -> dict[str, nn.Module]:
        """Return generator and discriminator."""
        return {"generator": self.network, "discriminator": self.discriminator}

    def begin_step(self, step: int, steps: float) -> None:
        """Set the strength of the noise and whose turn it is."""
        self.progress = step / steps
        settings = self.settings
        first = is_discriminators_turn(step, settings.discriminator_steps, settings.generator_steps)
        self.turn = "discriminator" if first else "generator"

    def losses(self, batch: TrainingBatch, draws: Draws) -> dict[str, Tensor]:
        """Return the loss of the part whose turn it is."""
        if self.turn == "discriminator":
            return {"discriminator": self._discriminator_loss(batch, draws)}
        draw = self._draw(batch.incidents, draws.noise(self.noise(), len(batch)))
        with held_fixed(self.discriminator):
            score = self.discriminator(*self._views(draw.energies, draw.gate, batch.incidents))
        adversarial = generator_loss(self.settings.objective, score)
        terms = [self.settings.adversarial_weight * adversarial, *self._terms(draw, batch).values()]
        return {"generator": torch.stack(terms).sum()}

    def validation_losses(self, batch: TrainingBatch, draws: Draws) -> dict[str, Tensor]:
        """Return the weighted mask and value losses and energy penalty; a game's own losses tell little."""
        return self._terms(self._draw(batch.incidents, draws.noise(self.noise(), len(batch))), batch)

    def symmetries(self) -> Callable[[TrainingBatch, Draws], TrainingBatch]:
        """Return the mirror images and turns of the readout."""
        return SquareSymmetries(self.image)

    def noise(self) -> dict[str, Noise]:
        """Return the random inputs, and what moves values and decides hits."""
        cells = self.image.cells
        return {
            "inputs": Noise("normal", self.settings.random_inputs),
            "values": Noise("normal", cells),
            "hits": Noise("uniform", cells),
        }

    def hit_probabilities(self, incidents: IncidentTensors, noise: Mapping[str, Tensor]) -> Tensor:
        """Return the probability (event, cell) of a hit for these random inputs."""
        return torch.sigmoid(self._draw(incidents, noise).logits)

    def adapt_start(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return a stage-1 bundle's tensors as a start: the first layer widened by zeros, the rest own.

        The bundle's conditions must be all of this model's, or the energy alone.

        Raises:
            RunError: The bundle has other conditions.
        """
        own, adapted = self.state_dict(), super().adapt_start(tensors)
        first = tensors.get(FIRST_LAYER)
        if first is None or first.shape == own[FIRST_LAYER].shape:
            return adapted
        known = first.shape[1]
        if known not in (1, self.encoder.width):
            raise RunError(
                f"the bundle's network has {known} inputs, and the GAN's conditions make "
                f"{self.encoder.width}; start from a regression on the same, or on the energy alone."
            )
        widened = torch.zeros_like(own[FIRST_LAYER])
        widened[:, :known] = first
        adapted[FIRST_LAYER] = widened
        fresh = [name for name in own if name.startswith(("discriminator.", "network.positive_heads.1."))]
        if known < self.encoder.width:
            fresh += ["encoder.position_scale", "encoder.direction_scale"]
        return {**adapted, **{name: own[name] for name in fresh}}

    def uncorrected(self, incidents: IncidentTensors, noise: Mapping[str, Tensor]) -> Tensor:
        """Return (event, cell) MeV above threshold, sums not corrected."""
        draw = self._draw(incidents, noise)
        energies = draw.energies
        if self.settings.gate != "draw":
            energies = open_gate(draw.logits, self.settings.gate, None) * draw.ungated
        return energies * (energies > self.settings.threshold_mev)

    def _draw(self, incidents: IncidentTensors, noise: Mapping[str, Tensor]) -> Draw:
        """Make one shower an incident particle, with gradients."""
        inputs = torch.cat([self.encoder(incidents), noise["inputs"]], dim=1)
        logits, values, *spread = self.network(inputs)
        width = spread[0] if spread else self.settings.noise_width
        strength = self.settings.noise_schedule.strength(self.progress)
        noisy = functional.relu(values + strength * width * noise["values"])
        uniform = noise["hits"].clamp(1e-6, 1 - 1e-6)
        soft = torch.sigmoid((logits + torch.logit(uniform)) / TEMPERATURE)
        gate = (soft > 0.5).to(soft.dtype) + soft - soft.detach()
        ungated = self.values.inverse(noisy, incidents.energies)
        return Draw(logits, values, gate, ungated, gate * ungated)

    def _views(self, energies: Tensor, gate: Tensor, incidents: IncidentTensors) -> tuple[Tensor, Tensor]:
        """Return what the discriminator sees: images of energies, hits and places, and numbers beside."""
        logarithms = torch.log1p(energies / self.settings.threshold_mev) / IMAGE_SCALE
        geometry = self.image.geometry(incidents.positions if self._knows_impact else None)
        places = geometry.expand(len(energies), -1, -1, -1)
        images = [self.image.fold(logarithms), self.image.fold(gate), places]
        visible = torch.log(energies.sum(1).clamp_min(self.settings.threshold_mev) / incidents.energies)
        hits = torch.log1p(gate.sum(1)) - 3.0
        condition = torch.cat([self.encoder(incidents), visible[:, None], hits[:, None]], dim=1)
        return torch.cat(images, dim=1), condition

    @property
    def _knows_impact(self) -> bool:
        return "position" in self.settings.conditions

    def _discriminator_loss(self, batch: TrainingBatch, draws: Draws) -> Tensor:
        with torch.no_grad():
            draw = self._draw(batch.incidents, draws.noise(self.noise(), len(batch)))
        hit = (batch.energies > self.settings.threshold_mev).to(batch.energies.dtype)
        real, condition = self._views(batch.energies * hit, hit, batch.incidents)
        fake, made = self._views(draw.energies, draw.gate, batch.incidents)
        loss = discriminator_loss(
            self.settings.objective, self.discriminator(real, condition), self.discriminator(fake, made)
        )
        if self.settings.gradient_penalty > 0:
            with self.device.full_precision():
                penalty = gradient_penalty(self.discriminator, (real, condition), (fake, made), draws)
            loss = loss + self.settings.gradient_penalty * penalty
        return loss

    def _terms(self, draw: Draw, batch: TrainingBatch) -> dict[str, Tensor]:
        """Return the weighted terms that compare a draw with the batch's own showers."""
        settings, incident = self.settings, batch.incidents.energies
        targets = self.values(batch.energies, incident)
        mask, value = mask_value_losses(draw.logits, draw.values, batch.energies, targets, settings)
        terms = {"mask": settings.mask_weight * mask, "value": settings.value_weight * value}
        if settings.energy_penalty > 0:
            expected = torch.sigmoid(draw.logits) * self.values.inverse(draw.values, incident)
            penalty = energy_penalty(expected, batch.energies, incident)
            terms["energy"] = settings.energy_penalty * penalty
        return terms
