"""A surrogate whose visible energies may be moved onto the true law after training."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor

from calokit.compute.draws import Draws
from calokit.models.adversarial.total_correction import TotalCorrection
from calokit.models.batches import IncidentTensors, TrainingBatch
from calokit.models.parts.promises import keep_promises
from calokit.models.protocols import Surrogate
from calokit.showers import Showers


class CorrectedSurrogate(Surrogate):
    """A surrogate that implements `uncorrected`, and says what is to be done with it."""

    correction: TotalCorrection | None
    """Moves visible energies."""
    corrects_totals: bool
    """Whether it does."""
    at_most_incident: bool
    """Whether a shower of more energy than its particle's is scaled down to it."""

    @abstractmethod
    def uncorrected(self, incidents: IncidentTensors, noise: Mapping[str, Tensor]) -> Tensor:
        """Return one shower for each incident particle (event, cell) in MeV, its sum not corrected.

        Args:
            incidents: The incident particles, on the model's device.
            noise: (event, width) each, as `noise` asks for them.
        """

    def showers(self, incidents: IncidentTensors, noise: Mapping[str, Tensor]) -> Tensor:
        """Make showers of the random inputs, correct their sums and cut."""
        energies = self.uncorrected(incidents, noise)
        if self.corrects_totals and self.correction is not None:
            energies = self.correction(energies, incidents.energies)
        most = incidents.energies if self.at_most_incident else None
        return keep_promises(energies, self.threshold_mev, most)

    @torch.no_grad()
    def calibrate(self, sample: Showers, draws: Draws) -> None:
        """Fit the correction of visible energies on training showers, where there is one."""
        if self.corrects_totals and self.correction is not None:
            batch = self.device.put(TrainingBatch.of(sample))
            self.correction.fit_to(self.uncorrected, batch, self.noise(), self.threshold_mev, draws)

    def adapt_start(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the tensors of a bundle, with a correction that changes nothing where it has none."""
        own = self.state_dict()
        return {name: own[name] for name in own if name.startswith("correction.")} | dict(tensors)
