"""A network on the hits of a shower: small, fast on a processor, and better than convolutions over cells.

Each hit is seen with its 3 x 3 x 3 neighbours, its distance from the shower's axis and its layer; a small
network makes of it a few numbers, which are summed by layer (and, for places, averaged with learned weights).
What the classical methods find stands beside the sums, so that the network learns the correction only.
A sum over hits of a function learned on each of them: Deep Sets, arXiv:1703.06114.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from calokit.arrays import Float64
from calokit.classical.energy import BiasCorrection
from calokit.classical.hits import NEIGHBOURS
from calokit.classical.width_scales import WidthScales
from calokit.compute.device import Device
from calokit.compute.draws import Draws
from calokit.detector import Detector
from calokit.models.estimators.energy_losses import energy_loss
from calokit.models.estimators.hit_batch import HitBatch
from calokit.models.estimators.protocol import Estimates, Reconstructor, unit_vectors
from calokit.models.estimators.settings import HitNetworkSettings, Target
from calokit.units import MEV_PER_GEV

HIT_NUMBERS = 8
"""Numbers about each hit beside its neighbours."""
HITS_A_LAYER = 10.0
"""Sums by layer are divided by it, to be of order one."""
WIDTHS = 5
"""Uncertainties: of the energy, of x and y, and of both slopes."""
WIDEST_LOG = 5.0
"""Limit of the logarithm of an uncertainty on the network's scale."""


class HitsMember(nn.Module):
    """One network: hits to sums by layer to estimates with their uncertainties.

    Args:
        settings: Sizes.
        layers: Layers of the calorimeter.
        hit_numbers: Numbers about each hit beside its neighbours.
        more_inputs: Numbers that the heads see beside those of this class (see `_more_numbers`).
    """

    def __init__(
        self,
        settings: HitNetworkSettings,
        layers: int,
        hit_numbers: int = HIT_NUMBERS,
        more_inputs: int = 0,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.layers = layers
        width = settings.width
        self.first = nn.Linear(NEIGHBOURS + hit_numbers, width)
        self.layer = nn.Embedding(layers, width)
        self.event = nn.Linear(2, width)
        hidden: list[nn.Module] = [nn.SiLU()]
        for _ in range(settings.hit_layers - 1):
            hidden += [nn.Linear(width, width), nn.SiLU()]
        self.hidden = nn.Sequential(*hidden)
        self.energy_out = nn.Linear(width, settings.channels)
        inputs = layers * settings.channels + layers + 1 + more_inputs
        self.outputs = {"energy": 1, "place": 4}
        self.heads = nn.ModuleDict()
        self.widths = nn.ModuleDict()
        if "place" in settings.targets:
            self.weight_out = nn.Linear(width, settings.channels)
            inputs += 2 * layers * settings.channels
        for target in settings.targets:
            self.heads[target] = self._head(inputs, self.outputs[target])
            self.widths[target] = self._head(inputs, self.outputs[target])

    def forward(
        self, features: Tensor, context: Tensor, batch: HitBatch, layer: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the numbers (event, k) that the heads see, and what was made of each hit (hit, width).

        Args:
            features: (hit, 27 + numbers about each hit).
            context: (event, 2) numbers of the event.
            batch: The hits.
            layer: (hit,) number of the layer.
        """
        place = batch.event * self.layers + layer
        inner = self._look(features, context, batch, layer)
        summed = self._sum_by_layer(self.energy_out(inner), place, len(batch))
        numbers = [summed, log_sums(batch), context[:, :1]]
        if "place" in self.settings.targets:
            bins = len(batch) * self.layers
            numbers.append(self._centroids(inner, features, place, bins).view(len(batch), -1))
        numbers += self._more_numbers(inner, summed, context, batch, place)
        return torch.cat(numbers, dim=1), inner

    def _look(self, features: Tensor, context: Tensor, batch: HitBatch, layer: Tensor) -> Tensor:
        """Return what is made of each hit (hit, width)."""
        inner = self.first(features) + self.layer(layer) + self.event(context)[batch.event]
        looked: Tensor = self.hidden(inner)
        return looked

    def _more_numbers(
        self, inner: Tensor, summed: Tensor, context: Tensor, batch: HitBatch, place: Tensor
    ) -> list[Tensor]:
        """Return further numbers (event, k) for the heads; none here."""
        del inner, summed, context, batch, place
        return []

    def _sum_by_layer(self, values: Tensor, place: Tensor, events: int) -> Tensor:
        """Return values (hit, k) summed by layer, (event, layer x k), of order one."""
        summed = values.new_zeros(events * self.layers, values.shape[1], dtype=torch.float32)
        return (summed.index_add(0, place, values.float()) / HITS_A_LAYER).view(events, -1)

    def _centroids(self, inner: Tensor, features: Tensor, place: Tensor, bins: int) -> Tensor:
        """Return centroids (event x layer, 2 x channel) with learned weights, from the classical line."""
        weights = torch.nn.functional.softplus(self.weight_out(inner).float())
        total = weights.new_zeros(bins, weights.shape[1]).index_add(0, place, weights) + 1e-3
        centroids = []
        for number in (0, 1):
            moved = weights * features[:, NEIGHBOURS + number, None].float()
            centroids.append(weights.new_zeros(bins, weights.shape[1]).index_add(0, place, moved) / total)
        return torch.cat(centroids, dim=1)

    def value(self, target: Target, numbers: Tensor) -> Tensor:
        """Return the estimates (event, 1 or 4) of a target on the network's scale."""
        value: Tensor = self.heads[target](numbers)
        return value

    def log_width(self, target: Target, numbers: Tensor) -> Tensor:
        """Return the logarithms (event, 1 or 4) of the uncertainties on the network's scale."""
        width: Tensor = self.widths[target](numbers)
        return width.clamp(-WIDEST_LOG, WIDEST_LOG)

    def _head(self, inputs: int, outputs: int) -> nn.Sequential:
        """Return a network that starts by returning zeros."""
        last = nn.Linear(self.settings.head_width, outputs)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        return nn.Sequential(
            nn.Dropout(self.settings.dropout),
            nn.Linear(inputs, self.settings.head_width),
            nn.SiLU(),
            nn.Linear(self.settings.head_width, self.settings.head_width),
            nn.SiLU(),
            last,
        )


class HitsReconstructor(Reconstructor):
    """Energy, impact and direction from the hits, each with an uncertainty for every shower.

    The energy is classical energy + sqrt(classical energy) x output, so the output is of order one at every
    energy; an impact or slope is that of the classical line + its typical error x output. Each uncertainty is
    a second head that does not move the first (its input is cut off from the gradient), trained by the
    likelihood of a normal error and scaled after training so that it covers 68.3 % of the errors of
    validation showers at every energy. The energy's bias is corrected as a function of the estimate alone.

    Args:
        settings: Targets and sizes.
        detector: One Cartesian section.
    """

    looks_at_neighbours = True

    def __init__(self, settings: HitNetworkSettings, detector: Detector) -> None:
        super().__init__(detector)
        self.settings = settings
        self.members = nn.ModuleList(self._make_member() for _ in range(settings.members))
        self.register_buffer("bias_estimated", torch.zeros(BiasCorrection.KNOTS, dtype=torch.float64))
        self.register_buffer("bias_corrected", torch.zeros(BiasCorrection.KNOTS, dtype=torch.float64))
        self.register_buffer("width_energies", torch.logspace(3, 4, WidthScales.KNOTS).double())
        self.register_buffer("width_factors", torch.ones(WIDTHS, WidthScales.KNOTS, dtype=torch.float64))
        self.register_buffer("layer_z", torch.from_numpy(self.grid.z_mm).float(), persistent=False)
        self.register_buffer("place_scale", torch.tensor([1.0, 1.0, 0.05, 0.05]))

    bias_estimated: Tensor
    bias_corrected: Tensor
    width_energies: Tensor
    width_factors: Tensor
    place_scale: Tensor
    layer_z: Tensor

    def _make_member(self) -> HitsMember:
        """Return an untrained member."""
        return HitsMember(self.settings, self.grid.shape[0])

    def parts(self) -> dict[str, nn.Module]:
        """Return the members, each trained by its own optimiser."""
        return {f"hits_{number + 1}": member for number, member in enumerate(self.members)}

    def losses(self, batch: HitBatch, draws: Draws) -> dict[str, Tensor]:
        """Return for each member the loss of every target, in its own units of order one."""
        if self.training and self.settings.mirror:
            batch = batch.mirrored(self.grid, *(draws.uniform(2, len(batch)) < 0.5))
        features, context, layer = self._inputs(batch)
        result = {}
        for number, member in enumerate(self._networks()):
            numbers, inner = member(features, context, batch, layer)
            with Device.holding(features).full_precision():
                result[f"hits_{number + 1}"] = self._loss_of(member, numbers.float(), inner.float(), batch)
        return result

    def _loss_of(self, member: HitsMember, numbers: Tensor, inner: Tensor, batch: HitBatch) -> Tensor:
        """Return one member's loss: errors of the estimates, and likelihoods of their uncertainties."""
        del inner  # what was made of each hit has no loss of its own here
        settings = self.settings
        loss = numbers.new_zeros(())
        if "energy" in settings.targets:
            classical = self.classical_energy(batch)
            true = batch.incidents.energies / MEV_PER_GEV
            estimate = classical + classical.sqrt() * member.value("energy", numbers)[:, 0]
            aimed = estimate.clamp_min(0.01) - self._aim_beside(batch)
            loss = loss + energy_loss(settings.loss, aimed, true, settings.huber_delta)
            spread = member.log_width("energy", numbers.detach())[:, 0]
            error = (estimate - true).detach() / classical.sqrt()
            loss = loss + 0.1 * _normal_loss(error / 0.2, spread)
        if "place" in settings.targets:
            error = self._place_target(batch) - member.value("place", numbers)
            weights = error.new_tensor([settings.place_weights[0]] * 2 + [settings.place_weights[1]] * 2)
            loss = loss + (weights * error.square()).mean()
            spread = member.log_width("place", numbers.detach())
            loss = loss + 0.1 * _normal_loss(error.detach(), spread)
        return loss

    def _aim_beside(self, batch: HitBatch) -> Tensor:
        """Return by how much (event,) training aims beside the true energies, GeV; not at all here."""
        return torch.zeros_like(batch.incidents.energies)

    def _place_target(self, batch: HitBatch) -> Tensor:
        """Return (event, 4) impact and slopes beside the classical line, in units of `place_scale`."""
        return (batch.true_lines() - batch.lines) / self.place_scale

    def _inputs(self, batch: HitBatch) -> tuple[Tensor, Tensor, Tensor]:
        """Return the features (hit, k), the context (event, 2), and the layer (hit,)."""
        layer, row, column = batch.places(self.grid)
        z = self.layer_z[layer]
        event = batch.event
        line = batch.lines[event]
        pitch = self.grid.pitch_mm
        x = (row - 0.5 * (self.grid.shape[1] - 1)) - (line[:, 0] + line[:, 2] * z) / pitch[0]
        y = (column - 0.5 * (self.grid.shape[2] - 1)) - (line[:, 1] + line[:, 3] * z) / pitch[1]
        radius = torch.sqrt(x.square() + y.square() + 1e-6)
        scaled = batch.energies / self.hit_scale_mev
        energy = self.classical_energy(batch)
        context = torch.stack([energy.log() - 2.0, (batch.counts.float() + 1).log() - 5.0], dim=1)
        extra = torch.stack(
            [
                x.clamp(-8, 8) / 2,
                y.clamp(-8, 8) / 2,
                (radius + 0.1).log(),
                torch.exp(-radius),
                scaled.sqrt().clamp_max(30.0) / 3,
                scaled.clamp_max(4.0) / 2,
                torch.exp(-scaled),
                z / 100,
            ],
            dim=1,
        )
        return torch.cat([batch.neighbours.float(), extra], dim=1), context, layer

    @torch.no_grad()
    def estimate(self, batch: HitBatch) -> Estimates:
        """Return corrected energies and places with calibrated uncertainties."""
        outputs = self._average(batch)
        result: dict[str, Tensor] = {}
        if "energy" in outputs:
            value, spread = outputs["energy"]
            result["energy"], result["energy_uncertainty"] = self._correct(value[:, 0], spread[:, 0])
        if "place" in outputs:
            value, spread = outputs["place"]
            spread = spread * self._width_factors(MEV_PER_GEV * self.classical_energy(batch))[:, 1:]
            result["position"], result["position_uncertainty"] = value[:, :2], spread[:, :2]
            result["direction"] = unit_vectors(value[:, 2:])
            result["direction_uncertainty"] = spread[:, 2:] / (1.0 + value[:, 2:].square())
        return Estimates(**result)

    def _correct(self, raw: Tensor, width: Tensor) -> tuple[Tensor, Tensor]:
        """Return energies freed of their bias, and their calibrated uncertainties, stretched along (MeV)."""
        slope = torch.ones_like(raw)
        corrected = raw
        if bool(self.bias_corrected.any()):
            correction = BiasCorrection(self.bias_estimated.cpu().numpy(), self.bias_corrected.cpu().numpy())
            known = raw.double().cpu().numpy()
            corrected = torch.from_numpy(correction(known)).to(raw.device)
            above = torch.from_numpy(correction(1.001 * known)).to(raw.device)
            slope = (above - corrected) / (0.001 * raw)
        factor = self._width_factors(corrected)[:, 0]
        return corrected.clamp_min(0.0).float(), (width * slope * factor).float()

    def _width_factors(self, energies: Tensor) -> Tensor:
        """Return the factors (event, 5) of the uncertainties at energy estimates (event,), MeV."""
        known = energies.double().cpu().numpy()
        knots = self.width_energies.cpu().numpy()
        factors = [WidthScales(knots, one)(known) for one in self.width_factors.cpu().numpy()]
        return torch.from_numpy(np.stack(factors, axis=1)).to(energies.device).float()

    def _networks(self) -> list[HitsMember]:
        return [member for member in self.members if isinstance(member, HitsMember)]

    def _average(self, batch: HitBatch) -> dict[str, tuple[Tensor, Tensor]]:
        """Return, by target, the members' mean estimate and uncertainty; energies in MeV, slopes as such."""
        features, context, layer = self._inputs(batch)
        values: dict[str, list[Tensor]] = {target: [] for target in self.settings.targets}
        widths: dict[str, list[Tensor]] = {target: [] for target in self.settings.targets}
        for member in self._networks():
            numbers = member(features, context, batch, layer)[0].float()
            for target in self.settings.targets:
                values[target].append(member.value(target, numbers))
                widths[target].append(member.log_width(target, numbers).exp())
        result: dict[str, tuple[Tensor, Tensor]] = {}
        for target in self.settings.targets:
            value = torch.stack(values[target]).mean(dim=0)
            width = torch.stack(widths[target]).mean(dim=0)
            if target == "energy":
                classical = self.classical_energy(batch)[:, None]
                value = MEV_PER_GEV * (classical + classical.sqrt() * value).clamp_min(0.01)
                width = MEV_PER_GEV * 0.2 * classical.sqrt() * width
            else:
                value = batch.lines + self.place_scale * value
                width = self.place_scale * width
            result[target] = (value, width)
        return result

    @torch.no_grad()
    def calibrate_on(self, batch: HitBatch) -> None:
        """Fit the bias correction and the scales of the uncertainties on validation showers."""
        outputs = [self._average(batch[start : start + 512]) for start in range(0, len(batch), 512)]
        true = batch.incidents.energies.double().cpu().numpy()
        knots = np.geomspace(true.min(), true.max() * (1.0 + 1e-6), WidthScales.KNOTS)
        self.width_energies.copy_(torch.from_numpy(knots))
        self.width_factors.fill_(1.0)
        pulls: dict[int, tuple[Float64, Float64]] = {}
        if "energy" in self.settings.targets:
            raw = torch.cat([one["energy"][0][:, 0] for one in outputs]).double()
            correction = BiasCorrection.fit(raw.cpu().numpy(), true)
            self.bias_estimated.copy_(torch.from_numpy(correction.estimated))
            self.bias_corrected.copy_(torch.from_numpy(correction.corrected))
            width = torch.cat([one["energy"][1][:, 0] for one in outputs])
            energy, uncertainty = (one.double().cpu().numpy() for one in self._correct(raw, width))
            pulls[0] = (energy - true) / uncertainty, energy
        if "place" in self.settings.targets:
            value = torch.cat([one["place"][0] for one in outputs])
            width = torch.cat([one["place"][1] for one in outputs])
            places = batch.lines + self.place_scale * self._place_target(batch)
            off = ((value - places) / width).double().cpu().numpy()
            classical = (MEV_PER_GEV * self.classical_energy(batch)).double().cpu().numpy()
            pulls |= {number: (off[:, number - 1], classical) for number in range(1, WIDTHS)}
        for number, (pull, energy) in pulls.items():
            self.width_factors[number].copy_(torch.from_numpy(WidthScales.fit(pull, energy, true)(knots)))

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Take over tensors; bundles of before widths were scaled by energy hold one scale for each."""
        scales = state_dict.pop(f"{prefix}width_scales", None)
        if scales is not None:
            state_dict[f"{prefix}width_energies"] = self.width_energies.clone()
            state_dict[f"{prefix}width_factors"] = scales.double()[:, None].expand_as(self.width_factors)
        super()._load_from_state_dict(state_dict, prefix, *rest)


def log_sums(batch: HitBatch) -> Tensor:
    """Return the logarithms (event, layer) of the layers' deposits, of order one."""
    return (batch.sums / 5.0 + 1e-3).log() / 3.0


def _normal_loss(error: Tensor, log_width: Tensor) -> Tensor:
    """Return the mean of minus the logarithm of a normal density, without its constant."""
    return (0.5 * (error * torch.exp(-log_width)).square() + log_width).mean()
