"""Several sections: the summary, the flow that draws it, the two heads, and promises of generation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from calokit.bundles.ranges import ConditionRange
from calokit.compute.draws import Draws
from calokit.detector import Detector, load_detector
from calokit.inference import Bundle, ShowerGenerator
from calokit.models.batches import IncidentTensors, TrainingBatch
from calokit.models.mask_value.sections import SectionsSurrogate
from calokit.models.mask_value.settings import SectionsSettings
from calokit.models.parts.summary import SectionSummary
from calokit.models.parts.vector_flow import VectorFlow
from calokit.recipes import load_recipe
from calokit.showers import Showers
from made_up_runs import draws, seeded

ECAL = 400


@pytest.fixture(scope="module")
def both() -> Detector:
    return load_detector("zdc_ecal_hcal")


@pytest.fixture(scope="module")
def showers(both: Detector) -> Showers:
    """Twelve showers about their impact; every fourth leaves nothing in the crystals."""
    rng = np.random.default_rng(4)
    count = 12
    incident = np.exp(rng.uniform(np.log(1e4), np.log(2.75e5), count))
    positions = rng.uniform(-100, 100, (count, 2))
    distance = np.hypot(both.cells.x - positions[:, :1], both.cells.y - positions[:, 1:])
    depth = np.abs(both.cells.layer - rng.uniform(5, 40, (count, 1)))
    shape = np.exp(-distance / 15 - depth / 6) * rng.gamma(2.0, size=distance.shape)
    energies = incident[:, None] * 1e-4 * shape
    energies[energies < 0.01] = 0.0
    energies[::4, :ECAL] = 0.0
    directions = np.tile([[0.0, 0.0, 1.0]], (count, 1))
    as32 = [array.astype(np.float32) for array in (energies, incident, positions, directions)]
    return Showers(as32[0], as32[1], both, as32[2], as32[3])


@pytest.fixture(scope="module")
def model(both: Detector, showers: Showers) -> SectionsSurrogate:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        settings = SectionsSettings(trunk_width=16, channels=4, blocks=1, summary_width=16)
        made = SectionsSurrogate(settings, both)
    made.fit_transforms(showers)
    return made


def test_summary_of_known_showers(both: Detector) -> None:
    summary = SectionSummary(both, 0.03)
    assert summary.width == 6
    energies = torch.zeros(2, both.number_of_cells)
    energies[0, 5], energies[0, 6] = 30.0, 0.01
    layers = torch.from_numpy(both.cells.layer.copy())
    for layer, energy in ((11, 1.0), (31, 3.0)):
        energies[0, int(torch.nonzero(layers == layer)[7])] = energy
    raw = summary(energies, torch.tensor([1000.0, 1000.0]))
    expected = [np.log(0.03), np.log(2), np.log(0.004), np.log(3), (10 + 3 * 30) / 4 / 64, np.sqrt(75) / 64]
    np.testing.assert_allclose(raw[0].numpy(), expected, rtol=1e-5)
    np.testing.assert_allclose(raw[1].numpy(), [np.log(1e-6), 0, np.log(1e-6), 0, 0, 0], rtol=1e-5, atol=1e-6)
    ecal, hcal = summary.visible(raw, torch.tensor([1000.0, 1000.0]))
    np.testing.assert_allclose(ecal.numpy(), [30.0, 0.0], rtol=1e-5)
    np.testing.assert_allclose(hcal.numpy(), [4.0, 0.0], rtol=1e-5)


def test_losses_reach_every_parameter(model: SectionsSurrogate, showers: Showers) -> None:
    generator = seeded(3)
    for parameter in model.parameters():
        if not parameter.any():
            parameter.data = 0.05 * torch.randn(parameter.shape, generator=generator)
    losses = model.losses(TrainingBatch.of(showers), draws())
    assert set(losses) == set(model.parts())
    torch.stack(list(losses.values())).sum().backward()
    trained = {id(parameter) for part in model.parts().values() for parameter in part.parameters()}
    for name, parameter in model.named_parameters():
        assert id(parameter) in trained, name
        assert parameter.grad is not None, name
        assert bool(parameter.grad.any()), name
        assert bool(torch.isfinite(parameter.grad).all()), name


def test_generation_keeps_its_promises(model: SectionsSurrogate, showers: Showers) -> None:
    incidents = IncidentTensors.of(showers.incidents)
    energies = model.generate(incidents, seeded())
    assert energies.shape == (12, 400 + 64 * 1600)
    hits = energies[energies != 0]
    assert len(hits) > 100
    assert float(hits.min()) > 0.03
    assert torch.equal(energies, model.generate(incidents, seeded()))
    assert not torch.equal(energies, model.generate(incidents, seeded(2)))


def test_a_bundle_of_sections_draws_showers(
    model: SectionsSurrogate, both: Detector, showers: Showers
) -> None:
    recipe = load_recipe("zdc_neutrons_small")
    made = {"particle": "neutron", "steps": 0}
    ranges = [ConditionRange("impact x", -1e3, 1e3)]
    generator = ShowerGenerator(Bundle(model.eval(), recipe, both, ranges, made), 1)
    drawn = generator.at(energy_gev=50, count=3, position_mm=(10.0, -20.0))
    assert (len(drawn), generator.outside) == (3, 0)
    assert drawn.visible_energies.min() > 0


def test_sections_spend_the_drawn_energy(model: SectionsSurrogate, showers: Showers) -> None:
    incidents = IncidentTensors.of(showers.incidents)
    visible = [torch.full((12,), 500.0), torch.full((12,), 2000.0)]
    with torch.no_grad():
        for head, energy in zip(model.heads, visible, strict=True):
            images = head(torch.zeros(12, 16), incidents)
            shape = images[0].shape
            noise = draws().uniform(*shape), draws().normal(*shape)
            drawn = head.draw((images[0] + 3.0, *images[1:]), energy, *noise)
            torch.testing.assert_close(drawn.sum(1), energy)


def test_energy_sums_have_known_losses(model: SectionsSurrogate) -> None:
    """A section that is sure of every cell and right has no energy-sum loss; one at half pays for it."""
    head = model.heads[0]
    energies = torch.full((2, ECAL), 3.0)
    sure = torch.full((2, ECAL), 50.0)
    width = torch.full((2, ECAL), 0.05)
    right = torch.log(energies / 0.03) - 0.5 * width**2
    mask, value, total = head.terms((sure, right, width), energies)
    assert float(mask) < 1e-6
    assert float(total) < 1e-5
    assert float(value) == pytest.approx(0.5 * 0.025**2 + np.log(0.05), abs=1e-4)
    half = head.terms((sure, right - np.log(2), width), energies)[2]
    assert float(half) == pytest.approx(0.5 * 0.5**2, rel=1e-2)


def test_flow_of_numbers_learns_a_line() -> None:
    """Numbers that are the condition plus noise of width 0.3."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        flow = VectorFlow(1, 1, 32, 2)
        optimiser = torch.optim.Adam(flow.parameters(), lr=5e-3)
        generator = seeded(5)
        for _ in range(300):
            condition = torch.randn(256, 1, generator=generator)
            values = condition + 0.3 * torch.randn(256, 1, generator=generator)
            optimiser.zero_grad()
            flow.loss(values, condition, Draws(generator)).backward()
            optimiser.step()
    with torch.no_grad():
        drawn = flow.draw(torch.full((2000, 1), 0.8), draws(6).normal(2000, 1))
    assert float(drawn.mean()) == pytest.approx(0.8, abs=0.12)
    assert float(drawn.std()) == pytest.approx(0.3, abs=0.1)
