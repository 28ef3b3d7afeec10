"""A mixture of surrogates as a surrogate: which member makes a shower is drawn for each incident particle."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from calokit.compute.device import Device
from calokit.compute.draws import Draws, Noise
from calokit.compute.precision import Precision
from calokit.detector import Detector
from calokit.errors import ConfigurationError
from calokit.models.batches import IncidentTensors, TrainingBatch
from calokit.models.mixture.settings import MixtureSettings
from calokit.models.protocols import Surrogate
from calokit.showers import Showers

WHICH = "member"
"""Name of the random number that chooses the member."""


class MixtureSurrogate(Surrogate):
    """Members of one family, each of which makes its share of the showers.

    Trained as it is, all members learn from the same batches and differ by their initial weights: a mixture
    without reweighting. `calokit.ensembles.adagan` trains them one after the other instead.

    Args:
        settings: The members' settings and shares.
        detector: Any that the members fit.

    Raises:
        ConfigurationError: The family does not generate showers.
    """

    cumulated: Tensor

    def __init__(self, settings: MixtureSettings, detector: Detector) -> None:
        super().__init__()
        self.settings = settings
        self.cells = detector.number_of_cells
        self.members = nn.ModuleList(settings.member.build(detector) for _ in settings.shares)
        if not isinstance(self.members[0], Surrogate):
            raise ConfigurationError(f"a model of kind {settings.member.kind!r} generates no showers.")
        self.blocks_at_once = self.first.blocks_at_once
        cumulated = torch.tensor(settings.shares, dtype=torch.float64).cumsum(0)[:-1]
        self.register_buffer("cumulated", cumulated.float(), persistent=False)

    @property
    def first(self) -> Surrogate:
        """The first member, which speaks for all where they agree."""
        return self.each()[0]

    def each(self) -> list[Surrogate]:
        """Return the members."""
        return [member for member in self.members if isinstance(member, Surrogate)]

    @property
    def threshold_mev(self) -> float:  # type: ignore[override]
        """Cells at or below it count as empty, MeV."""
        return self.first.threshold_mev

    @property
    def conditions(self) -> tuple[str, ...]:  # type: ignore[override]
        """Which of energy, position and direction of the incident particle they know."""
        return self.first.conditions

    def fit_transforms(self, sample: Showers) -> None:
        """Let every member learn its transforms."""
        for member in self.each():
            member.fit_transforms(sample)

    def parts(self) -> dict[str, nn.Module]:
        """Return the parts of all members, named `member_1.NAME` and so on."""
        return {
            f"{WHICH}_{number}.{name}": part
            for number, member in enumerate(self.each(), start=1)
            for name, part in member.parts().items()
        }

    def begin_step(self, step: int, steps: float) -> None:
        """Tell every member."""
        for member in self.each():
            member.begin_step(step, steps)

    def losses(self, batch: TrainingBatch, draws: Draws) -> dict[str, Tensor]:
        """Return the losses of all members on the same showers."""
        return {
            f"{WHICH}_{number}.{name}": loss
            for number, member in enumerate(self.each(), start=1)
            for name, loss in member.losses(batch, draws).items()
        }

    def validation_losses(self, batch: TrainingBatch, draws: Draws) -> dict[str, Tensor]:
        """Return what validation reports of all members."""
        return {
            f"{WHICH}_{number}.{name}": loss
            for number, member in enumerate(self.each(), start=1)
            for name, loss in member.validation_losses(batch, draws).items()
        }

    def symmetries(self) -> Callable[[TrainingBatch, Draws], TrainingBatch] | None:
        """Return those of the first member."""
        return self.first.symmetries()

    def calibrate(self, sample: Showers, draws: Draws) -> None:
        """Calibrate every member on the same showers."""
        for member in self.each():
            member.calibrate(sample, draws)

    def precision_in_use(self, device: Device) -> Precision:
        """Return that of the first member."""
        return self.first.precision_in_use(device)

    def noise(self) -> dict[str, Noise]:
        """Return one number that chooses the member, and what any of them takes."""
        return {WHICH: Noise("uniform"), **self.first.noise()}

    def showers(self, incidents: IncidentTensors, noise: Mapping[str, Tensor]) -> Tensor:
        """Let each shower (event, cell) in MeV be made by the member that its number chooses."""
        return self._share_out(lambda member, some, own: member.showers(some, own), incidents, noise)

    def hit_probabilities(self, incidents: IncidentTensors, noise: Mapping[str, Tensor]) -> Tensor | None:
        """Return the probability (event, cell) of a hit by the chosen member; None without a mask."""
        some = {name: value[:1] for name, value in noise.items() if name != WHICH}
        if self.first.hit_probabilities(incidents[:1], some) is None:
            return None

        def ask(member: Surrogate, some: IncidentTensors, own: Mapping[str, Tensor]) -> Tensor:
            found = member.hit_probabilities(some, own)
            assert found is not None
            return found

        return self._share_out(ask, incidents, noise)

    def _share_out(
        self,
        what: Callable[[Surrogate, IncidentTensors, Mapping[str, Tensor]], Tensor],
        incidents: IncidentTensors,
        noise: Mapping[str, Tensor],
    ) -> Tensor:
        """Return what the chosen members make (event, cell) of the incident particles."""
        chosen = torch.bucketize(noise[WHICH][:, 0], self.cumulated, right=True)
        whole = noise[WHICH].new_zeros(len(incidents), self.cells)
        for number, member in enumerate(self.each()):
            rows = (chosen == number).nonzero()[:, 0]
            if len(rows):
                own = {name: value[rows] for name, value in noise.items() if name != WHICH}
                whole[rows] = what(member, incidents[rows], own).to(whole.dtype)
        return whole
