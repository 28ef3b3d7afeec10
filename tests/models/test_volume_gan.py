"""The Conv2D GAN: published sizes, views that can be turned back, and what its losses want."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from calokit.compute.draws import Draws
from calokit.detector import load_detector
from calokit.errors import ConfigurationError
from calokit.models.adversarial.permuted_views import VIEWS, ViewsGenerator, _along, _back
from calokit.models.adversarial.shower_axis import ShowerAxis
from calokit.models.adversarial.volume_gan import VolumeGanSurrogate
from calokit.models.adversarial.volume_settings import VolumeGanSettings
from calokit.models.batches import IncidentTensors, TrainingBatch
from calokit.recipes import load_recipe
from tiny_families import make_showers_in

TINY = VolumeGanSettings(width=0.05, random_inputs=3, dropout=0.0)
DIRECTED = TINY.model_copy(update={"conditions": ("energy", "direction"), "average_known": True})


def draws(seed: int = 1) -> Draws:
    return Draws(torch.Generator().manual_seed(seed))


def weights_of(part: nn.Module) -> int:
    """As Keras counts them: the running statistics of batch normalisation are weights too."""
    running = sum(buffer.numel() for name, buffer in part.named_buffers() if "running" in name)
    return sum(parameter.numel() for parameter in part.parameters()) + running


def test_the_published_size() -> None:
    model = load_recipe("clic_gan_published").model.build(load_detector("clic_ecal"))
    assert isinstance(model, VolumeGanSurrogate)
    assert weights_of(model.generator) == pytest.approx(2.05e6, rel=0.005)
    assert weights_of(model.discriminator) == pytest.approx(0.71e6, rel=0.01)


def test_the_size_for_showers_at_an_angle() -> None:
    """The public code's branch Conv2Dangle, counted by hand: (inputs, rows, columns, outputs) of kernels."""
    model = load_recipe("clic_gan_angle_published").model.build(load_detector("clic_ecal_51x51"))
    assert isinstance(model, VolumeGanSurrogate)
    # along layers, then the two views that are alike but for their order
    along = [(11, 5, 5, 32), (64, 5, 5, 64), (64, 7, 7, 64), (64, 5, 5, 64), (64, 4, 4, 64)]
    along += [(64, 3, 3, 32), (32, 2, 2, 32), (32, 2, 2, 25)]
    across = [(11, 5, 5, 32), (64, 5, 5, 64), (64, 7, 8, 64), (64, 5, 6, 64), (64, 4, 5, 64)]
    across += [(64, 3, 4, 64), (64, 2, 3, 51), (51, 2, 2, 51)]
    generator = (257 + 1) * 11**3 + 9 * 75 * 25 + 25  # two components of the direction, and a bias
    for path in (along, across, across):
        stretching = 32 * 25 * 64 + 64 * 25 * 64  # transposed convolutions have biases there, and none here
        generator += stretching + sum(a * b * c * d + 4 * d for a, b, c, d in path)
    assert weights_of(model.generator) == generator
    discriminator = 10 * (10 * 9 * 35 * 2 + 10 * 35 * 35 + 1) + 4 * 10 + 2 * 11
    for channels in (25, 51, 51):
        kernels = [(channels, 8, 64), (64, 6, 32), (32, 5, 32), (32, 4, 32), (32, 3, 32), (32, 3, 10)]
        discriminator += sum(a * size**2 * b + 4 * b for a, size, b in kernels)
    assert weights_of(model.discriminator) == discriminator


def test_directions_are_those_of_barycentres_and_layers_follow_them() -> None:
    axis = ShowerAxis(load_detector("clic_ecal_51x51"))
    volume = torch.zeros(1, 25, 51, 51)
    volume[:, :, 24:27, 23:28] = torch.rand(1, 25, 3, 5) + 0.5
    volume = 0.5 * (volume + volume.flip(2, 3))  # on the axis
    directions = torch.tensor([[0.0, 0.0], [0.3, 0.0], [0.0, -0.5], [0.2, 0.3]])
    moved = axis.moved(volume, directions)
    torch.testing.assert_close(axis.told(moved), directions, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(moved.sum((1, 2, 3)), volume.sum().expand(4), rtol=1e-4, atol=0.0)
    torch.testing.assert_close(moved[:1], volume)
    home = axis.moved(moved, directions, back=True)
    torch.testing.assert_close(axis.told(home), torch.zeros(4, 2), atol=1e-5, rtol=0.0)


def directed() -> tuple[VolumeGanSurrogate, TrainingBatch]:
    """Showers that lean by nine tenths of their direction."""
    detector = load_detector("clic_ecal_51x51")
    showers = make_showers_in(detector, 6)
    angles = np.linspace(-0.5, 0.5, 6)
    directions = np.stack([0 * angles, np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)
    axis = ShowerAxis(detector)
    upright = torch.zeros(6, 25, 51, 51)
    upright[:, :, 23:28, 23:28] = 30.0
    leaning = torch.from_numpy(0.9 * np.stack([0 * angles, angles], axis=1)).float()
    energies = axis.moved(upright, leaning).flatten(1).numpy()
    showers = type(showers)(
        energies, np.full(6, 5e5, np.float32), detector, directions=directions, pdg=showers.pdg
    )
    torch.manual_seed(1)
    model = VolumeGanSurrogate(DIRECTED, detector)
    model.fit_transforms(showers)
    return model.train(), TrainingBatch.of(showers)


def test_showers_at_an_angle_follow_their_direction() -> None:
    model, batch = directed()
    assert float(model.lean) == pytest.approx(0.9, abs=0.01)
    made = model._volumes(batch.incidents, draws().noise(model.noise(), len(batch))).detach()
    assert model.axis is not None
    told = model.axis.told(model.image.fold(model._energies(made)))
    assert batch.incidents.directions is not None
    # untrained it is near the average shower along the direction
    assert float(torch.corrcoef(torch.stack([told[:, 1], batch.incidents.directions[:, 1]]))[0, 1]) > 0.95
    assert float(told[:, 0].abs().max()) < 0.1


def test_the_generator_pays_for_a_wrong_angle() -> None:
    model, batch = directed()
    model.begin_step(1, 10)
    right = float(model.losses(batch, draws())["generator"].detach())
    model.lean.fill_(-0.9)
    wrong = float(model.losses(batch, draws())["generator"].detach())
    assert wrong - right > 5.0
    model.settings = DIRECTED.model_copy(update={"angle_weight": 0.0})
    free = float(model.losses(batch, draws())["generator"].detach())
    assert free < right


def test_a_generator_for_directions_needs_them() -> None:
    model, batch = directed()
    with pytest.raises(ConfigurationError, match="needs the incident directions"):
        model._volumes(IncidentTensors(batch.incidents.energies, None, None), {"inputs": torch.ones(6, 3)})
    with pytest.raises(ConfigurationError, match="knows \\['energy'\\] or"):
        VolumeGanSettings(conditions=("energy", "position"))


def test_views_are_turned_back() -> None:
    volume = torch.arange(2 * 3 * 4 * 5.0).view(2, 3, 4, 5)
    seen = [_along(volume, view) for view in VIEWS]
    assert [tuple(one.shape[1:]) for one in seen] == [(3, 4, 5), (5, 3, 4), (4, 5, 3)]
    for one, view in zip(seen, VIEWS, strict=True):
        assert torch.equal(_back(one, view), volume)


def test_cells_are_cut_at_zero_but_while_training_begins() -> None:
    torch.manual_seed(1)
    generator = ViewsGenerator(TINY, (25, 25, 25), 3)
    inputs = torch.randn(4, 3)
    linear = generator.linear(inputs)
    assert (linear < 0).any()
    assert torch.equal(generator(inputs), linear.clamp_min(0))


def untrained() -> tuple[VolumeGanSurrogate, TrainingBatch]:
    showers = make_showers_in(load_detector("clic_ecal"), 12)
    torch.manual_seed(1)
    model = VolumeGanSurrogate(TINY, showers.detector)
    model.fit_transforms(showers)
    return model.train(), TrainingBatch.of(showers)


def test_the_expected_sum_is_fitted() -> None:
    model, batch = untrained()
    expected = model.expected_visible(batch.incidents)
    true = batch.energies.sum(1)
    assert float(expected.mean()) == pytest.approx(float(true.mean()), rel=0.1)
    doubled = IncidentTensors(batch.incidents.energies, None, None)
    assert torch.equal(model.expected_visible(doubled), expected)


def test_turns_train_one_part_each() -> None:
    model, batch = untrained()
    for step, part in ((0, "discriminator"), (1, "generator")):
        model.begin_step(step, 10)
        (name,) = (losses := model.losses(batch, draws()))
        assert name == part
        model.zero_grad()
        losses[name].backward()
        trained = {
            own for own, one in model.parts().items() if any(p.grad is not None for p in one.parameters())
        }
        assert trained == {part}


def test_validation_compares_profiles_and_moments() -> None:
    model, batch = untrained()
    model.eval()
    for axis in range(3):
        profile = model._profile(batch.energies, axis)
        assert profile.shape == (25,)
        assert float(profile.sum()) == pytest.approx(float(batch.energies.sum(1).mean()), rel=1e-4)
    with torch.no_grad():
        losses = model.validation_losses(batch, draws())
    assert set(losses) == {"profiles", "moments"}
    assert all(float(loss) > 0 for loss in losses.values())


@pytest.mark.parametrize(("label", "flipped"), [(1.0, 0.0), (0.9, 0.3)])
def test_labels_are_those_asked_for(label: float, flipped: float, monkeypatch: pytest.MonkeyPatch) -> None:
    model, batch = untrained()
    model.settings = TINY.model_copy(update={"real_label": label, "flipped": flipped})
    seen: list[torch.Tensor] = []
    monkeypatch.setattr(
        "calokit.models.adversarial.volume_gan.functional.binary_cross_entropy_with_logits",
        lambda logits, target: seen.append(target) or logits.sum(),  # type: ignore[func-returns-value]
    )
    model.begin_step(0, 10)
    for seed in range(20):
        model.losses(batch, draws(seed))
    real, fake = torch.cat(seen[::2]), torch.cat(seen[1::2])
    assert set(real.tolist()) <= {0.0, float(torch.tensor(label))}
    assert set(fake.tolist()) <= {0.0, 1.0}
    assert float((real == 0).float().mean()) == pytest.approx(flipped, abs=0.1)
    assert float((fake == 1).float().mean()) == pytest.approx(flipped, abs=0.1)


def test_a_generator_that_knows_the_average_begins_at_the_average_shower() -> None:
    showers = make_showers_in(load_detector("clic_ecal"), 40)
    torch.manual_seed(1)
    model = VolumeGanSurrogate(TINY.model_copy(update={"average_known": True}), showers.detector)
    model.fit_transforms(showers)
    kept = showers.with_threshold(TINY.threshold_mev)
    mean = torch.from_numpy(kept.energies).mean(0, keepdim=True)
    seen = model.image.fold((mean / TINY.unit_mev).pow(TINY.power))[0]
    torch.testing.assert_close(model.average, seen.clamp_min(1e-3 * float(seen.max())))
    batch = TrainingBatch.of(showers)
    made = model._volumes(batch.incidents, draws().noise(model.noise(), len(batch))).mean(0).detach()
    assert float(torch.corrcoef(torch.stack([made.flatten(), seen.flatten()]))[0, 1]) > 0.9
    assert "average" in model.state_dict()
    assert "average" not in VolumeGanSurrogate(TINY, showers.detector).state_dict()


def test_visible_energies_are_moved_onto_the_true_law_where_asked_for() -> None:
    showers = make_showers_in(load_detector("clic_ecal"), 100)
    means = {}
    for corrects in (False, True):
        torch.manual_seed(1)
        settings = TINY.model_copy(update={"average_known": True, "corrects_totals": corrects})
        model = VolumeGanSurrogate(settings, showers.detector).eval()
        model.fit_transforms(showers)
        model.calibrate(showers, draws())
        with torch.no_grad():
            batch = TrainingBatch.of(showers)
            made = model.showers(batch.incidents, draws(2).noise(model.noise(), len(batch)))
        means[corrects] = float((made.sum(1) / batch.incidents.energies).mean())
    true = float((showers.visible_energies / showers.incident_energies).mean())
    assert abs(means[True] / true - 1) < 0.1 < abs(means[False] / true - 1)
    start = VolumeGanSurrogate(TINY, showers.detector).state_dict()
    corrected = VolumeGanSurrogate(TINY.model_copy(update={"corrects_totals": True}), showers.detector)
    corrected.load_state_dict(corrected.adapt_start(start))
