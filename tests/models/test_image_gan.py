"""The GAN of whole images: sizes of published forms, attention, the regressor inside the discriminator."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from calokit.compute.draws import Draws
from calokit.detector import load_detector
from calokit.evaluation.samples.momentum_shape import momentum_shape
from calokit.models.adversarial.cell_transform import CellTransform
from calokit.models.adversarial.generators import cut_middle, lay_in_middle
from calokit.models.adversarial.image_gan import ImageGanSurrogate
from calokit.models.adversarial.image_settings import (
    CriticSettings,
    GeneratorSettings,
    ImageGanSettings,
    RegressorSettings,
)
from calokit.models.adversarial.objectives import gradient_penalty
from calokit.models.adversarial.total_correction import TotalCorrection
from calokit.models.batches import TrainingBatch
from calokit.models.parts.attention import SelfAttention
from calokit.models.parts.conditions import IncidentComponents
from calokit.models.parts.places import CartesianImage
from calokit.models.parts.shower_shape import ShowerShape
from calokit.recipes import load_recipe
from calokit.showers import Showers
from made_up_runs import draws
from tiny_families import showers_in

GENERATOR = GeneratorSettings(random_inputs=4, channels=16)
CRITIC = CriticSettings(channels=(4, 4, 4))
REGRESSOR = RegressorSettings(channels=(2, 2))


@pytest.fixture(scope="module")
def showers() -> Showers:
    return showers_in("lhcb_ecal")


def tiny(showers: Showers, **settings: object) -> ImageGanSurrogate:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        given = {"generator": GENERATOR, "critic": CRITIC, **settings}
        model = ImageGanSurrogate(ImageGanSettings(**given), showers.detector)
    model.fit_transforms(showers)
    return model


def count(module: torch.nn.Module) -> int:
    return sum(one.numel() for one in module.parameters())


def test_the_released_generator_has_its_number_of_weights() -> None:
    """256 random numbers, 3 of the momentum, 2 of the impact; the released generator has 0.66 million."""
    model = load_recipe("lhcb_wgan_gp").model.build(load_detector("lhcb_ecal"))
    dense = (256 + 5) * 1024 + 1024
    doublings = [(256, 128), (128, 64), (64, 32), (32, 1)]
    transposed = sum(9 * one * other + other for one, other in doublings)
    normalised = 2 * (128 + 64 + 32)
    assert count(model.parts()["generator"]) == dense + transposed + normalised == 656_321


@pytest.mark.parametrize("name", ["lhcb_wgan_gp", "lhcb_hinge", "lhcb_sagan"])
def test_recipes_come_in_pairs(name: str) -> None:
    """The second of a pair differs by the regressor alone."""
    one, other = load_recipe(name), load_recipe(f"{name}_asymmetry")
    assert one.model.regressor is None
    assert other.model.regressor == RegressorSettings()
    assert one.model == other.model.model_copy(update={"regressor": None})
    assert one.training == other.training


def test_attention_opens_from_nothing() -> None:
    """The gate starts at zero and has a gradient; opened, each place gets a mean of the values of all."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        attention = SelfAttention(8, spectral=False)
    image = torch.rand(2, 8, 16, 16, generator=torch.Generator().manual_seed(2))
    assert torch.equal(attention(image), image)
    attention(image).square().sum().backward()
    assert attention.gate.grad.item() != 0
    with torch.no_grad():
        attention.gate.fill_(1.0)
        attention.query.weight.zero_()
        attention.query.bias.zero_()
        found = attention(image) - image
        pooled = torch.nn.functional.max_pool2d(attention.value(image), 2)
    expected = pooled.flatten(2).mean(2)[:, :, None, None].expand_as(found)
    torch.testing.assert_close(found, expected)


def test_the_canvas_keeps_the_image() -> None:
    image = torch.rand(2, 1, 30, 28)
    whole = lay_in_middle(image)
    assert whole.shape == (2, 1, 32, 32)
    assert torch.equal(cut_middle(whole, (30, 28)), image)
    assert float(whole.sum()) == pytest.approx(float(image.sum()), rel=1e-5)


def test_shapes_are_those_of_evaluation(showers: Showers) -> None:
    """As `momentum_shape`, at 150 mm, and for a particle along the axis too."""
    directions = showers.directions.copy()
    directions[0] = 0.0, 0.0, 1.0
    sample = Showers(
        showers.energies, showers.incident_energies, showers.detector, showers.positions, directions
    )
    shape = ShowerShape(CartesianImage(showers.detector), 150.0)
    batch = TrainingBatch.of(sample)
    true = momentum_shape(sample, 150.0)
    found = shape.asymmetries(batch.energies, batch.incidents).numpy()
    np.testing.assert_allclose(found[:, 0], true.asymmetry_along, atol=1e-4)
    np.testing.assert_allclose(found[:, 1], true.asymmetry_across, atol=1e-4)
    widths = shape.widths(batch.energies, batch.incidents).numpy()
    np.testing.assert_allclose(widths[:, 0], true.width_along, rtol=1e-3, atol=1e-2)
    np.testing.assert_allclose(widths[:, 1], true.width_across, rtol=1e-3, atol=1e-2)


def test_components_are_the_momentum(showers: Showers) -> None:
    batch = TrainingBatch.of(showers)
    encoder = IncidentComponents(("energy", "position", "direction"))
    momenta = showers.directions * showers.incident_energies[:, None]
    np.testing.assert_allclose(encoder._momenta(batch.incidents).numpy(), momenta, rtol=1e-3, atol=0.5)
    encoder.fit(batch.incidents)
    numbers = encoder(batch.incidents)
    assert numbers.shape == (len(showers), 5)
    np.testing.assert_allclose(numbers[:, :3].square().mean(0), 1.0, rtol=1e-3)


@pytest.mark.parametrize("power", [0.0, 0.3, 1.0])
def test_transformed_energies_come_back(showers: Showers, power: float) -> None:
    transform = CellTransform(power, 0.1)
    energies = torch.from_numpy(showers.energies)
    transform.fit(energies)
    values = transform(energies)
    hits = values[energies > 0.1]
    assert float(hits.square().mean()) == pytest.approx(1.0, rel=1e-3)
    assert not values[energies == 0].any()
    torch.testing.assert_close(transform.inverse(values), energies, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("target", ["asymmetries", "widths", "hits"])
def test_the_regressor_learns_its_target_beside_the_game(showers: Showers, target: str) -> None:
    regressor = RegressorSettings(target=target, channels=(8, 16))
    model = tiny(showers, regressor=regressor).train()
    optimiser = torch.optim.Adam(model.discriminator.parameters(), lr=5e-3)
    batch = TrainingBatch.of(showers)
    model.turn = "discriminator"
    errors = []
    for _ in range(60):
        errors.append(model._regression_error(batch.energies, batch.incidents).item())
        model.losses(batch, draws())["discriminator"].backward()
        optimiser.step()
        optimiser.zero_grad()
    assert errors[0] > 0.8
    assert errors[-1] < 0.5 * errors[0]


def gradients(model: ImageGanSurrogate, batch: TrainingBatch) -> tuple[Tensor, Tensor]:
    """Return the gradients of the scores for the image and for the regressor's first weights."""
    image = model._seen(batch.energies).requires_grad_(True)
    model.zero_grad()
    model._score(image, model.encoder(batch.incidents), batch.incidents).sum().backward()
    first = next(model.discriminator.regressor.parameters())
    return image.grad, torch.zeros(()) if first.grad is None else first.grad


def test_switches_of_the_regressors_gradients(showers: Showers) -> None:
    """The critic moves the regressor where it may; the regressor leads the generator where it may."""
    batch = TrainingBatch.of(showers)
    found = {}
    for moved in (False, True):
        for leads in (False, True):
            regressor = REGRESSOR.model_copy(update={"moved_by_critic": moved, "leads_generator": leads})
            found[moved, leads] = gradients(tiny(showers, regressor=regressor), batch)
            assert bool(found[moved, leads][1].any()) == moved
    assert torch.equal(found[False, True][0], found[True, True][0])
    assert torch.equal(found[False, False][0], found[True, False][0])
    assert not torch.equal(found[False, True][0], found[False, False][0])


def test_the_generators_turn_leaves_the_regressor_alone(showers: Showers) -> None:
    model = tiny(showers, regressor=REGRESSOR.model_copy(update={"moved_by_critic": True})).train()
    model.turn = "generator"
    model.losses(TrainingBatch.of(showers), draws())["generator"].backward()
    assert all(one.grad is None for one in model.discriminator.parameters())
    assert any(bool(one.grad.any()) for one in model.generator.parameters())


def test_the_penalty_covers_what_the_critic_derives(showers: Showers) -> None:
    """A critic that looks at the visible energy and the regressed shape alone is penalised for them."""
    critic = CRITIC.model_copy(update={"sees_total": True})
    model = tiny(showers, critic=critic, regressor=REGRESSOR, gradient_penalty=10.0)
    batch = TrainingBatch.of(showers)[:16]
    condition = model.encoder(batch.incidents)
    real = model._seen(batch.energies)

    class DerivedAlone(torch.nn.Module):
        def forward(self, image: Tensor, known: Tensor) -> Tensor:
            return 0.0 * image.sum((1, 2, 3)) + 50.0 * known[:, condition.shape[1] :].sum(1)

    def penalty() -> float:
        def score(images: Tensor, known: Tensor) -> Tensor:
            return model._score(images, known, batch.incidents)

        pair = (real, condition), (1.2 * real, condition)
        return gradient_penalty(score, *pair, draws(), centre=0.0).item()

    model.discriminator.critic = DerivedAlone()
    assert penalty() > 10.0
    model.discriminator.regressor = None
    assert penalty() > 1.0


def test_penalty_around_zero_and_one() -> None:
    """The gradient of 3 x is 3: (3 - 1)^2 and (3 - 0)^2."""

    def score(x: Tensor) -> Tensor:
        return 3.0 * x[:, 0]

    pair = (torch.zeros(4, 1),), (torch.ones(4, 1),)
    assert gradient_penalty(score, *pair, draws()).item() == pytest.approx(4.0)
    assert gradient_penalty(score, *pair, draws(), centre=0.0).item() == pytest.approx(9.0)


def test_totals_are_moved_onto_the_true_law() -> None:
    """Response and resolution of each class of energies come out right, whatever the generator made."""
    random = torch.Generator().manual_seed(1)
    incident = torch.exp(torch.empty(8000).uniform_(math.log(1e3), math.log(1e5), generator=random))
    true = 0.18 * incident * (1.0 + 2.0 * torch.randn(8000, generator=random) / incident.sqrt())
    tail = torch.where(torch.rand(8000, generator=random) < 0.05, 3.0, 1.0)
    made = 0.10 * incident**1.05 * torch.exp(0.3 * tail * torch.randn(8000, generator=random))
    correction = TotalCorrection()
    correction.fit(made, true, incident)
    cells = made[:, None] * torch.tensor([0.25, 0.75])
    corrected = correction(cells, incident)
    torch.testing.assert_close(corrected[:, 0] * 3, corrected[:, 1])
    for members in incident.argsort().chunk(8):
        found, wanted = ((one / incident)[members] for one in (corrected.sum(1), true))
        assert float(found.mean() / wanted.mean()) == pytest.approx(1.0, abs=0.005)
        assert float(found.std() / wanted.std()) == pytest.approx(1.0, abs=0.1)


def test_an_unfitted_correction_changes_nothing() -> None:
    cells = torch.rand(5, 4) * 50.0
    incident = torch.full((5,), 1e3)
    torch.testing.assert_close(TotalCorrection()(cells, incident), cells)


def test_the_stopping_loss_can_be_the_prd_area(showers: Showers) -> None:
    model = tiny(showers, stops_on="prd_area").eval()
    said = model.monitor(showers, Draws(torch.Generator().manual_seed(1)))
    areas = said["prd_area"]
    assert areas["smaller"] == min(areas["images"], areas["physics"])
    assert model.stopping_loss({"images": 5.0}, said) == pytest.approx(1.0 - areas["smaller"])
    assert model.stopping_loss({"images": 5.0, "regressor": 2.0}, {}) == 5.0
    assert tiny(showers).stopping_loss({"images": 5.0}, said) == 5.0
