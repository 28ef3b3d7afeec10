"""The GAN: turns, schedules, objectives, start from stage 1, promises of generation, recipes."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from calokit.bundles.bundle import read_bundle
from calokit.bundles.inspection import inspect_bundle
from calokit.bundles.legs import cpu_minutes_in_all, presentations_in_all
from calokit.detector import Detector
from calokit.errors import ConfigurationError, RunError
from calokit.models.adversarial.discriminators import ImageDiscriminator
from calokit.models.adversarial.mask_value_gan import FIRST_LAYER, GanSurrogate
from calokit.models.adversarial.objectives import discriminator_loss, generator_loss, gradient_penalty
from calokit.models.adversarial.schedules import NoiseSchedule
from calokit.models.adversarial.settings import GanSettings
from calokit.models.batches import IncidentTensors, TrainingBatch
from calokit.models.mask_value.regression import RegressionSurrogate
from calokit.models.mask_value.settings import RegressionSettings
from calokit.recipes import list_recipes, load_recipe
from calokit.recipes.recipe import Recipe
from calokit.showers import Showers, open_showers
from calokit.studies.description import Study, StudyFile
from calokit.training.run import start_training
from calokit.training.start import take_over
from made_up_runs import TINY_TRAINING, MakeFile, MakeShowers, draws, seeded, silent

TINY = {"hidden_dim": 4, "random_inputs": 3, "discriminator_channels": 2}


@pytest.fixture(scope="module")
def showers(make_showers: MakeShowers) -> Showers:
    return make_showers(64, 5)


def tiny_gan(zdc: Detector, showers: Showers, **settings: object) -> GanSurrogate:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = GanSurrogate(GanSettings(**{**TINY, **settings}), zdc)
    model.fit_transforms(showers)
    return model


@pytest.mark.parametrize("steps", [(1, 1), (1, 5), (2, 3)])
def test_turns(zdc: Detector, showers: Showers, steps: tuple[int, int]) -> None:
    model = tiny_gan(zdc, showers, discriminator_steps=steps[0], generator_steps=steps[1])
    turns = []
    for step in range(2 * sum(steps)):
        model.begin_step(step, 100)
        turns.append(model.turn)
    assert turns == 2 * (["discriminator"] * steps[0] + ["generator"] * steps[1])
    batch = TrainingBatch.of(showers)
    model.begin_step(0, 100)
    assert set(model.losses(batch, draws())) == {"discriminator"}
    model.begin_step(steps[0], 100)
    assert set(model.losses(batch, draws())) == {"generator"}


@pytest.mark.parametrize("turn", ["discriminator", "generator"])
@pytest.mark.parametrize("noise", ["fixed", "learned"])
def test_a_turn_moves_its_part_alone(zdc: Detector, showers: Showers, turn: str, noise: str) -> None:
    model = tiny_gan(zdc, showers, noise=noise, energy_penalty=1.0).train()
    model.turn = turn
    losses = model.losses(TrainingBatch.of(showers), draws())
    losses[turn].backward()
    for name, part in model.parts().items():
        weights = [p.grad for n, p in part.named_parameters() if not n.endswith("bias")]
        moved = [bool(grad is not None and grad.any()) for grad in weights]
        assert any(moved) == (name == turn)
        if name == turn == "discriminator":
            assert all(moved)
    weights = [p.grad for n, p in model.network.named_parameters() if n.endswith("weight")]
    if turn == "generator":
        assert all(w is not None and bool(w.any()) and bool(torch.isfinite(w).all()) for w in weights)


def test_noise_schedules() -> None:
    """Linear from 1.0 to 0.7, a decay, always 1.0, and a cosine between the same ends."""
    middles = {"linear": 0.85, "exponential": math.sqrt(0.7), "constant": 1.0, "cosine": 0.85}
    for kind, middle in middles.items():
        schedule = NoiseSchedule(kind=kind)
        assert schedule.strength(0.0) == 1.0
        assert schedule.strength(0.5) == pytest.approx(middle)
        assert schedule.strength(1.0) == pytest.approx(1.0 if kind == "constant" else 0.7)
    early, late = (NoiseSchedule(kind="cosine").strength(part) for part in (0.1, 0.9))
    assert early > NoiseSchedule().strength(0.1)
    assert late < NoiseSchedule().strength(0.9)


def test_a_decay_ends_above_nothing_and_a_constant_may_be_nothing() -> None:
    assert NoiseSchedule(kind="constant", start=0.0).strength(1.0) == 0.0
    with pytest.raises(ConfigurationError, match="an exponential needs start and end above 0"):
        NoiseSchedule(kind="exponential", end=0.0)


def test_noise_of_a_regression_moves_values_and_nothing_else(zdc: Detector, showers: Showers) -> None:
    """The mask and the draws of the hits stay; a value moves by the width times a normal number."""
    plain = RegressionSurrogate(RegressionSettings(hidden_dim=4, normalisation="log"), zdc)
    plain.fit_transforms(showers)
    noisy = RegressionSurrogate(
        RegressionSettings(hidden_dim=4, normalisation="log", noise_width=0.1, at_most_incident=False), zdc
    )
    noisy.load_state_dict(plain.state_dict())
    assert list(plain.noise()) == ["hits"]
    incidents = IncidentTensors.of(showers.incidents)
    with torch.no_grad():
        drawn = draws().noise(noisy.noise(), len(incidents))
        logits, values = noisy.eval().images(incidents)
        made = noisy.showers(incidents, drawn)
        moved = torch.relu(values + 0.1 * drawn["values"])
    hit = drawn["hits"] < torch.sigmoid(logits)
    expected = hit * noisy.values.inverse(moved, incidents.energies)
    torch.testing.assert_close(made, torch.where(expected > noisy.threshold_mev, expected, 0.0))


def test_strength_widens_the_noise(zdc: Detector, showers: Showers) -> None:
    model = tiny_gan(zdc, showers, noise="fixed", noise_width=0.01).eval()
    for head in model.network.positive_heads:
        head.bias.data.fill_(0.5)
    incidents = IncidentTensors.of(showers.incidents)
    widths = []
    for progress in (0.0, 1.0):
        model.progress = progress
        with torch.no_grad():
            draw = model._draw(incidents, draws().noise(model.noise(), len(incidents)))
        hit = draw.gate > 0.5
        off = model.values(draw.energies, incidents.energies) - draw.values
        widths.append(float(off[hit].std()))
    assert widths[0] == pytest.approx(0.01, rel=0.05)
    assert widths[1] == pytest.approx(0.007, rel=0.05)


@pytest.mark.parametrize("normalisation", ["incident", "largest", "log", "gev"])
def test_generation_keeps_its_promises(zdc: Detector, showers: Showers, normalisation: str) -> None:
    model = tiny_gan(zdc, showers, normalisation=normalisation).eval()
    model.network.positive_heads[0].bias.data.fill_(0.05)
    incidents = IncidentTensors.of(showers.incidents)
    energies = model.generate(incidents, seeded())
    assert energies.shape == (64, 400)
    hits = energies[energies != 0]
    assert len(hits) > 100
    assert float(hits.min()) > 0.1
    assert torch.equal(energies, model.generate(incidents, seeded()))
    assert not torch.equal(energies, model.generate(incidents, seeded(2)))


def test_values_come_back(zdc: Detector, showers: Showers) -> None:
    batch = TrainingBatch.of(showers)
    for normalisation in ("incident", "largest", "log", "gev"):
        values = tiny_gan(zdc, showers, normalisation=normalisation).values
        mapped = values(batch.energies, batch.incidents.energies)
        hit = batch.energies > 0.1
        assert bool((mapped[~hit] == 0).all())
        back = values.inverse(mapped, batch.incidents.energies)
        torch.testing.assert_close(back[hit], batch.energies[hit], rtol=1e-4, atol=0.0)
        if normalisation in ("largest", "log"):
            assert float(mapped.max()) == pytest.approx(1.0, rel=1e-5)


@pytest.mark.parametrize("objective", ["cross_entropy", "hinge", "wasserstein"])
def test_objectives_pull_the_right_way(objective: str) -> None:
    real, fake = torch.tensor([0.3, -0.2], requires_grad=True), torch.tensor([0.1, 0.4], requires_grad=True)
    discriminator_loss(objective, real, fake).backward()
    assert bool((real.grad < 0).all())
    assert bool((fake.grad > 0).all())
    fake.grad = None
    generator_loss(objective, fake).backward()
    assert bool((fake.grad < 0).all())


def test_known_values_of_the_objectives() -> None:
    zero = torch.zeros(3)
    assert float(discriminator_loss("cross_entropy", zero, zero)) == pytest.approx(2 * math.log(2))
    assert float(discriminator_loss("hinge", zero, zero)) == 2.0
    assert float(discriminator_loss("wasserstein", zero + 1.0, zero)) == -1.0
    assert float(generator_loss("cross_entropy", zero)) == pytest.approx(math.log(2))


def test_gradient_penalty_of_a_plane() -> None:
    """A plane of slope 3 costs (3 - 1)^2 wherever it is looked at."""
    slope = torch.tensor([[0.0, 3.0], [0.0, 0.0]])
    images = torch.rand(5, 1, 2, 2, generator=seeded()), torch.rand(5, 1, 2, 2, generator=seeded(2))
    found = gradient_penalty(
        lambda image: (image * slope).sum((1, 2, 3)), *[(one,) for one in images], draws()
    )
    assert float(found) == pytest.approx(4.0)


@pytest.mark.parametrize("weight", [0.0, 10.0, 1000.0])
def test_gradient_penalty_sees_every_input(weight: float) -> None:
    """A slope along the numbers beside the image costs as much as one along the image."""
    real = torch.rand(5, 4, generator=seeded()), torch.rand(5, 2, generator=seeded(2))
    fake = torch.rand(5, 4, generator=seeded(3)), torch.rand(5, 2, generator=seeded(4))
    found = gradient_penalty(
        lambda image, numbers: 3.0 * image[:, 0] + weight * numbers[:, 1], real, fake, draws()
    )
    assert float(found) == pytest.approx((math.hypot(3.0, weight) - 1.0) ** 2, rel=1e-5)


def test_a_weight_on_the_visible_energy_is_not_free(zdc: Detector, showers: Showers) -> None:
    model = tiny_gan(
        zdc, showers, objective="wasserstein", gradient_penalty=10.0, spectral_norm=False
    ).train()
    model.turn = "discriminator"
    batch = TrainingBatch.of(showers)
    before = float(model.losses(batch, draws())["discriminator"].detach())
    first = model.discriminator.inner
    with torch.no_grad():
        first.weight[:, -2] += 100.0
        model.discriminator.outer.weight += 1.0
    assert float(model.losses(batch, draws())["discriminator"].detach()) > before + 1e3


def test_noise_reaches_showers_of_a_soft_gate(zdc: Detector, showers: Showers) -> None:
    model = tiny_gan(zdc, showers, gate="probability").eval()
    incidents = TrainingBatch.of(showers).incidents
    noise = draws().noise(model.noise(), len(incidents))
    other = {**noise, "values": noise["values"] + 1.0}
    with torch.no_grad():
        one, two = model.showers(incidents, noise), model.showers(incidents, other)
    assert not torch.equal(one, two)


def test_spectral_norm_is_one() -> None:
    torch.manual_seed(0)
    network = ImageDiscriminator(2, (8, 8), 3, 2, spectral=True)
    for _ in range(50):
        network(torch.rand(4, 2, 8, 8), torch.rand(4, 3))
    network.eval()
    layers = [*network.convolutions, network.inner, network.outer]
    largest = [float(torch.linalg.svdvals(layer.weight.detach().flatten(1))[0]) for layer in layers]
    assert largest == pytest.approx([1.0] * 5, rel=2e-2)
    plain = ImageDiscriminator(2, (8, 8), 3, 2, spectral=False)
    assert type(plain.outer) is nn.Linear


@pytest.mark.parametrize("conditions", [("energy",), ("energy", "position")])
def test_start_from_stage_1_makes_the_same_images(
    zdc: Detector, showers: Showers, conditions: tuple[str, ...], tmp_path: Path
) -> None:
    settings = RegressionSettings(hidden_dim=4, conditions=conditions, normalisation="log")
    first = RegressionSurrogate(settings, zdc)
    first.fit_transforms(showers)
    model = tiny_gan(zdc, showers)
    own = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    adapted = model.adapt_start(first.state_dict())
    model.load_state_dict(adapted)
    widened = model.state_dict()[FIRST_LAYER]
    assert bool((widened[:, first.encoder.width :] == 0).all())
    assert all(torch.equal(adapted[n], own[n]) for n in own if n.startswith("discriminator"))
    if conditions == ("energy",):
        assert torch.equal(model.encoder.position_scale, own["encoder.position_scale"])
    incidents = IncidentTensors.of(showers.incidents)
    with torch.no_grad():
        noise = draws().noise(model.noise(), len(incidents))
        made = model.eval()._draw(incidents, noise)
        one, other = first.eval().images(incidents), (made.logits, made.values)
    for left, right in zip(one, other, strict=True):
        torch.testing.assert_close(left, right)


def test_start_from_other_conditions_is_refused(zdc: Detector, showers: Showers) -> None:
    first = RegressionSurrogate(RegressionSettings(hidden_dim=4, conditions=("energy", "direction")), zdc)
    with pytest.raises(RunError, match="has 3 inputs, and the GAN's conditions make 17"):
        tiny_gan(zdc, showers).adapt_start(first.state_dict())


def tiny(name: str, *changes: str) -> Recipe:
    kinds = {"gan": ["model.random_inputs=3", "model.discriminator_channels=2"]}
    recipe = load_recipe(name)
    small = ["model.hidden_dim=4", "training.monitor_showers=16", *kinds.get(recipe.model.kind, [])]
    return load_recipe(name, [*small, *TINY_TRAINING, *changes])


def test_two_stages_train(shower_file: MakeFile, tmp_path: Path) -> None:
    data = shower_file(200)
    first = start_training(tiny("zdc_regression_log", "training.steps=4"), data, tmp_path / "1", silent)
    recipe = tiny("zdc_gan_25", "training.steps=12", "training.validate_every=6")
    second = start_training(recipe, data, tmp_path / "2", silent, start_from=first.bundle_path)
    assert second.bundle.provenance["start"]["recipe"] == "zdc_regression_log"
    again = read_bundle(second.bundle_path).model
    incidents = IncidentTensors.of(open_showers(data).read(0, 20).incidents)
    model = second.bundle.model
    model.begin_step(1, 1)
    assert torch.equal(again.generate(incidents, seeded()), model.generate(incidents, seeded()))
    with pytest.raises(RunError, match="not a bundle with the weights"):
        take_over(model, tmp_path / "1" / "checkpoint.safetensors")


def test_a_chain_of_trainings_is_told_leg_by_leg(shower_file: MakeFile, tmp_path: Path) -> None:
    """Stage 1, stage 2, and the same weights at another strength of the noise: three legs, summed."""
    data = shower_file(200)
    first = start_training(
        tiny("zdc_regression_log", "training.steps=4", "training.seed=5"), data, tmp_path / "1", silent
    )
    recipe = tiny("zdc_gan_26_lr4_ns1", "training.steps=6")
    second = start_training(recipe, data, tmp_path / "2", silent, start_from=first.bundle_path)
    recipe = tiny("zdc_gan_26_lr4_ns1", "training.steps=0", "model.noise_schedule.start=0")
    start_training(recipe, data, tmp_path / "3", silent, start_from=second.bundle_path)
    bundle = read_bundle(tmp_path / "3" / "zdc_gan_26_lr4_ns1.calokit")
    legs = bundle.legs
    assert [leg.recipe for leg in legs] == ["zdc_regression_log", "zdc_gan_26_lr4_ns1", "zdc_gan_26_lr4_ns1"]
    assert [(leg.seed, leg.steps, leg.presentations) for leg in legs] == [(5, 4, 128), (1, 6, 192), (1, 0, 0)]
    assert presentations_in_all(legs) == 320
    assert cpu_minutes_in_all(legs) == pytest.approx(sum(leg.cpu_minutes for leg in legs))
    assert legs[0].settings == first.bundle.recipe.to_mapping()
    assert legs[1].settings == second.bundle.recipe.to_mapping()
    before, after = (one.model.state_dict() for one in (read_bundle(second.bundle_path), bundle))
    assert all(torch.equal(before[name], after[name]) for name in before)
    rows = dict(inspect_bundle(bundle))
    assert rows["leg 1"].startswith("zdc_regression_log, seed 5: 4 steps, 128 presentations, ")
    assert rows["in all"].startswith("320 presentations, ")


def test_no_steps_need_a_bundle(shower_file: MakeFile, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="name it with --start-from"):
        start_training(
            tiny("zdc_regression_log", "training.steps=0"), shower_file(200), tmp_path / "1", silent
        )


def test_the_reports_recipes_are_as_listed() -> None:
    recipes = {recipe.name: recipe for recipe in list_recipes()}
    rows = {
        "zdc_gan_25": (5, 9e-4, 0.35, "linear"),
        "zdc_gan_26_lr4": (1, 9e-4, 0.35, "linear"),
        "zdc_gan_26_lr4_ns1": (1, 9e-4, 0.35, "constant"),
        "zdc_gan_26_lr6": (1, 1e-3, 0.8, "linear"),
        "zdc_gan_26_lr8": (1, 7e-4, 0.35, "linear"),
    }
    for name, (turns, rate, rising, noise) in rows.items():
        model, cycles = recipes[name].model, recipes[name].training.one_cycle
        assert (model.discriminator_steps, model.generator_steps) == (1, turns)
        assert (cycles["generator"].highest_rate, cycles["generator"].rising_part) == (rate, rising)
        assert (cycles["discriminator"].highest_rate, cycles["discriminator"].rising_part) == (1e-3, rising)
        assert model.noise_schedule == NoiseSchedule(kind=noise)
        assert model.hidden_dim == 32


def test_a_study_starts_runs_from_others(tmp_path: Path) -> None:
    entries = [
        {"recipe": "zdc_regression_log", "label": "first"},
        {"recipe": "zdc_gan", "label": "second", "start": "first"},
        {"recipe": "zdc_gan", "label": "alone"},
    ]
    content = {"name": "s", "title": "t", "data": "a.h5", "test": "b.h5", "recipes": entries, "seeds": [1, 2]}
    study = Study.from_mapping(content, "study")
    runs = list(StudyFile(study, tmp_path / "s.yaml").runs())
    starts = [(run.label, None if run.start is None else run.start.recipe.training.seed) for run in runs]
    assert starts == [("first", None)] * 2 + [("second", 1), ("second", 2)] + [("alone", None)] * 2
    assert len({run.digest for run in runs}) == 6
    more = study.model_copy(update={"recipes": [study.recipes[0].model_copy(update={"seeds": [1, 2, 3]})]})
    assert [run.recipe.training.seed for run in StudyFile(more, tmp_path / "s.yaml").runs()] == [1, 2, 3]
    fewer = [study.recipes[0].model_copy(update={"seeds": [2]}), study.recipes[1]]
    with pytest.raises(ConfigurationError, match="'first', which is no earlier entry with seed 1"):
        list(StudyFile(study.model_copy(update={"recipes": fewer}), tmp_path / "s.yaml").runs())
    unknown = study.model_copy(update={"recipes": [study.recipes[1]]})
    with pytest.raises(ConfigurationError, match="'second' starts from 'first', which is no earlier entry"):
        list(StudyFile(unknown, tmp_path / "s.yaml").runs())


def test_a_study_finds_its_showers_in_a_folder(tmp_path: Path) -> None:
    content = {"name": "s", "title": "t", "data": "a.h5", "test": "b.h5"}
    study = Study.from_mapping({**content, "recipes": [{"recipe": "zdc_gan", "label": "g"}]}, "study")
    beside = StudyFile(study, tmp_path / "studies" / "s.yaml")
    assert beside.find_showers("a.h5") == tmp_path / "studies" / "a.h5"
    assert StudyFile(study, beside.path, tmp_path / "sets").find_showers("a.h5") == tmp_path / "sets" / "a.h5"


def test_corrected_totals_follow_the_true_law(zdc: Detector, make_showers: MakeShowers) -> None:
    sample = make_showers(400, 5)
    model = tiny_gan(zdc, sample, corrects_totals=True).eval()
    model.calibrate(sample, draws())
    batch = TrainingBatch.of(sample)
    with torch.no_grad():
        made = model.showers(batch.incidents, draws(2).noise(model.noise(), len(batch)))
    true = (batch.energies * (batch.energies > model.threshold_mev)).sum(1) / batch.incidents.energies
    fractions = made.sum(1) / batch.incidents.energies
    assert abs(fractions.mean() - true.mean()) < 0.05 * true.mean()
    assert fractions.max() <= 1.001 * true.max()
    assert not any("correction" in name for name in tiny_gan(zdc, sample).state_dict())
