"""Mask + value networks for a detector of several sections: a shared trunk and a head for each section.

What the EIC ZDC report of 2025-09-01 set out to do for neutrons in ECAL and HCAL (seeds document 000). A
neutron may start its shower anywhere, so that the particle alone says little about the cells: a flow first
draws a few numbers that sum up the shower (energies, hits and depth of the sections), and the network makes
the images given the particle and these numbers. Hits are drawn by their probability and their energies from a
log-normal law of learned width; then each section is scaled to its drawn energy. The two steps are ours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from calokit.compute.draws import Draws, Noise
from calokit.detector import Detector
from calokit.models.batches import IncidentTensors, TrainingBatch
from calokit.models.mask_value.settings import SectionsSettings
from calokit.models.parts.blocks import ConvolutionalNetwork, DenseNetwork
from calokit.models.parts.conditions import IncidentEncoder
from calokit.models.parts.places import CartesianImage
from calokit.models.parts.promises import keep_promises
from calokit.models.parts.summary import SectionSummary
from calokit.models.parts.vector_flow import VectorFlow
from calokit.models.protocols import Surrogate
from calokit.showers import Showers

IMAGES_A_CELL = 3
"""Logit of a hit, mean and width of the logarithm of its energy."""
LEAST_WIDTH = 0.05
LARGEST_WIDTH = 3.0


class SectionImages(nn.Module):
    """The images of one section: logits of hits, and mean and width of the logarithm of their energies.

    Args:
        detector: A detector of this one section.
        settings: Channels and blocks.
    """

    def __init__(self, detector: Detector, settings: SectionsSettings) -> None:
        super().__init__()
        self.image = CartesianImage(detector)
        self.threshold_mev = settings.threshold_mev
        self.network = ConvolutionalNetwork(
            self.image.layers,
            IMAGES_A_CELL,
            self.image.geometry_channels,
            settings.trunk_width,
            settings.channels,
            settings.blocks,
            inputs=0,
        )

    def forward(self, features: Tensor, incidents: IncidentTensors) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits, means and widths (event, cell) for features (event, trunk width) of the trunk.

        Means and widths are those of ln(energy / threshold).
        """
        geometry = self.image.geometry(incidents.positions).expand(len(features), -1, -1, -1)
        images = self.network(geometry[:, :0], geometry, features).float().flatten(1)
        logits, mean, width = images.chunk(IMAGES_A_CELL, dim=1)
        spread = functional.softplus(width + 0.5).clamp(LEAST_WIDTH, LARGEST_WIDTH)
        return logits - 3.0, functional.softplus(mean + 0.5), spread

    def terms(self, images: tuple[Tensor, Tensor, Tensor], energies: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return mask loss, value loss and energy-sum loss against true energies (event, cell), MeV."""
        logits, mean, width = images
        hit = (energies > self.threshold_mev).to(logits.dtype)
        mask = functional.binary_cross_entropy_with_logits(logits, hit)
        logarithms = torch.log(energies.clamp_min(self.threshold_mev) / self.threshold_mev)
        surprise = 0.5 * ((logarithms - mean) / width).square() + torch.log(width)
        value = (hit * surprise).sum() / hit.sum().clamp_min(1.0)
        typical = torch.exp((mean + 0.5 * width.square()).clamp_max(12.0)) * self.threshold_mev
        expected = (torch.sigmoid(logits) * typical).sum(1)
        true = (hit * energies).sum(1)
        relative = (expected - true) / (true + 10 * self.threshold_mev)
        return mask, value, functional.huber_loss(relative, torch.zeros_like(relative))

    def draw(
        self, images: tuple[Tensor, Tensor, Tensor], visible: Tensor, uniform: Tensor, normal: Tensor
    ) -> Tensor:
        """Return hits and energies (event, cell) in MeV that sum to visible energies (event,).

        Args:
            images: As `forward` returns them.
            visible: (event,) MeV.
            uniform: (event, cell) noise that decides hits.
            normal: (event, cell) noise that decides their energies.
        """
        logits, mean, width = images
        hit = uniform < torch.sigmoid(logits)
        logarithms = (mean + width * normal).clamp(0.0, math.log(1e6))
        energies = hit * torch.exp(logarithms) * self.threshold_mev
        scale = visible / energies.sum(1).clamp_min(self.threshold_mev)
        return energies * scale[:, None]


class SectionsSurrogate(Surrogate):
    """The two-step generator for a detector of Cartesian sections.

    Args:
        settings: Sizes and loss weights.
        detector: Sections with an even number of rows and columns.

    Raises:
        ConfigurationError: A section has another readout.
    """

    def __init__(self, settings: SectionsSettings, detector: Detector) -> None:
        super().__init__()
        self.settings = settings
        self.threshold_mev = settings.threshold_mev
        self.conditions = settings.conditions
        self.sections = nn.ModuleList()
        alone = [detector.model_copy(update={"sections": (section,)}) for section in detector.sections]
        self.heads = [SectionImages(one, settings) for one in alone]
        self.sections.extend(self.heads)
        first = self.heads[0].image
        self.encoder = IncidentEncoder(settings.conditions, first.pitch_mm, (first.rows, first.columns))
        self.summary = SectionSummary(detector, settings.threshold_mev)
        self.summary_flow = VectorFlow(
            self.summary.width, self.encoder.width, settings.summary_width, settings.summary_layers
        )
        self.trunk = DenseNetwork(
            [self.encoder.width + self.summary.width, *[settings.trunk_width] * (settings.trunk_layers + 1)]
        )

    def fit_transforms(self, sample: Showers) -> None:
        """Set the scales of conditions and summary from training showers."""
        batch = TrainingBatch.of(sample)
        self.encoder.fit(batch.incidents)
        self.summary.fit(batch.energies, batch.incidents.energies)

    def parts(self) -> dict[str, nn.Module]:
        """Return the flow of the summary, and the trunk with its heads."""
        return {"summary": self.summary_flow, "cells": nn.ModuleList([self.trunk, self.sections])}

    def losses(self, batch: TrainingBatch, draws: Draws) -> dict[str, Tensor]:
        """Return the flow's loss, and the weighted sum of mask, value and energy-sum losses over sections."""
        encoded = self.encoder(batch.incidents)
        summary = self.summary(batch.energies, batch.incidents.energies)
        features = self.trunk(torch.cat([encoded, summary], dim=1))
        settings, cells = self.settings, features.new_zeros(())
        for head, energies in zip(self.heads, self._split(batch.energies), strict=True):
            mask, value, total = head.terms(head(features, batch.incidents), energies)
            cells = cells + settings.mask_weight * mask + settings.value_weight * value
            cells = cells + settings.sum_weight * total
        return {"summary": self.summary_flow.loss(summary, encoded, draws), "cells": cells}

    def noise(self) -> dict[str, Noise]:
        """Return what the summary takes, then hits and energies of each section."""
        wanted = {"summary": self.summary_flow.noise()}
        for number, cells in enumerate(self.summary.cells):
            wanted |= {
                f"hits_{number}": Noise("uniform", cells),
                f"energies_{number}": Noise("normal", cells),
            }
        return wanted

    def showers(self, incidents: IncidentTensors, noise: Mapping[str, Tensor]) -> Tensor:
        """Make the summary, then every section's cells given it; cut at the threshold."""
        encoded = self.encoder(incidents)
        summary = self.summary_flow.draw(encoded, noise["summary"])
        features = self.trunk(torch.cat([encoded, summary], dim=1))
        visible = self.summary.visible(summary, incidents.energies)
        drawn = [
            head.draw(head(features, incidents), energy, noise[f"hits_{number}"], noise[f"energies_{number}"])
            for number, (head, energy) in enumerate(zip(self.heads, visible, strict=True))
        ]
        most = incidents.energies if self.settings.at_most_incident else None
        return keep_promises(torch.cat(drawn, dim=1), self.threshold_mev, most)

    def _split(self, energies: Tensor) -> tuple[Tensor, ...]:
        """Cut (event, cell) into its sections."""
        return torch.split(energies, self.summary.cells, dim=1)
