"""What every family promises, on every detector that it accepts: one test for all of them.

Families are found, not listed (`tiny_families.py` has their small settings), so a new one is under this
contract as soon as its settings stand in `calokit.models`.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, strategies
from hypothesis import settings as examples
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from calokit.bundles.bundle import Bundle, read_bundle
from calokit.compute.draws import Draws
from calokit.detector import Detector, load_detector
from calokit.errors import ConfigurationError
from calokit.models.estimators.protocol import Reconstructor
from calokit.models.families import build_model
from calokit.models.protocols import Surrogate, Trainable
from calokit.recipes.recipe import Recipe, TrainingSettings
from calokit.showers import Showers, ShowerWriter
from calokit.training.run import continue_training, start_training
from made_up_runs import calling, silent
from tiny_families import (
    FAMILIES,
    TINY_FAMILIES,
    families_and_detectors,
    make_showers_in,
    showers_in,
    slow_where_large,
    tiny_settings,
)

STEPS = 4
ACCEPTED = families_and_detectors(accepted=True)
GENERATING = [pair for pair in ACCEPTED if issubclass(resolve_name(tiny_settings(pair[0]).model), Surrogate)]
REFUSED = families_and_detectors(accepted=False)
RARELY_REACHED = {"cascade": r"networks\.\d+\."}
"""Parameters that a few showers need not reach: a level learns where it divides something, and in
some rings none does. A quarter of them are reached all the same."""


def pair_id(pair: tuple[str, str]) -> str:
    return "-".join(pair)


def seeded(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def untrained(kind: str, showers: Showers) -> Trainable[Any]:
    """Return a model whose layers that start at zero are filled with noise, ready for a step."""
    model = build_model(tiny_settings(kind), showers.detector, seed=1)
    model.fit_transforms(showers)
    generator = seeded(3)
    for parameter in model.parameters():
        if not parameter.any():
            parameter.data = 0.05 * torch.randn(parameter.shape, generator=generator)
    return model.train()


@cache
def _untrained_once(kind: str, name: str) -> Trainable[Any]:
    return untrained(kind, showers_in(name))


def untrained_copy(kind: str, name: str) -> Trainable[Any]:
    """Return an untrained model of a detector that comes with calokit, fitted once for all tests."""
    return copy.deepcopy(_untrained_once(kind, name))


def losses_of(model: Trainable[Any], showers: Showers, seed: int, step: int = 0) -> dict[str, Tensor]:
    """Return the losses as the training loop asks for them."""
    batch = model.prepare(showers)
    model.begin_step(step, STEPS)
    generator = seeded(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return model.losses(batch, Draws(generator))


def answer(model: Trainable[Any], showers: Showers, seed: int = 1) -> dict[str, np.ndarray]:
    """Return what a model makes of incident particles, or of showers: arrays by name."""
    batch = model.prepare(showers)
    if isinstance(model, Surrogate):
        return {"showers": model.generate(batch.incidents, seeded(seed)).numpy()}
    assert isinstance(model, Reconstructor)
    return model.estimate(batch).columns()


def assert_same_bits(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(np.asarray(value), np.asarray(other[name]), err_msg=name)


def bits(model: nn.Module) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in model.state_dict().items()}


@dataclass(frozen=True)
class Runs:
    """A training from beginning to end, and the same one interrupted after two steps and continued."""

    whole: Bundle
    path: Path
    continued: Bundle


class InterruptedTrainingError(Exception):
    """Stands for whatever ends a training early."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Train a family on a detector, once a pair."""

    @cache
    def train(kind: str, name: str) -> Runs:
        folder, showers = tmp_path_factory.mktemp("runs"), showers_in(name)
        with ShowerWriter(folder / "showers.h5", showers.detector, "e+", "made up") as writer:
            writer.write(showers)
        training = TrainingSettings(
            steps=STEPS, batch_size=8, warmup_steps=1, validate_every=2, validation_showers=8,
            precision="float32", memory_format="contiguous",
        )  # fmt: skip
        recipe = Recipe(name="tiny", title="Tiny", model=tiny_settings(kind), training=training)
        whole = start_training(recipe, folder / "showers.h5", folder / "whole", silent)
        steps = iter(range(STEPS))

        def interrupt(count: int, note: str) -> None:
            if next(steps) == 2:
                raise InterruptedTrainingError

        with pytest.raises(InterruptedTrainingError):
            start_training(recipe, folder / "showers.h5", folder / "cut", calling(interrupt))
        continued = continue_training(folder / "cut", silent)
        return Runs(whole.bundle, whole.bundle_path, continued.bundle)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("calokit.training.loop.CHECKPOINT_SECONDS", -1.0)
        yield train


def test_every_family_has_a_tiny_variant() -> None:
    assert set(TINY_FAMILIES) == set(FAMILIES), "give a new family an entry in tests/tiny_families.py"


def test_every_family_accepts_a_detector_that_comes_with_calokit() -> None:
    assert {kind for kind, _ in ACCEPTED} == set(FAMILIES)


@pytest.mark.parametrize("pair", slow_where_large(ACCEPTED))
def test_losses_reach_every_parameter(pair: tuple[str, str]) -> None:
    """Every part takes a step sooner or later, and then each of its parameters has a finite gradient."""
    kind, name = pair
    showers = showers_in(name)
    model = untrained_copy(kind, name)
    parts = model.parts()
    moved: set[str] = set()
    stepped: set[str] = set()
    for step in range(STEPS):
        model.zero_grad()
        losses = losses_of(model, showers[:16], seed=step, step=step)
        assert losses
        assert set(losses) <= set(parts)
        assert all(loss.dim() == 0 and bool(torch.isfinite(loss)) for loss in losses.values())
        torch.stack(list(losses.values())).sum().backward()
        stepped |= set(losses)
        for part in losses:
            for parameter_name, parameter in parts[part].named_parameters():
                if parameter.grad is None:
                    continue
                assert bool(torch.isfinite(parameter.grad).all()), (part, parameter_name)
                if parameter.grad.any():
                    moved.add(f"{part}.{parameter_name}")
    assert stepped == set(parts)
    every = {f"{part}.{one}" for part, module in parts.items() for one, _ in module.named_parameters()}
    idle = {f"{part}.{one}" for part, module in parts.items() for one in taken_out_again(module)}
    rare = re.compile(RARELY_REACHED.get(kind, "$^"))
    assert {one for one in every - moved - idle if not rare.search(one)} == set()
    assert len(moved | idle) > len(every) / 4
    trained_parameters = {id(one) for module in parts.values() for one in module.parameters()}
    assert {id(one) for one in model.parameters()} == trained_parameters


def taken_out_again(part: nn.Module) -> Iterator[str]:
    """Yield the biases that a batch normalisation behind them takes out again: their gradient is none."""
    for name, module in part.named_modules():
        if isinstance(module, nn.Sequential):
            children = list(module.named_children())
            for (before, _), (_, after) in pairwise(children):
                if isinstance(after, _BatchNorm):
                    yield f"{name}.{before}.bias".removeprefix(".")


@pytest.mark.parametrize("pair", slow_where_large(ACCEPTED))
def test_the_same_seed_gives_the_same_losses(pair: tuple[str, str]) -> None:
    kind, name = pair
    showers = showers_in(name)
    one, two = untrained_copy(kind, name), untrained_copy(kind, name)
    for step in range(2):
        first, second = (losses_of(model, showers[:16], 7, step) for model in (one, two))
        assert_same_bits(
            {part: loss.detach() for part, loss in first.items()},
            {part: loss.detach() for part, loss in second.items()},
        )


@pytest.mark.parametrize("pair", slow_where_large(ACCEPTED))
def test_the_same_seed_gives_the_same_answer(trained: Any, pair: tuple[str, str]) -> None:
    runs, showers = trained(*pair), showers_in(pair[1])
    model = runs.whole.model
    assert not model.training
    assert_same_bits(answer(model, showers), answer(model, showers))
    if isinstance(model, Surrogate):
        assert (answer(model, showers)["showers"] != answer(model, showers, seed=2)["showers"]).any()
        few, many = answer(model, showers[:5])["showers"], answer(model, showers)["showers"]
        np.testing.assert_allclose(few, many[:5], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("pair", slow_where_large(ACCEPTED))
def test_interrupted_and_continued_ends_with_the_same_bits(trained: Any, pair: tuple[str, str]) -> None:
    runs = trained(*pair)
    assert_same_bits(bits(runs.whole.model), bits(runs.continued.model))
    assert runs.continued.provenance["steps"] == STEPS


@pytest.mark.parametrize("pair", slow_where_large(ACCEPTED))
def test_a_bundle_answers_as_the_model_it_was_written_from(trained: Any, pair: tuple[str, str]) -> None:
    runs, showers = trained(*pair), showers_in(pair[1])
    back = read_bundle(runs.path)
    assert (back.recipe, back.detector) == (runs.whole.recipe, runs.whole.detector)
    assert_same_bits(bits(back.model), bits(runs.whole.model))
    assert_same_bits(answer(back.model, showers), answer(runs.whole.model, showers))


@pytest.mark.parametrize("pair", slow_where_large(ACCEPTED))
def test_what_is_generated_keeps_its_promises(trained: Any, pair: tuple[str, str]) -> None:
    """Showers: no NaN, none below zero, none up to the threshold, no more energy than the particle has."""
    model, showers = trained(*pair).whole.model, showers_in(pair[1])
    for name, column in answer(model, showers).items():
        assert len(column) == len(showers), name
        assert np.isfinite(column).all(), name
    if isinstance(model, Surrogate):
        made = answer(model, showers)["showers"]
        assert made.dtype == np.float32
        assert made.shape == showers.energies.shape
        assert bool((made > 0).any())
        assert not ((made != 0) & (made <= np.float32(model.threshold_mev))).any()
        visible = made.sum(axis=1, dtype=np.float64)
        assert (visible <= showers.incident_energies * (1 + 1e-5)).all()


@pytest.mark.parametrize("pair", slow_where_large(GENERATING))
def test_showers_are_a_pure_map_of_particles_and_noise(trained: Any, pair: tuple[str, str]) -> None:
    """What `generate` draws is what `noise` asks for; of that and the particles alone follow the showers."""
    model = trained(*pair).whole.model
    assert isinstance(model, Surrogate)
    incidents = model.prepare(showers_in(pair[1])[:20]).incidents
    noise = Draws(seeded()).noise(model.noise(), len(incidents))
    with torch.no_grad():
        torch.manual_seed(1)
        made = model.showers(incidents, noise)
        torch.manual_seed(2)
        again = model.showers(incidents, noise)
        written = np.zeros(made.shape, np.float32)
        model.write_showers(incidents, noise, written)
    assert torch.equal(made, again)
    assert np.array_equal(made.numpy(), written)
    assert torch.equal(made, model.generate(incidents, seeded()))
    some = torch.arange(0, len(incidents), 3)
    with torch.no_grad():
        few = model.showers(incidents[some], {name: one[some] for name, one in noise.items()})
    torch.testing.assert_close(few, made[some], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("pair", REFUSED, ids=pair_id)
def test_a_detector_that_does_not_fit_is_refused(pair: tuple[str, str]) -> None:
    kind, name = pair
    with pytest.raises(ConfigurationError, match=f"kind '{kind}' needs .* detector '{name}' is read out as"):
        build_model(tiny_settings(kind), load_detector(name), seed=1)


@strategies.composite
def any_detector(draw: strategies.DrawFn) -> Detector:
    """A detector of one or two sections, rows and columns or rings, with and without slabs."""

    def section(name: str) -> dict[str, Any]:
        layers = draw(strategies.sampled_from([1, 2, 3, 4, 8, 9]))
        sides = strategies.sampled_from([1, 2, 3, 5, 8, 9, 20])
        if draw(strategies.integers(0, 4)) == 0:
            readout = {"kind": "cylindrical", "phi_bins": draw(sides), "r_bins": draw(sides), "dr_mm": 5.0}
        else:
            readout = {
                "kind": "cartesian", "rows": draw(sides), "columns": draw(sides), "row_pitch_mm": 10.0,
                "column_pitch_mm": draw(strategies.sampled_from([5.0, 10.0])),
            }  # fmt: skip
        if draw(strategies.integers(0, 4)) == 0:
            return {"name": name, "readout": readout, "layers": layers}
        slab = {"material": "G4_Si", "thickness_mm": 1.0, "sensitive": True}
        return {"name": name, "readout": readout, "repeats": layers, "slabs": [slab]}

    sections = [section(name) for name in "AB"[: draw(strategies.sampled_from([1, 1, 1, 2]))]]
    return Detector.from_mapping({"name": "drawn", "title": "Drawn", "sections": sections}, "test")


@pytest.mark.parametrize("kind", FAMILIES)
@examples(max_examples=15, deadline=None, derandomize=True)
@given(detector=any_detector())
def test_any_detector_trains_or_is_refused(kind: str, detector: Detector) -> None:
    """Never an error of torch: what a family does not refuse, it computes a loss for and answers."""
    settings = tiny_settings(kind)
    if settings.misfit(detector) is not None:
        with pytest.raises(ConfigurationError, match=kind):
            build_model(settings, detector, seed=1)
        return
    showers = make_showers_in(detector, 100)
    model = untrained(kind, showers)
    losses = losses_of(model, showers[:6], seed=1)
    assert all(bool(torch.isfinite(loss)) for loss in losses.values())
    assert all(np.isfinite(column).all() for column in answer(model.eval(), showers[:6]).values())
