"""The Conv2D GAN of CLIC's calorimeter: a volume, its incident energy and its energy sum (seeds 002)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from calokit.compute.draws import Draws, Noise
from calokit.detector import Detector
from calokit.models.adversarial.corrected_surrogate import CorrectedSurrogate
from calokit.models.adversarial.objectives import held_fixed, is_discriminators_turn
from calokit.models.adversarial.permuted_views import ViewsDiscriminator, ViewsGenerator
from calokit.models.adversarial.shower_axis import ShowerAxis
from calokit.models.adversarial.total_correction import TotalCorrection
from calokit.models.adversarial.volume_settings import VolumeGanSettings
from calokit.models.batches import IncidentTensors, TrainingBatch
from calokit.models.parts.places import CartesianImage
from calokit.models.parts.symmetries import SquareSymmetries
from calokit.showers import Showers

UNIT_MEV = 1e5
"""Networks see the incident energy in 100 GeV."""
DEGREE = 4
PERCENT = 100.0
LEAST_MEV = 1e-3
LEAST_OF_AVERAGE = 1e-3
"""Cells of the average shower count as so much of its largest, at least."""
PIECE = 256
"""Showers averaged at a time."""


class VolumeGanSurrogate(CorrectedSurrogate):
    """A generator of volumes and what it is trained against, for 25 layers of 25 x 25 or 51 x 51 cells.

    Made for a direction too, showers are told theirs by the barycentres of their layers, which no weight of
    the discriminator decides.

    Args:
        settings: Sizes, labels and weights of the losses.
        detector: One Cartesian section of as many cells.

    Raises:
        ConfigurationError: The detector has another readout.
    """

    fraction: Tensor
    average: Tensor
    lean: Tensor

    def __init__(self, settings: VolumeGanSettings, detector: Detector) -> None:
        super().__init__()
        self.settings = settings
        self.threshold_mev = settings.threshold_mev
        self.conditions = settings.conditions
        self.corrects_totals, self.at_most_incident = settings.corrects_totals, settings.at_most_incident
        self.image = CartesianImage(detector)
        self.directed = "direction" in settings.conditions
        self.axis = ShowerAxis(detector) if self.directed else None
        self.generator = ViewsGenerator(settings, detector.shape, settings.random_inputs + 2 * self.directed)
        self.discriminator = ViewsDiscriminator(settings, detector.shape)
        self.register_buffer("fraction", torch.zeros(DEGREE + 1, dtype=torch.float64))
        self.register_buffer("average", torch.ones(detector.shape), persistent=settings.average_known)
        self.register_buffer("lean", torch.ones(()), persistent=self.directed)
        self.correction = TotalCorrection() if settings.corrects_totals else None
        if settings.average_known:
            self.generator.begin_at_one()
        self.discriminators_turn = False
        self.linear = False

    def fit_transforms(self, sample: Showers) -> None:
        """Fit the visible fraction by a polynomial of the incident energy, the average shower, its lean."""
        energies = sample.incident_energies.astype(np.float64) / UNIT_MEV
        visible = sample.visible_energies.astype(np.float64) / sample.incident_energies
        degree = min(DEGREE, len(np.unique(energies)) - 1)
        found = np.polynomial.Polynomial.fit(energies, visible, degree).convert().coef
        self.fraction.zero_()
        self.fraction[: len(found)] = torch.from_numpy(found)
        if self.settings.average_known:
            average = self._average(sample)
            self.average.copy_(average.clamp_min(LEAST_OF_AVERAGE * float(average.max())))
        if self.axis is not None:
            self.lean.copy_(self._lean(sample, self.axis))

    def parts(self) -> dict[str, nn.Module]:
        """Return generator and discriminator."""
        return {"generator": self.generator, "discriminator": self.discriminator}

    def begin_step(self, step: int, steps: float) -> None:
        """Set whose turn it is, and whether cells may still be negative."""
        settings = self.settings
        rounds = settings.discriminator_steps, settings.generator_steps
        self.discriminators_turn = is_discriminators_turn(step, *rounds)
        self.linear = step / steps < settings.linear_part

    def symmetries(self) -> Callable[[TrainingBatch, Draws], TrainingBatch]:
        """Return the mirror images and turns of the readout."""
        return SquareSymmetries(self.image)

    def noise(self) -> dict[str, Noise]:
        """Return the random inputs."""
        return {"inputs": Noise("normal", self.settings.random_inputs)}

    def losses(self, batch: TrainingBatch, draws: Draws) -> dict[str, Tensor]:
        """Return the loss of the part whose turn it is."""
        noise = draws.noise(self.noise(), len(batch))
        if self.discriminators_turn:
            return {"discriminator": self._discriminator_loss(batch, noise, draws)}
        made = self._volumes(batch.incidents, noise, self.linear)
        with held_fixed(self.discriminator):
            logits, energies = self.discriminator(made)
        target = torch.full_like(logits, self.settings.real_label)
        loss = self._joined(logits, target, energies, batch.incidents)
        expected = self.expected_visible(batch.incidents)
        energies_made = self._energies(made)
        missing = (energies_made.sum(1) - expected).abs() / expected
        loss = loss + self.settings.sum_weight * PERCENT * missing.mean()
        if self.axis is not None:
            wrong = self.axis.told(self.image.fold(energies_made)) - self.lean * _directions_of(
                batch.incidents
            )
            loss = loss + self.settings.angle_weight * wrong.norm(dim=1).mean()
        return {"generator": loss}

    def validation_losses(self, batch: TrainingBatch, draws: Draws) -> dict[str, Tensor]:
        """Return the relative errors of mean moments and mean profiles along the three axes."""
        made = self.showers(batch.incidents, draws.noise(self.noise(), len(batch)))
        profiles, moments = [], []
        for axis in range(3):
            one, other = (self._profile(energies, axis) for energies in (batch.energies, made))
            profiles.append((one - other).abs().sum() / one.sum().clamp_min(LEAST_MEV))
            places = torch.arange(len(one), device=one.device, dtype=one.dtype)
            pairs = [_moments(profile, places) for profile in (one, other)]
            moments += [(a - b).abs() / a.abs().clamp_min(1e-6) for a, b in zip(*pairs, strict=True)]
        return {"profiles": torch.stack(profiles).mean(), "moments": torch.stack(moments).mean()}

    def expected_visible(self, incidents: IncidentTensors) -> Tensor:
        """Return the mean visible energy (event,) in MeV for incident particles."""
        energies = incidents.energies.double() / UNIT_MEV
        powers = torch.stack([energies**power for power in range(DEGREE + 1)], 1)
        expected: Tensor = ((powers @ self.fraction) * incidents.energies).clamp_min(LEAST_MEV).float()
        return expected

    def _inputs(self, incidents: IncidentTensors, noise: Mapping[str, Tensor]) -> Tensor:
        inputs = noise["inputs"] * (incidents.energies / UNIT_MEV)[:, None]
        return torch.cat([_directions_of(incidents), inputs], dim=1) if self.directed else inputs

    def uncorrected(self, incidents: IncidentTensors, noise: Mapping[str, Tensor]) -> Tensor:
        """Return (event, cell) MeV above threshold, sums not corrected."""
        return self._kept(self._energies(self._volumes(incidents, noise)))

    def _volumes(
        self, incidents: IncidentTensors, noise: Mapping[str, Tensor], linear: bool = False
    ) -> Tensor:
        """Return volumes as the networks see them; linear: cells may be negative."""
        inputs = self._inputs(incidents, noise)
        volumes: Tensor = self.generator.linear(inputs) if linear else self.generator(inputs)
        return volumes * self._expected_volumes(incidents)

    def _expected_volumes(self, incidents: IncidentTensors) -> Tensor:
        """Return what volumes are relative to: the average shower, along the direction where it is known."""
        if self.axis is None or not self.settings.average_known:
            return self.average
        moved = self.axis.moved(self.average[None], _directions_of(incidents))
        return moved.clamp_min(LEAST_OF_AVERAGE * float(self.average.amax()))

    def _lean(self, sample: Showers, axis: ShowerAxis) -> Tensor:
        """Return how far showers lean by their barycentres, in parts of their directions."""
        pieces = (TrainingBatch.of(sample[start : start + PIECE]) for start in range(0, len(sample), PIECE))
        products = squares = torch.zeros(())
        for batch in pieces:
            true = _directions_of(batch.incidents)
            told = axis.told(self.image.fold(self._kept(batch.energies)))
            products, squares = products + (told * true).sum(), squares + true.square().sum()
        return products / squares.clamp_min(1e-12)

    def _average(self, sample: Showers) -> Tensor:
        """Return the average shower (layer, row, column) as the networks see it.

        Energies are averaged, not what the networks see of them: where a cell is hit seldom the average of
        its roots is far below the root of its average.
        """
        total = torch.zeros(self.average.shape)
        for start in range(0, len(sample), PIECE):
            batch = TrainingBatch.of(sample[start : start + PIECE])
            volumes = self.image.fold(self._kept(batch.energies))
            if self.axis is not None:
                volumes = self.axis.moved(volumes, _directions_of(batch.incidents), back=True)
            total += volumes.sum(0)
        return (total / (len(sample) * self.settings.unit_mev)).pow(self.settings.power)

    def _energies(self, volumes: Tensor) -> Tensor:
        """Return (event, cell) MeV of volumes as the networks see them."""
        settings = self.settings
        return volumes.flatten(1).float().clamp_min(0.0).pow(1.0 / settings.power) * settings.unit_mev

    def _seen(self, energies: Tensor) -> Tensor:
        """Return volumes as the networks see them of (event, cell) MeV."""
        settings = self.settings
        return self.image.fold((self._kept(energies) / settings.unit_mev).pow(settings.power))

    def _kept(self, energies: Tensor) -> Tensor:
        """Return (event, cell) MeV without what lies at or below the threshold."""
        kept = energies.float()
        return torch.where(kept > self.settings.threshold_mev, kept, kept.new_zeros(()))

    def _discriminator_loss(self, batch: TrainingBatch, noise: Mapping[str, Tensor], draws: Draws) -> Tensor:
        settings = self.settings
        with torch.no_grad():
            made = self._volumes(batch.incidents, noise, self.linear)
        loss = batch.energies.new_zeros(())
        for volumes, label, other in (
            (self._seen(batch.energies), settings.real_label, 0.0),
            (made, 0.0, 1.0),
        ):
            logits, energies = self.discriminator(volumes)
            flipped = draws.uniform(len(batch)) < settings.flipped
            target = torch.where(flipped, torch.full_like(logits, other), torch.full_like(logits, label))
            loss = loss + self._joined(logits, target, energies, batch.incidents)
        return loss

    def _joined(self, logits: Tensor, target: Tensor, energies: Tensor, incidents: IncidentTensors) -> Tensor:
        """Return cross-entropy and the error of the told incident energy, weighted."""
        settings = self.settings
        told = functional.binary_cross_entropy_with_logits(logits, target)
        true = incidents.energies / UNIT_MEV
        error = ((energies - true).abs() / true).mean()
        return settings.adversarial_weight * told + settings.energy_weight * PERCENT * error

    def _profile(self, energies: Tensor, axis: int) -> Tensor:
        """Return the mean energy (cell,) along an axis of the volume."""
        others = tuple(1 + other for other in range(3) if other != axis)
        profile: Tensor = self.image.fold(energies.float()).sum(others).mean(0)
        return profile


def _directions_of(incidents: IncidentTensors) -> Tensor:
    """Return theta cos phi and theta sin phi (event, 2) of incident particles, which must be known."""
    incidents.need(("directions",), "the Conv2D GAN that is made for directions")
    assert incidents.directions is not None
    return incidents.directions


def _moments(profile: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and width of a profile (cell,)."""
    total = profile.sum().clamp_min(LEAST_MEV)
    mean = (profile * places).sum() / total
    return mean, ((profile * (places - mean).square()).sum() / total).sqrt()
