"""Several particles: the matching, the measurement, and a network that learns to tell two from one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.overlay import overlay_showers
from calokit.detector import Detector, load_detector
from calokit.errors import CalokitError, ConfigurationError
from calokit.evaluation.estimates.several import ParticleErrors
from calokit.models.estimators.particles import ParticlesReconstructor
from calokit.models.estimators.settings import ParticlesSettings
from calokit.recipes import load_recipe
from calokit.showers import Showers, ShowerWriter, open_showers
from calokit.training.run import start_training
from made_up_positrons import made_up_positrons
from made_up_runs import draws, silent

TINY = ParticlesSettings(channels=8, blocks=1, most=3)


@pytest.fixture(scope="module")
def luxe() -> Detector:
    return load_detector("luxe_ecal")


@pytest.fixture(scope="module")
def events(luxe: Detector) -> Showers:
    return overlay_showers(made_up_positrons(luxe, 150, 1), 200, (1, 3), 40, np.random.default_rng(2))


def test_the_loss_does_not_know_the_order(luxe: Detector, events: Showers) -> None:
    torch.manual_seed(1)
    model = ParticlesReconstructor(TINY, luxe).eval()
    model.fit_transforms(events)
    batch = model.prepare(events[:32])
    turned = batch.particles.flip(1)
    other = type(batch)(**{**{n: getattr(batch, n) for n in batch.__dataclass_fields__}, "particles": turned})
    one, two = (model.losses(b, draws())["particles"].item() for b in (batch, other))
    assert one == pytest.approx(two, rel=1e-5)


def test_the_matching_is_the_best_of_all(luxe: Detector, events: Showers) -> None:
    torch.manual_seed(2)
    model = ParticlesReconstructor(TINY, luxe).eval()
    model.fit_transforms(events)
    batch = model.prepare(events[:20])
    with torch.no_grad():
        proposed = model._propose(batch)
        event, row, particle = model._match(*proposed, batch)
    counts = (batch.particles[..., 0] > 0).sum(dim=1)
    assert torch.bincount(event, minlength=20).tolist() == counts.tolist()
    assert len({(e, r) for e, r in zip(event.tolist(), row.tolist(), strict=True)}) == len(event)
    x = torch.from_numpy(model.grid.x_mm(np.arange(110)))[row]
    assert float((x - batch.particles[event, particle, 1]).abs().max()) < 6 * 5.0


def test_events_without_particles_columns_are_refused(luxe: Detector) -> None:
    with pytest.raises(ConfigurationError, match="tell all their particles"):
        ParticlesReconstructor(TINY, luxe).fit_transforms(made_up_positrons(luxe, 5, 1))


def test_too_many_particles_are_refused(luxe: Detector, events: Showers) -> None:
    with pytest.raises(ConfigurationError, match=r"up to 3 particles; raise model.most from 2"):
        ParticlesReconstructor(ParticlesSettings(most=2), luxe).fit_transforms(events)


def test_errors_of_particles_by_hand() -> None:
    true = np.array([[4000.0, 1000.0], [2000.0, 0.0]])
    places = np.array([[[0.0, 0.0], [50.0, 1.0]], [[-20.0, 0.0], [0.0, 0.0]]])
    found = np.array([[1000.0, 4200.0, 0.0], [2000.0, 700.0, 0.0]])
    at = np.array([[[52.0, 1.0], [0.0, 0.0], [0, 0]], [[-20.0, 3.0], [100.0, 0.0], [0, 0]]])
    result = ParticleErrors.of(found, at, true, places)
    assert result.right_count[0] == 0.5
    assert result.found[0] == 1.0
    assert result.fake[0] == 0.25
    assert result.confusion.tolist() == [[0, 0, 0], [0, 0, 1], [0, 0, 1]]
    assert result.energy[0] == pytest.approx(0.1 / np.sqrt(3))
    assert result.position[0][0] == pytest.approx(2 / np.sqrt(3))
    assert result.position[1][0] == pytest.approx(3 / np.sqrt(3))
    with pytest.raises(CalokitError, match="no events"):
        ParticleErrors.of(found[:0], at[:0], true[:0], places[:0])


@pytest.mark.slow
def test_a_network_learns_to_count(luxe: Detector, tmp_path: Path) -> None:
    showers = made_up_positrons(luxe, 600, 3)
    rng = np.random.default_rng(4)
    path = tmp_path / "several.h5"
    with ShowerWriter(path, luxe, "e+", "made up", {"split": "train"}, compression=1) as writer:
        for _ in range(6):
            writer.write(overlay_showers(showers, 500, (1, 2), 40, rng))
    changes = ["model.channels=16", "model.blocks=2", "model.most=2", "training.steps=250"]
    recipe = load_recipe(
        "luxe_particles", [*changes, "training.warmup_steps=10", "training.moving_average=0.97"]
    )
    bundle = start_training(recipe, path, tmp_path / "run", silent).bundle
    from calokit.inference import reconstruct_showers

    view = open_showers(path, "validation")
    made = reconstruct_showers(bundle, view).columns
    true = view.read_all().particles
    assert true is not None
    errors = ParticleErrors.of(
        made["particle_energy"], made["particle_position"], true.energies, true.positions
    )
    assert errors.right_count[0] > 0.8
    assert errors.position[0][0] < 6.0
