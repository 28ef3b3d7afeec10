"""Compiled loops find how the boxes of given showers were cut as torch does, to rounding."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from calokit.detector import Detector, load_detector
from calokit.models.batches import TrainingBatch
from calokit.models.cascade.compiled import availability
from calokit.models.cascade.compiled.availability import compiled_cuts, compiled_drawing, numba_compiles
from calokit.models.cascade.settings import PARTS
from calokit.models.cascade.stage import Cuts, Stage
from calokit.models.cascade.surrogate import CascadeSurrogate
from models.cascade.test_cascade_surrogate import SMALL, made_up, shaken
from tiny_families import slow_detectors

pytestmark = pytest.mark.skipif(not numba_compiles(), reason="numba is not installed")

CLOSE = 1e-5
DETECTORS = ["zdc_ecal", "par04_siw", "calochallenge_1_photons"]


def sections() -> Detector:
    """Return a detector of two sections, both of cells."""
    detector = load_detector("zdc_ecal_hcal")
    return detector.model_copy(
        update={"sections": tuple(one.model_copy(update={"tiles": None}) for one in detector.sections)}
    )


def both_ways(model: CascadeSurrogate, detector: Detector) -> Iterator[tuple[Cuts, Cuts]]:
    """Yield what loops and torch find, rows in the same order."""
    batch = TrainingBatch.of(made_up(detector, 20, seed=5))
    cells = model.cells_of(batch)
    facts = model.facts(batch.incidents, cells.visible, cells.count)
    assert compiled_cuts(model) is not None
    found = dict(model.cuts(facts, cells))
    for stage, scene in model.scenes(facts, cells):
        yield sorted_rows(stage, found[stage]), sorted_rows(stage, stage.cuts(scene))


def sorted_rows(stage: Stage, cuts: Cuts) -> Cuts:
    """Return the same with the rows in the order of boxes and blocks."""
    order = cuts.rows.place.argsort()
    rows = cuts.rows[order]
    back = torch.empty_like(order)
    back[order] = torch.arange(len(order))
    energy = torch.ones(len(order))
    energy[back[cuts.both]] = cuts.share.energy
    one, two = energy.clone(), energy.clone()
    one[back[cuts.both]], two[back[cuts.both]] = cuts.first, cuts.second
    return stage.cuts_of(rows, cuts.seen[order], energy, cuts.choice.hits[order], cuts.taken[order], one, two)


def compare(model: CascadeSurrogate, detector: Detector) -> None:
    boxes = 0
    for loops, plain in both_ways(model, detector):
        assert loops.rows.blocks == plain.rows.blocks
        for one, two in (
            (loops.rows.place, plain.rows.place),
            (loops.both, plain.both),
            (loops.taken, plain.taken),
            (loops.choice.hits, plain.choice.hits),
        ):
            assert torch.equal(one, two)
        # torch's widths are roots of differences of large numbers in single precision
        off = (loops.seen - plain.seen).abs()
        assert float((off > CLOSE + CLOSE * plain.seen.abs()).float().mean()) < 0.02
        assert float(off.max()) < 0.2
        assert torch.allclose(loops.first, plain.first, rtol=1e-5)
        assert torch.allclose(loops.second, plain.second, rtol=1e-5)
        boxes += len(plain.rows)
    assert boxes > 100


@pytest.mark.parametrize("name", slow_detectors(DETECTORS))
def test_any_detector(name: str) -> None:
    detector = load_detector(name)
    compare(shaken(detector), detector)


@pytest.mark.slow
def test_sections_of_other_cells() -> None:
    detector = sections()
    compare(shaken(detector), detector)


def test_layers_of_staggered_tiles_are_left_to_torch() -> None:
    model = shaken(load_detector("zdc_ecal_hcal"))
    assert compiled_cuts(model) is None
    assert compiled_drawing(model) is not None


@pytest.mark.parametrize("part", PARTS)
def test_whatever_a_box_may_look_at(part: str) -> None:
    settings = SMALL.model_copy(update={"parts": tuple(name for name in PARTS if name != part)})
    detector = load_detector("calochallenge_1_photons")
    compare(shaken(detector, settings), detector)


def test_threads_do_not_change_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = load_detector("calochallenge_1_photons")
    model = shaken(detector)
    alone = [loops for loops, _ in both_ways(model, detector)]
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    for one, (other, _) in zip(alone, both_ways(model, detector), strict=True):
        assert torch.equal(one.seen, other.seen)
        assert torch.equal(one.rows.place, other.rows.place)


def test_showers_without_hits() -> None:
    detector = load_detector("par04_siw")
    model = shaken(detector)
    batch = TrainingBatch.of(made_up(detector, 3))
    batch.energies.zero_()
    assert bool(torch.isfinite(model.log_likelihood(batch)).all())


def test_training_without_numba_takes_the_same_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = load_detector("calochallenge_1_photons")
    model = shaken(detector)
    batch = TrainingBatch.of(made_up(detector, 20, seed=5))

    def gradients() -> list[torch.Tensor]:
        model.zero_grad()
        sum(model.losses(batch, None).values()).backward()  # type: ignore[arg-type,union-attr]
        return [one.grad.clone() for one in model.parameters() if one.grad is not None]

    loops = gradients()
    monkeypatch.setattr(availability, "numba_compiles", lambda: False)
    assert compiled_cuts(model) is None
    for one, two in zip(loops, gradients(), strict=True):
        assert float((one - two).abs().max()) <= 1e-3 * float(two.abs().max()) + 1e-6
