"""The cascade as a surrogate: what is drawn is possible, and the likelihood knows it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from calokit.compute.draws import Draws, Noise, draw_noise
from calokit.config import Description
from calokit.detector import Detector, list_detectors, load_detector
from calokit.errors import ConfigurationError, RunError
from calokit.models.batches import TrainingBatch
from calokit.models.cascade.boxes import Rows
from calokit.models.cascade.compiled import availability
from calokit.models.cascade.drawing import CascadeDrawing
from calokit.models.cascade.settings import PARTS, CascadeSettings
from calokit.models.cascade.sight import Scene
from calokit.models.cascade.stage import Stage
from calokit.models.cascade.surrogate import CascadeSurrogate
from calokit.models.cascade.totals import FARTHEST
from calokit.showers import Showers
from tiny_families import slow_detectors

DETECTORS = [name if isinstance(name, str) else name.name for name in list_detectors()]
SMALL = CascadeSettings(width=16, totals_width=16, near_threshold=True, deviations=True)


THIN = "par04_siw of 9 layers"


def detector_of(name: str) -> Detector:
    """Return a detector that comes with calokit, or the Par04 with a fifth of its layers."""
    if name != THIN:
        return load_detector(name)
    whole = load_detector("par04_siw")
    return whole.model_copy(update={"sections": (whole.sections[0].model_copy(update={"repeats": 18}),)})


def made_up(detector: Detector, events: int, seed: int = 1, conditions: bool = True) -> Showers:
    """Sparse showers about an impact, with directions."""
    rng = np.random.default_rng(seed)
    cells = detector.cells
    incident = np.exp(rng.uniform(np.log(1e3), np.log(1e5), events)).astype(np.float32)
    positions = rng.uniform(-20, 20, (events, 2)).astype(np.float32)
    slopes = rng.normal(0, 0.05, (events, 2))
    directions = np.column_stack([slopes, np.ones(events)])
    directions = (directions / np.linalg.norm(directions, axis=1, keepdims=True)).astype(np.float32)
    distance = np.hypot(cells.x - positions[:, :1], cells.y - positions[:, 1:])
    weight = np.exp(-distance / 30) * rng.gamma(0.3, size=distance.shape) * np.exp(-cells.layer / 10)
    visible = 0.2 * incident * rng.normal(1.0, 0.03, events)
    energies = visible[:, None] * weight / weight.sum(1, keepdims=True)
    energies[energies < 0.05] = 0
    energies[0] = 0
    return Showers(
        energies.astype(np.float32),
        incident,
        detector,
        positions if conditions else None,
        directions if conditions else None,
    )


def shaken(detector: Detector, settings: Description = SMALL, conditions: bool = True) -> CascadeSurrogate:
    """A cascade with random weights large enough that everything a box sees matters."""
    torch.manual_seed(3)
    assert isinstance(settings, CascadeSettings)
    model = CascadeSurrogate(settings, detector)
    model.fit_transforms(made_up(detector, 64, conditions=conditions))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "head" in name and parameter.dim() == 2:
                parameter.mul_(5.0)
    return model.eval()


@pytest.mark.parametrize("name", slow_detectors(DETECTORS))
def test_any_detector_gives_possible_showers_of_finite_likelihood(name: str) -> None:
    detector = load_detector(name)
    model = shaken(detector)
    events = 8
    incidents = TrainingBatch.of(made_up(detector, events, seed=5)).incidents
    drawn = model.generate(incidents, torch.Generator().manual_seed(1))
    assert drawn.shape == (events, detector.number_of_cells)
    assert drawn.dtype == torch.float32
    seen = model.seen(drawn)
    full = seen > 1e-4 * model.threshold_mev
    assert bool((seen[full] > (1 - 1e-5) * model.threshold_mev).all())
    likelihood = model.log_likelihood(TrainingBatch(incidents, drawn))
    assert bool(torch.isfinite(likelihood).all())
    assert bool(torch.isfinite(model.log_likelihood(TrainingBatch.of(made_up(detector, 8, seed=9)))).all())


@pytest.mark.parametrize(
    "name", slow_detectors(["zdc_ecal", "par04_siw", "calochallenge_1_photons", "zdc_ecal_hcal"])
)
def test_energy_and_hits_are_handed_down_whole(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = load_detector(name)
    model = shaken(detector)
    roots: list[tuple[torch.Tensor, torch.Tensor]] = []
    draw = model.totals.draw

    def remember(*arguments: object) -> tuple[torch.Tensor, torch.Tensor]:
        found = draw(*arguments)  # type: ignore[arg-type]
        roots.append(found)
        return found

    monkeypatch.setattr(model.totals, "draw", remember)
    incidents = TrainingBatch.of(made_up(detector, 40, seed=5)).incidents
    drawn = model.generate(incidents, torch.Generator().manual_seed(1))
    visible, hits = (torch.cat(one) for one in zip(*roots, strict=True))
    seen = model.seen(drawn)
    assert torch.equal((seen > 0.5 * model.threshold_mev).sum(1).float(), hits)
    assert torch.allclose(seen.double().sum(1), visible.double(), rtol=2e-5)


@pytest.mark.parametrize(
    "name",
    [
        "zdc_ecal",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("luxe_ecal", "par04_siw")),
        THIN,
        "calochallenge_1_photons",
    ],
)
def test_drawing_sees_what_training_sees(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Boxes are drawn layer by layer and colour by colour, and trained all at once: the inputs must agree."""
    detector = detector_of(name)
    model = shaken(detector)
    events = 6
    seen: list[tuple[Stage, torch.Tensor, torch.Tensor]] = []
    see = Stage.see

    def remember(stage: Stage, scene: Scene, rows: Rows) -> torch.Tensor:
        found = see(stage, scene, rows)
        seen.append((stage, rows.place, found))
        return found

    monkeypatch.setattr(Stage, "see", remember)
    monkeypatch.setattr(availability, "numba_compiles", lambda: False)
    incidents = TrainingBatch.of(made_up(detector, events, seed=5)).incidents
    drawn = model.generate(incidents, torch.Generator().manual_seed(1))
    while_drawing, seen[:] = list(seen), []
    model.log_likelihood(TrainingBatch(incidents, drawn))
    for stage, places, inputs in seen:
        order = places.argsort()
        mine = [(place, found) for one, place, found in while_drawing if one is stage]
        again = torch.cat([found for _, found in mine])
        assert len(again) == len(inputs)
        if stage is model.depth or model.tree.layers == 1:
            place = torch.cat([one for one, _ in mine])
            assert torch.equal(place.sort().values, places[order])
            assert torch.allclose(again[place.argsort()], inputs[order], atol=2e-3)
        else:  # blocks are numbered anew in each layer: compare as sets, by sums
            assert torch.allclose(again.double().sum(0), inputs.double().sum(0), rtol=1e-4, atol=1e-2)
            assert torch.allclose(
                again.double().square().sum(0), inputs.double().square().sum(0), rtol=1e-3, atol=1e-2
            )


def test_a_shower_follows_from_its_key_alone() -> None:
    detector = load_detector("zdc_ecal")
    model = shaken(detector)
    incidents = TrainingBatch.of(made_up(detector, 50, seed=5)).incidents
    keys = draw_noise(Noise("key"), 50, torch.Generator().manual_seed(1))
    together = model.showers(incidents, {"key": keys})
    alone = torch.cat([model.showers(incidents[i : i + 1], {"key": keys[i : i + 1]}) for i in range(8)])
    same = torch.isclose(together[:8], alone, rtol=1e-4).float().mean()
    assert same > 0.99  # a matrix product of another size may round another way
    assert torch.equal(together, model.showers(incidents, {"key": keys}))


def test_conditions_that_the_showers_lack_are_left_out() -> None:
    detector = load_detector("zdc_ecal")
    assert shaken(detector).conditions == ("energy", "position", "direction")
    model = shaken(detector, conditions=False)
    assert model.conditions == ("energy",)
    incidents = TrainingBatch.of(made_up(detector, 4, conditions=False)).incidents
    assert len(model.generate(incidents, torch.Generator().manual_seed(1))) == 4


@pytest.mark.parametrize("part", PARTS)
def test_every_part_can_be_left_out(part: str) -> None:
    settings = SMALL.model_copy(update={"parts": tuple(name for name in PARTS if name != part)})
    detector = load_detector("calochallenge_1_photons")
    model = shaken(detector, settings)
    batch = TrainingBatch.of(made_up(detector, 8))
    assert torch.isfinite(model.log_likelihood(batch)).all()
    assert len(model.generate(batch.incidents, torch.Generator().manual_seed(1))) == 8


@pytest.mark.parametrize("name", ["zdc_ecal", "par04_siw"])
def test_images_of_showers_are_as_likely_to_a_symmetric_eye(name: str) -> None:
    """Totals and hits do not change in a mirror, and the impact moves with its shower."""
    detector = load_detector(name)
    model = shaken(detector)
    batch = TrainingBatch.of(made_up(detector, 64))
    which = torch.arange(64) % len(model.images)
    moved = model.images.move(batch, which)
    assert torch.allclose(moved.energies.sort(1).values, batch.energies.sort(1).values)
    assert batch.incidents.positions is not None
    assert moved.incidents.positions is not None
    x, y = (torch.from_numpy(np.array(one)).float() for one in (detector.cells.x, detector.cells.y))
    for shower in range(1, 64):
        for image in (batch, moved):
            assert image.incidents.positions is not None
        old = torch.stack([x, y], 1) - batch.incidents.positions[shower]
        new = torch.stack([x, y], 1) - moved.incidents.positions[shower]
        before = (batch.energies[shower] * old.norm(dim=1)).sum()
        after = (moved.energies[shower] * new.norm(dim=1)).sum()
        assert torch.isclose(before, after, rtol=1e-4)


def test_training_raises_the_likelihood() -> None:
    detector = load_detector("zdc_ecal")
    torch.manual_seed(1)
    model = CascadeSurrogate(SMALL, detector)
    batch = TrainingBatch.of(made_up(detector, 128))
    model.fit_transforms(made_up(detector, 128))
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    draws = Draws(torch.Generator().manual_seed(1))

    def validate() -> float:
        with torch.no_grad():
            return sum(float(loss) for loss in model.eval().validation_losses(batch, draws).values())

    before = validate()
    model.train()
    for _ in range(20):
        optimiser.zero_grad()
        loss = torch.stack(list(model.losses(batch, draws).values())).sum()
        loss.backward()
        optimiser.step()
    assert validate() < before - 5.0


def test_a_single_cell_and_a_threshold_above_all_cells() -> None:
    whole = load_detector("zdc_ecal").to_mapping()
    whole["sections"][0]["readout"] |= {"rows": 1, "columns": 1}
    one = Detector.from_mapping(whole, "one")
    showers = made_up(one, 40)
    model = CascadeSurrogate(SMALL, one)
    model.fit_transforms(showers)
    batch = TrainingBatch.of(showers)
    losses = model.losses(batch, Draws(torch.Generator()))
    assert list(losses) == list(model.parts()) == ["totals"]
    losses["totals"].backward()
    drawn = model.generate(batch.incidents, torch.Generator().manual_seed(1))
    assert bool((drawn > 0).any())
    blind = CascadeSurrogate(SMALL.model_copy(update={"threshold_mev": 1e6}), one)
    with pytest.raises(ConfigurationError, match="no cell of the training showers is above the threshold"):
        blind.fit_transforms(showers)


def test_showers_completed_in_pieces_are_those_of_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = load_detector("calochallenge_1_photons")
    model, batch = shaken(detector), TrainingBatch.of(made_up(detector, 12))
    keys = draw_noise(Noise("key"), 12, torch.Generator().manual_seed(1))[:, 0]
    whole = model.complete(batch, keys, 2)
    monkeypatch.setattr(CascadeDrawing, "_chunks", lambda self, events: [slice(0, 5), slice(5, events)])
    pieces = model.complete(batch, keys, 2)
    assert torch.equal(whole > 0, pieces > 0)
    assert torch.allclose(whole, pieces, rtol=1e-4)


def test_boxes_that_are_told_of_deviations_begin_as_those_that_are_not() -> None:
    detector = load_detector("par04_siw")
    untold = SMALL.model_copy(update={"deviations": False})
    before, after = shaken(detector, untold), CascadeSurrogate(SMALL, detector).eval()
    weights = before.state_dict()
    after.load_state_dict(weights | after.adapt_start(dict(weights)))
    batch = TrainingBatch.of(made_up(detector, 6, seed=9))
    torch.testing.assert_close(
        after.log_likelihood(batch), before.log_likelihood(batch), rtol=1e-5, atol=1e-3
    )
    with pytest.raises(RunError, match=r"--set model\.deviations=true"):
        before.adapt_start(dict(after.state_dict()))


def test_a_bundle_of_other_conditions_is_not_taken_for_one_that_is_told_of_deviations() -> None:
    detector = load_detector("par04_siw")
    untold = SMALL.model_copy(update={"deviations": False})
    wide = CascadeSurrogate(untold, detector)
    narrow = CascadeSurrogate(untold.model_copy(update={"conditions": ("energy", "position")}), detector)
    weights = wide.state_dict()
    name = "stages.0.networks.0.trunk.0.weight"
    assert weights[name].shape[1] - narrow.state_dict()[name].shape[1] == 2
    assert narrow.adapt_start(dict(weights))[name].shape == weights[name].shape


def test_deviations_are_of_order_one_whatever_the_energy() -> None:
    detector = load_detector("lhcb_ecal")
    model, showers = shaken(detector), made_up(detector, 200, seed=9)
    batch = TrainingBatch.of(showers)
    cells = model.cells_of(batch)
    told = model.facts(batch.incidents, cells.visible, cells.count).features[:, -2:].numpy()
    full = showers.visible_energies > 0
    assert np.isfinite(told).all()
    assert np.abs(told).max() <= FARTHEST
    energies = np.log(showers.incident_energies[full])
    for column in told[full].T:
        assert 0.5 < np.std(column) < 2
        assert abs(np.corrcoef(column, energies)[0, 1]) < 0.3
    more = cells.visible * 1.001
    moved = model.facts(batch.incidents, more, cells.count).features[:, -2:].numpy() - told
    assert (moved[full, 0] >= 0).all()
    assert (moved[full, 1] <= 0).all()
    assert np.median(moved[full, 0]) > 0 > np.median(moved[full, 1])
