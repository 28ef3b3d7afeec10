"""Digitisation: a documented step behind the simulation, the same for the same seed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from calokit.errors import ConfigurationError
from calokit.showers import open_showers
from calokit.showers.digitisation import Digitisation, digitise_file
from made_up_runs import MakeFile


def test_a_threshold_in_mip_cuts_and_changes_nothing_else() -> None:
    energies = np.array([[0.0, 0.02, 0.06, 3.0]], np.float32)
    read = Digitisation(threshold=0.5, mip_mev=0.1).apply(energies, np.random.default_rng(0))
    np.testing.assert_allclose(read, [[0.0, 0.0, 0.06, 3.0]], rtol=1e-6)


def test_the_converter_rounds_and_ends() -> None:
    energies = np.array([[0.26, 1.13, 50.0]], np.float32)
    read = Digitisation(step=0.25, saturation=10.0).apply(energies, np.random.default_rng(0))
    np.testing.assert_allclose(read, [[0.25, 1.25, 10.0]])


def test_noise_has_its_width_and_the_cut_leaves_the_expected_tail() -> None:
    deposits = np.full((200, 500), 5.0, np.float32)
    readout = Digitisation(noise=0.2, threshold=0.6)
    read = readout.apply(deposits, np.random.default_rng(1)).astype(np.float64)
    assert read.std() == pytest.approx(0.2, rel=0.01)
    assert read.mean() == pytest.approx(5.0, abs=0.004)
    empty = readout.apply(np.zeros((200, 500), np.float32), np.random.default_rng(2))
    expected = 0.00135  # above three standard deviations
    assert (empty > 0).mean() == pytest.approx(expected, abs=4 * np.sqrt(expected / 1e5))


def test_the_spread_is_in_proportion_and_none_leaves_the_noise_as_it_was() -> None:
    deposits = np.repeat(np.array([[10.0, 1000.0]], np.float32), 20_000, axis=0)
    read = Digitisation(spread=0.03).apply(deposits, np.random.default_rng(1)).astype(np.float64)
    np.testing.assert_allclose(read.std(axis=0) / read.mean(axis=0), [0.03, 0.03], rtol=0.02)
    one, two = (
        Digitisation(noise=0.2, threshold=0.6, spread=spread).apply(deposits[:5], np.random.default_rng(2))
        for spread in (0.0, 0.1)
    )
    expected = deposits[:5] + 0.2 * np.random.default_rng(2).standard_normal((5, 2))
    np.testing.assert_allclose(one, expected, rtol=1e-6)
    assert (one != two).all()


def test_the_file_says_what_was_done_and_the_seed_decides(tmp_path: Path, shower_file: MakeFile) -> None:
    source = open_showers(shower_file(200, split="test"))
    settings = Digitisation(noise=0.05, threshold=0.2)
    kept = digitise_file(source, tmp_path / "a.h5", settings, seed=3)
    digitise_file(source, tmp_path / "b.h5", settings, seed=3)
    digitise_file(source, tmp_path / "c.h5", settings, seed=4)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    assert (tmp_path / "a.h5").read_bytes() != (tmp_path / "c.h5").read_bytes()
    made = open_showers(tmp_path / "a.h5")
    assert json.loads(made.attributes["digitisation"])["threshold"] == 0.2
    assert made.attributes["split"] == "test"
    energies = made.read_all().energies
    assert energies[energies > 0].min() >= 0.2
    assert kept == pytest.approx(energies.sum() / source.read_all().energies.sum(), rel=1e-4)
    with pytest.raises(ConfigurationError, match="digitised before"):
        digitise_file(made, tmp_path / "d.h5", settings)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"noise": 0.1}, "needs a threshold above 0"),
        ({"threshold": 2.0, "saturation": 1.0}, "must lie above the threshold"),
        ({"treshold": 2.0}, "Did you mean 'threshold'"),
        ({"noise": -1.0}, "noise"),
    ],
)
def test_mistakes_are_named(settings: dict[str, float], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        Digitisation.from_mapping(settings, "test")
