"""The Conv2D GAN: published sizes, views that can be turned back, and what its losses want."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from calokit.compute.draws import Draws
from calokit.detector import load_detector
from calokit.models.adversarial.permuted_views import VIEWS, ViewsGenerator, _along, _back
from calokit.models.adversarial.volume_gan import VolumeGanSurrogate
from calokit.models.adversarial.volume_settings import VolumeGanSettings
from calokit.models.batches import IncidentTensors, TrainingBatch
from calokit.recipes import load_recipe
from tiny_families import make_showers_in

TINY = VolumeGanSettings(width=0.05, random_inputs=3, dropout=0.0)


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


def test_views_are_turned_back() -> None:
    volume = torch.arange(2 * 3 * 4 * 5.0).view(2, 3, 4, 5)
    seen = [_along(volume, view) for view in VIEWS]
    assert [tuple(one.shape[1:]) for one in seen] == [(3, 4, 5), (5, 3, 4), (4, 5, 3)]
    for one, view in zip(seen, VIEWS, strict=True):
        assert torch.equal(_back(one, view), volume)


def test_cells_are_cut_at_zero_but_while_training_begins() -> None:
    torch.manual_seed(1)
    generator = ViewsGenerator(TINY)
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
