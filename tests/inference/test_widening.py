"""Uncertainties of a likelihood, made as wide as showers whose truth is known say."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

import calokit
from calokit.errors import ConditionWarning
from calokit.inference import read_bundle, reconstruct_showers
from calokit.inference.reconstruct import write_reconstruction
from calokit.inference.widening import KNOWN_SHOWERS, PIECES, Widening, pick_known
from calokit.progress import no_progress
from calokit.showers import Incidents, open_showers
from made_up_runs import MakeFile

HOME = Path(__file__).parents[2]
EVENTS = 20_000


def test_widths_become_those_of_the_errors() -> None:
    rng = np.random.default_rng(1)
    slopes = rng.normal(0, 0.1, (EVENTS, 2))
    energies, places = rng.uniform(1e3, 1e4, EVENTS), rng.normal(0, 10, (EVENTS, 2))
    truth = Incidents(energies.astype(np.float32), places.astype(np.float32), _unit(slopes))
    angles = np.arctan(slopes) + rng.normal(0, [0.02, 0.03], (EVENTS, 2))
    columns = {
        "energy": rng.normal(energies, 300.0),
        "energy_uncertainty": np.full(EVENTS, 200.0),
        "position": rng.normal(places, [1.0, 2.0]),
        "position_uncertainty": np.ones((EVENTS, 2)),
        "direction": _unit(np.tan(angles)),
        "direction_uncertainty": np.full((EVENTS, 2), 0.01),
    }
    found = Widening.measure(columns, truth)
    assert found.factors["energy"] == pytest.approx(1.5, rel=0.03)
    assert found.factors["position"] == pytest.approx([1.0, 2.0], rel=0.03)
    assert found.factors["direction"] == pytest.approx([2.0, 3.0], rel=0.03)
    wider = found.apply(columns)
    assert set(wider) == set(columns)
    assert np.array_equal(wider["position"], columns["position"])
    inside = np.abs(wider["position"] - places) <= wider["position_uncertainty"]
    assert inside.mean(0) == pytest.approx([0.6827, 0.6827], abs=0.001)


def test_what_is_not_known_keeps_its_width() -> None:
    columns = {"position": np.zeros((100, 2)), "position_uncertainty": np.ones((100, 2))}
    found = Widening.measure(columns, Incidents(np.ones(100, np.float32), None, None))
    assert not found.factors
    assert np.array_equal(found.apply(columns)["position_uncertainty"], columns["position_uncertainty"])


def test_a_width_of_nothing_is_no_division_by_nothing() -> None:
    columns = {"energy": np.r_[np.full(50, 2.0), np.full(50, 1.0)], "energy_uncertainty": np.zeros(100)}
    found = Widening.measure(columns, Incidents(np.ones(100, np.float32), None, None))
    assert np.isinf(found.factors["energy"])  # half of the truths cannot be reached


def test_known_showers_are_from_all_over_the_file(shower_file: MakeFile) -> None:
    pieces = pick_known(open_showers(shower_file(1000)))
    assert len(pieces) == PIECES
    assert sum(piece.stop - piece.start for piece in pieces) == KNOWN_SHOWERS
    assert (pieces[0].start, pieces[-1].start) == (0, 875)
    every = [number for piece in pick_known(open_showers(shower_file(70))) for number in range(70)[piece]]
    assert sorted(every) == list(range(70))


def test_too_few_known_showers_are_told(shower_file: MakeFile) -> None:
    with pytest.warns(ConditionWarning, match="20 showers are too few to measure how right"):
        assert not pick_known(open_showers(shower_file(20)))


def test_a_likelihood_is_widened_by_training_showers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, few_of_them in (("CANDIDATES", 20), ("SCAN", 1), ("NEWTON_STEPS", 1), ("SAMPLES", 8)):
        monkeypatch.setattr(f"calokit.inference.likelihood_fit.{name}", few_of_them)  # a coarse fit will do
    monkeypatch.setattr("calokit.inference.widening.PIECES", 1)
    monkeypatch.setattr("calokit.inference.widening.LEAST_KNOWN", 20)
    bundle = read_bundle(HOME / "zoo" / "zdc_cascade.calokit")
    few = open_showers(HOME / "samples" / "zdc_ecal_positrons_test.h5").head(8)
    known = open_showers(HOME / "samples" / "zdc_ecal_positrons.h5").head(20)
    plain = reconstruct_showers(bundle, few, no_progress, prior=next(known.incident_chunks()))
    made = calokit.reconstruct(bundle, few, known=known, progress=no_progress)
    assert plain.widening is None
    assert made.widening is not None
    assert made.widening.showers == 20
    assert {"energy", "position"} <= set(made.widening.factors)
    assert np.array_equal(made.columns["energy"], plain.columns["energy"])
    for name, factor in made.widening.factors.items():
        wanted = plain.columns[f"{name}_uncertainty"] * factor
        assert np.allclose(made.columns[f"{name}_uncertainty"], wanted, rtol=1e-6)
    write_reconstruction(tmp_path / "found.h5", made, bundle, few)
    with h5py.File(tmp_path / "found.h5") as file:
        assert "as 20 showers whose truth is known say" in file.attrs["uncertainties"]


def _unit(slopes: np.ndarray) -> np.ndarray:
    """Return unit vectors of slopes."""
    vectors = np.column_stack([slopes, np.ones(len(slopes))])
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
