"""A GAN of whole images: forms published for LHCb and ours, with or without an auxiliary regressor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from calokit.compute.draws import Draws, Noise
from calokit.detector import Detector
from calokit.models.adversarial.cell_transform import CellTransform
from calokit.models.adversarial.corrected_surrogate import CorrectedSurrogate
from calokit.models.adversarial.generators import GENERATORS
from calokit.models.adversarial.image_discriminator import RegressedShape, RegressingDiscriminator
from calokit.models.adversarial.image_settings import ImageGanSettings
from calokit.models.adversarial.objectives import (
    discriminator_loss,
    generator_loss,
    gradient_penalty,
    held_fixed,
    is_discriminators_turn,
)
from calokit.models.adversarial.total_correction import TotalCorrection
from calokit.models.batches import IncidentTensors, TrainingBatch
from calokit.models.monitor import area_of_images_and_shapes, squared_error_by_energy
from calokit.models.parts.conditions import IncidentComponents, IncidentEncoder
from calokit.models.parts.places import CartesianImage
from calokit.models.parts.symmetries import SquareSymmetries
from calokit.showers import Showers

TOTAL_UNIT = 0.1
"""The discriminator is told ln(visible / incident energy) in this unit, about its mean in the training."""
LEAST_VISIBLE_MEV = 1e-3


class ImageGanSurrogate(CorrectedSurrogate):
    """A generator of whole images and what it is trained against, for one layer of at most 32 x 32 cells.

    Args:
        settings: Generator, critic, regressor, objective and turns.
        detector: One Cartesian section of one layer.

    Raises:
        ConfigurationError: The detector has another readout.
    """

    mean_total: Tensor

    def __init__(self, settings: ImageGanSettings, detector: Detector) -> None:
        super().__init__()
        self.settings = settings
        self.threshold_mev = settings.threshold_mev
        self.conditions = settings.conditions
        self.corrects_totals, self.at_most_incident = settings.corrects_totals, settings.at_most_incident
        self.image = CartesianImage(detector)
        cells = (self.image.rows, self.image.columns)
        self.encoder: IncidentEncoder | IncidentComponents = (
            IncidentEncoder(settings.conditions, self.image.pitch_mm, cells)
            if settings.encoding == "features"
            else IncidentComponents(settings.conditions)
        )
        self.transform = CellTransform(settings.box_cox_power, settings.threshold_mev)
        self.generator = GENERATORS[settings.generator.form](settings.generator, self.encoder.width, cells)
        self.regressed: RegressedShape | None = None
        if settings.regressor is not None:
            self.regressed = RegressedShape(settings.regressor, self.image, settings.threshold_mev)
        width = 0 if self.regressed is None else self.regressed.width
        self.discriminator = RegressingDiscriminator(settings, self.encoder.width, width)
        self.correction = TotalCorrection()
        self.register_buffer("mean_total", torch.zeros(()))
        self.turn: Literal["discriminator", "generator"] = "generator"

    def fit_transforms(self, sample: Showers) -> None:
        """Set the scales of conditions, energies and regressed numbers from training showers."""
        batch = TrainingBatch.of(sample)
        self.encoder.fit(batch.incidents)
        self.transform.fit(batch.energies)
        self.mean_total.copy_(_log_fraction(batch.energies, batch.incidents).double().mean())
        if self.regressed is not None:
            self.regressed.fit(batch.energies, batch.incidents)

    def parts(self) -> dict[str, nn.Module]:
        """Return generator and discriminator; the regressor is part of the latter."""
        return {"generator": self.generator, "discriminator": self.discriminator}

    def begin_step(self, step: int, steps: float) -> None:
        """Set whose turn it is."""
        del steps
        settings = self.settings
        first = is_discriminators_turn(step, settings.discriminator_steps, settings.generator_steps)
        self.turn = "discriminator" if first else "generator"

    def losses(self, batch: TrainingBatch, draws: Draws) -> dict[str, Tensor]:
        """Return the loss of the part whose turn it is."""
        if self.turn == "discriminator":
            return {"discriminator": self._discriminator_loss(batch, draws)}
        condition = self.encoder(batch.incidents)
        fake = self._images(condition, draws.noise(self.noise(), len(batch)))
        with held_fixed(self.discriminator):
            score = self._score(self._noisy(fake, draws), condition, batch.incidents)
        return {"generator": generator_loss(self.settings.objective, score)}

    def validation_losses(self, batch: TrainingBatch, draws: Draws) -> dict[str, Tensor]:
        """Return squared distances of mean images and mean visible fractions; a game's losses say little."""
        made = self.showers(batch.incidents, draws.noise(self.noise(), len(batch)))
        one, other = (self.transform(energies).mean(0) for energies in (batch.energies, made))
        found, true = (_log_fraction(one, batch.incidents).mean() for one in (made, batch.energies))
        terms = {"images": (one - other).square().mean(), "totals": (found - true).square()}
        if self.discriminator.regressor is not None:
            terms["regressor"] = self._regression_error(batch.energies, batch.incidents)
        return terms

    def stopping_loss(self, validation: Mapping[str, float], monitor: Mapping[str, Any]) -> float:
        """Return what early stopping watches: the validation losses, or 1 - PRD area."""
        if self.settings.stops_on == "prd_area" and "prd_area" in monitor:
            return 1.0 - float(monitor["prd_area"]["smaller"])
        return sum(value for name, value in validation.items() if name != "regressor")

    def monitor(self, showers: Showers, draws: Draws) -> dict[str, Any]:
        """Return the squared errors by energy, and the PRD areas of images and shapes along the momentum."""
        made: list[Tensor] = []

        def generate(incidents: IncidentTensors) -> Tensor:
            made.append(self.generate(self.device.put(incidents), draws.generator).float().cpu())
            return made[-1]

        errors = squared_error_by_energy(generate, showers, self.threshold_mev)
        if showers.positions is None or showers.directions is None:
            return errors
        energies = torch.cat(made).numpy()
        return {**errors, "prd_area": area_of_images_and_shapes(showers, energies, self.threshold_mev)}

    def symmetries(self) -> Callable[[TrainingBatch, Draws], TrainingBatch]:
        """Return the mirror images and turns of the readout."""
        return SquareSymmetries(self.image)

    def noise(self) -> dict[str, Noise]:
        """Return the random inputs."""
        return {"inputs": Noise("normal", self.settings.generator.random_inputs)}

    def uncorrected(self, incidents: IncidentTensors, noise: Mapping[str, Tensor]) -> Tensor:
        """Return (event, cell) MeV above threshold, sums not corrected."""
        images = self._images(self.encoder(incidents), noise).flatten(1).float()
        energies = self.transform.inverse(images)
        return energies * (energies > self.threshold_mev)

    def _images(self, condition: Tensor, noise: Mapping[str, Tensor]) -> Tensor:
        """Return transformed energies (event, 1, row, column)."""
        images: Tensor = self.generator(condition, noise["inputs"])
        return images

    def _noisy(self, images: Tensor, draws: Draws) -> Tensor:
        """Return images with instance noise."""
        if self.settings.instance_noise == 0:
            return images
        return images + self.settings.instance_noise * draws.normal(*images.shape)

    def _score(self, images: Tensor, condition: Tensor, incidents: IncidentTensors) -> Tensor:
        """Return scores (event,); whatever the discriminator is told follows from image and particle."""
        total = None
        if self.settings.critic.sees_total:
            energies = self.transform.inverse(images.flatten(1).float())
            total = (_log_fraction(energies, incidents)[:, None] - self.mean_total) / TOTAL_UNIT
        score: Tensor = self.discriminator(images, condition, total)
        return score

    def _discriminator_loss(self, batch: TrainingBatch, draws: Draws) -> Tensor:
        settings, incidents = self.settings, batch.incidents
        condition = self.encoder(incidents)
        with torch.no_grad():
            made = self._images(condition, draws.noise(self.noise(), len(batch)))
        real, fake = self._noisy(self._seen(batch.energies), draws), self._noisy(made, draws)
        loss = settings.adversarial_weight * discriminator_loss(
            settings.objective,
            self._score(real, condition, incidents),
            self._score(fake, condition, incidents),
        )
        if settings.gradient_penalty > 0:

            def score(images: Tensor, known: Tensor) -> Tensor:
                return self._score(images, known, incidents)

            with self.device.full_precision():
                inputs = (real.float(), condition.float()), (fake.float(), condition.float())
                penalty = gradient_penalty(score, *inputs, draws, settings.penalty_centre)
            loss = loss + settings.gradient_penalty * penalty
        if settings.regressor is not None:
            loss = loss + settings.regressor.weight * self._regression_loss(batch, made)
        return loss

    def _seen(self, energies: Tensor) -> Tensor:
        """Return energies (event, cell) as images."""
        images: Tensor = self.transform(self.image.fold(energies))
        return images

    def _regression_loss(self, batch: TrainingBatch, made: Tensor) -> Tensor:
        """Return the regressor's squared error on real images, and on generated ones where it learns them."""
        loss = self._regression_error(batch.energies, batch.incidents)
        assert self.settings.regressor is not None
        if self.settings.regressor.learns_fakes:
            energies = self.transform.inverse(made.flatten(1).float())
            loss = 0.5 * (loss + self._regression_error(energies, batch.incidents))
        return loss

    def _regression_error(self, energies: Tensor, incidents: IncidentTensors) -> Tensor:
        """Return the mean squared error of the regressor in units of its target's variance."""
        assert self.discriminator.regressor is not None
        assert self.regressed is not None
        told = self.discriminator.regressor(self._seen(energies), self.encoder(incidents))
        error: Tensor = (told - self.regressed(energies, incidents)).square().mean()
        return error


def _log_fraction(energies: Tensor, incidents: IncidentTensors) -> Tensor:
    """Return ln(visible / incident energy), (event,), of energies (event, cell) in MeV."""
    return torch.log(energies.sum(1).clamp_min(LEAST_VISIBLE_MEV) / incidents.energies)
