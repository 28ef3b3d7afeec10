"""Compiled loops draw the showers that torch draws, to rounding."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pytest
import torch

from calokit.compute.draws import Noise, draw_noise
from calokit.detector import load_detector
from calokit.inference import read_bundle
from calokit.models.batches import IncidentTensors, TrainingBatch
from calokit.models.cascade.compiled import availability
from calokit.models.cascade.compiled.availability import compiled_drawing, numba_compiles
from calokit.models.cascade.drawing import CascadeDrawing
from calokit.models.cascade.settings import PARTS
from calokit.models.cascade.surrogate import CascadeSurrogate
from models.cascade.test_cascade_surrogate import SMALL, THIN, detector_of, made_up, shaken
from tiny_families import slow_detectors

ZOO = Path(__file__).resolve().parents[3] / "zoo"
CLOSE = 1e-5

with_numba = pytest.mark.skipif(not numba_compiles(), reason="numba is not installed")


def incidents_and_keys(
    model: CascadeSurrogate, name: str, events: int
) -> tuple[IncidentTensors, torch.Tensor]:
    incidents = TrainingBatch.of(made_up(detector_of(name), events, seed=5)).incidents
    return incidents, draw_noise(Noise("key"), events, torch.Generator().manual_seed(1))[:, 0]


def compare(
    model: CascadeSurrogate,
    incidents: IncidentTensors,
    keys: torch.Tensor,
    least: float,
    near: float = 0.9995,
) -> None:
    """Draw by both and compare hits and energies; a rounding may decide a hit or a term now and then.

    The loops keep more digits within a draw than torch does, so that torch's rounding is not theirs: where
    weights made up at random enlarge it, fewer cells (`near`) have to agree to `CLOSE`.
    """
    drawing = compiled_drawing(model)
    assert drawing is not None
    with torch.inference_mode():
        one, two = (some.showers(incidents, keys) for some in (drawing, CascadeDrawing(model)))
    assert one.dtype == two.dtype
    same = torch.isclose(one, two, rtol=1e-3, atol=0.0).all(1)
    assert float(same.float().mean()) >= least
    assert torch.allclose(one.sum(1), two.sum(1), rtol=1e-4)
    close = (one - two).abs() <= CLOSE * two + CLOSE * model.threshold_mev
    assert float(close[same].float().mean()) > near


@with_numba
@pytest.mark.parametrize(
    "name",
    [
        "zdc_ecal",
        pytest.param("par04_siw", marks=pytest.mark.slow),
        THIN,
        *slow_detectors(["calochallenge_1_photons", "zdc_ecal_hcal"]),
    ],
)
def test_any_detector_gives_the_same_showers(name: str) -> None:
    model = shaken(detector_of(name))
    near = 0.999 if name == "calochallenge_1_photons" else 0.9995
    compare(model, *incidents_and_keys(model, name, 60), least=0.98, near=near)


@with_numba
@pytest.mark.parametrize("part", PARTS)
def test_whatever_a_box_may_look_at(part: str) -> None:
    settings = SMALL.model_copy(update={"parts": tuple(name for name in PARTS if name != part), "layers": 1})
    model = shaken(load_detector("calochallenge_1_photons"), settings)
    compare(model, *incidents_and_keys(model, "calochallenge_1_photons", 20), least=0.95)


@with_numba
def test_a_shipped_bundle_gives_the_same_showers() -> None:
    model = read_bundle(ZOO / "zdc_cascade.calokit").model
    assert isinstance(model, CascadeSurrogate)
    generator = torch.Generator().manual_seed(3)
    events = 1500
    energies = torch.exp(torch.empty(events).uniform_(9.3, 11.4, generator=generator))
    positions = torch.empty(events, 2).uniform_(-10, 10, generator=generator)
    keys = draw_noise(Noise("key"), events, generator)[:, 0]
    compare(model, IncidentTensors(energies, positions, torch.zeros(events, 2)), keys, least=0.999)


@with_numba
def test_changed_weights_are_seen() -> None:
    model = shaken(load_detector("zdc_ecal"))
    incidents, keys = incidents_and_keys(model, "zdc_ecal", 20)
    before = model.showers(incidents, {"key": keys[:, None]})
    drawing = compiled_drawing(model)
    assert compiled_drawing(model) is drawing
    with torch.no_grad():
        next(model.stages[0].parameters()).mul_(2.0)
    assert not torch.equal(before, model.showers(incidents, {"key": keys[:, None]}))
    compare(model, incidents, keys, least=0.95, near=0.999)


@with_numba
def test_replaced_tensors_are_seen_and_bundles_read_in_inference_mode_generate() -> None:
    model = shaken(load_detector("zdc_ecal"))
    incidents, keys = incidents_and_keys(model, "zdc_ecal", 20)
    before = model.showers(incidents, {"key": keys[:, None]})
    model.threshold = 2 * model.threshold
    after = model.showers(incidents, {"key": keys[:, None]})
    assert float(after[after > 0].min()) >= 2 * float(before[before > 0].min())
    with torch.inference_mode():
        read = read_bundle(ZOO / "zdc_cascade.calokit").model
    assert isinstance(read, CascadeSurrogate)
    assert len(read.showers(incidents, {"key": keys[:, None]})) == 20


@with_numba
def test_showers_in_bfloat16_do_not_change_those_after_them() -> None:
    drawn = []
    for first in (None, torch.bfloat16):
        model = shaken(load_detector("zdc_ecal"))
        incidents, keys = incidents_and_keys(model, "zdc_ecal", 50)
        if first is not None:
            with torch.autocast("cpu", first):
                model.showers(incidents, {"key": keys[:, None]})
        drawn.append(model.showers(incidents, {"key": keys[:, None]}))
    assert torch.equal(*drawn)


@with_numba
def test_a_cascade_that_drew_is_forgotten_with_its_last_name() -> None:
    model = shaken(load_detector("zdc_ecal"))
    incidents, keys = incidents_and_keys(model, "zdc_ecal", 2)
    model.showers(incidents, {"key": keys[:, None]})
    known = weakref.ref(model)
    del model
    gc.collect()
    assert known() is None


@with_numba
def test_threads_do_not_change_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    model = shaken(load_detector("zdc_ecal"))
    incidents, keys = incidents_and_keys(model, "zdc_ecal", 700)
    alone = model.showers(incidents, {"key": keys[:, None]})
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    assert torch.equal(alone, model.showers(incidents, {"key": keys[:, None]}))


def test_without_numba_torch_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(availability, "numba_compiles", lambda: False)
    model = shaken(load_detector("zdc_ecal"))
    incidents, keys = incidents_and_keys(model, "zdc_ecal", 20)
    assert compiled_drawing(model) is None
    drawn = model.showers(incidents, {"key": keys[:, None]})
    with torch.inference_mode():
        assert torch.equal(drawn, CascadeDrawing(model).showers(incidents, keys))
