"""The likelihood of a shower file, its page and files, and incident particles found by it."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

import calokit
from calokit.bundles.ranges import ConditionRange
from calokit.cli import app
from calokit.detector import Detector
from calokit.errors import BundleError, ConfigurationError, DetectorError, UnitWarning
from calokit.inference import (
    Bundle,
    complete_showers,
    measure_likelihood,
    read_bundle,
    reconstruct_showers,
)
from calokit.inference.condition_space import ConditionSpace
from calokit.inference.likelihood import likelihood_content
from calokit.inference.likelihood_fit import LikelihoodFit
from calokit.models.batches import IncidentTensors, TrainingBatch
from calokit.models.cascade.surrogate import CascadeSurrogate
from calokit.models.protocols import CumulativeValues, HasLikelihood
from calokit.progress import no_progress
from calokit.showers import Incidents, ShowerFile, Showers, open_showers

HOME = Path(__file__).resolve().parents[2]
TEST_FILE = HOME / "samples" / "zdc_ecal_positrons_test.h5"
RANGES = [
    ConditionRange("ln incident energy", np.log(1e3), np.log(1e5)),
    ConditionRange("impact x", -30.0, 30.0),
    ConditionRange("impact y", -30.0, 30.0),
    ConditionRange("theta cos phi", -0.2, 0.2),
    ConditionRange("theta sin phi", -0.2, 0.2),
]
ARM_MM = 40.0


@pytest.fixture(scope="module")
def cascade() -> Bundle:
    return read_bundle(HOME / "zoo" / "zdc_cascade.calokit")


@pytest.fixture(scope="module")
def few() -> ShowerFile:
    return open_showers(TEST_FILE).head(60)


class Known:
    """A density of what the cells 0 to 4 say of a particle: normal in each, impact and slope coupled."""

    conditions = ("energy", "position", "direction")
    widths = torch.tensor([0.1, 0.5, 0.6, 0.02, 0.03])

    def log_parts(self, batch: TrainingBatch) -> dict[str, Tensor]:
        return {"cells": self.likelihood_of(batch.energies)(batch.incidents)}

    def cumulative_values(self, batch: TrainingBatch, keys: Tensor) -> Iterator[CumulativeValues]:
        return iter(())

    def scan_energies(self, energies: Tensor, candidates: Tensor) -> Tensor:
        return -0.5 * ((torch.log(candidates) - energies[:, :1]) / 0.3).square()

    def likelihood_of(self, energies: Tensor) -> Callable[[IncidentTensors], Tensor]:
        def density(incidents: IncidentTensors) -> Tensor:
            assert incidents.positions is not None
            assert incidents.directions is not None
            places = incidents.positions + ARM_MM * incidents.directions
            seen = torch.cat([torch.log(incidents.energies)[:, None], places, incidents.directions], 1)
            return -0.5 * ((seen - energies[:, :5]) / self.widths).square().sum(1)

        return density


def test_a_known_density_gives_its_mean_and_width(zdc: Detector) -> None:
    """The posterior of a linear measurement with normal errors is known."""
    density = Known()
    assert isinstance(density, HasLikelihood)
    said = np.zeros((40, zdc.number_of_cells), np.float32)
    rng = np.random.default_rng(1)
    said[:, 0] = np.log(rng.uniform(5e3, 5e4, 40))
    said[:, 1:3] = rng.uniform(-8, 8, (40, 2))
    said[:, 3:5] = rng.uniform(-0.05, 0.05, (40, 2))
    space = ConditionSpace.of(RANGES, density.conditions)
    assert space.pairs == [(1, 3), (2, 4)]
    fit = LikelihoodFit(density, space, zdc)
    fit.places = torch.zeros_like(fit.places)  # what these cells hold is no deposit: begin in the middle
    found = fit.estimate(Showers.of(said, zdc, Incidents.of(np.full(40, 1e4)))).columns()
    energy = np.exp(said[:, 0] + 1.5 * 0.1**2)  # of a lognormal, with a prior flat in energy
    assert np.allclose(found["energy"] / energy, 1.0, atol=0.03)
    assert np.allclose(found["energy_uncertainty"] / energy, 0.1, atol=0.03)
    impact = said[:, 1:3] - ARM_MM * said[:, 3:5]
    widths = np.hypot([0.5, 0.6], ARM_MM * np.array([0.02, 0.03]))
    assert np.abs((found["position"] - impact) / widths).max() < 0.5
    assert np.allclose(found["position_uncertainty"] / widths, 1.0, atol=0.4)
    angles = np.arctan(found["direction"][:, :2] / found["direction"][:, 2:])
    assert np.abs((angles - said[:, 3:5]) / [0.02, 0.03]).max() < 0.5
    assert np.allclose(found["direction_uncertainty"] / [0.02, 0.03], 1.0, atol=0.4)


class Silent(Known):
    """A density that tells next to nothing: all conditions are left as the prior has them."""

    conditions = ("energy", "position")

    def scan_energies(self, energies: Tensor, candidates: Tensor) -> Tensor:
        return torch.zeros(len(energies), len(candidates))

    def likelihood_of(self, energies: Tensor) -> Callable[[IncidentTensors], Tensor]:
        return lambda incidents: 0.01 * torch.log(incidents.energies)


def test_showers_that_say_nothing_leave_the_prior(zdc: Detector) -> None:
    rng = np.random.default_rng(1)
    prior = Incidents(np.exp(rng.uniform(7, 11, 4000)).astype(np.float32), None, None)
    space = ConditionSpace.of(RANGES, Silent.conditions, prior)
    empty = np.zeros((3, zdc.number_of_cells), np.float32)
    found = LikelihoodFit(Silent(), space, zdc).estimate(Showers.of(empty, zdc, Incidents.of(np.ones(3))))
    columns = found.columns()
    low, high = np.exp(space.low[0].item()), np.exp(space.high[0].item())
    mean = (high - low) / np.log(high / low)
    width = np.sqrt((high**2 - low**2) / (2 * np.log(high / low)) - mean**2)
    assert np.allclose(columns["energy"], mean, atol=0.6 * width)  # 48 points, of which two thirds lie inside
    assert np.allclose(columns["energy_uncertainty"], width, rtol=0.3)
    box = (space.high - space.low)[1:].numpy()
    assert (np.abs(columns["position"]) < 0.3 * box / np.sqrt(12)).all()
    assert np.allclose(columns["position_uncertainty"], box / np.sqrt(12), rtol=0.3)


def test_directions_that_follow_from_impacts_are_not_looked_for() -> None:
    rng = np.random.default_rng(1)
    places = rng.uniform(-30, 30, (500, 2)).astype(np.float32)
    far = np.column_stack([places, np.full(500, 36_000.0)])
    straight = (far / np.linalg.norm(far, axis=1, keepdims=True)).astype(np.float32)
    energies = np.full(500, 1e4, np.float32)
    conditions = ("energy", "position", "direction")
    tied = ConditionSpace.of(RANGES, conditions, Incidents(energies, places, straight))
    assert tied.names == ("ln incident energy", "impact x", "impact y")
    made = tied.incidents(torch.tensor([[9.0, 18.0, -9.0]])).directions
    assert made is not None
    assert torch.allclose(made, torch.tensor([[18.0, -9.0]]) / 36_000, atol=1e-6)
    free = ConditionSpace.of(RANGES, conditions, Incidents(energies, places, straight[::-1]))
    assert len(free) == 5
    assert len(ConditionSpace.of(RANGES, ("energy",))) == 1


def test_the_prior_in_energy_is_that_of_the_incident_particles() -> None:
    rng = np.random.default_rng(1)
    for energies, power in ((rng.uniform(1e3, 1e5, 4000), 1.0), (np.exp(rng.uniform(7, 11, 4000)), 0.0)):
        space = ConditionSpace.of(RANGES, ("energy",), Incidents(energies.astype(np.float32), None, None))
        assert space.power == pytest.approx(power, abs=0.1)
    one = Incidents(np.full(5, 1e4, np.float32), None, None)
    assert ConditionSpace.of(RANGES, ("energy",), one).power == 1.0


def test_the_cascade_knows_where_its_showers_came_from(cascade: Bundle, few: ShowerFile) -> None:
    prior = open_showers(HOME / "samples" / "zdc_ecal_positrons.h5").head(500).read_all().incidents
    made = reconstruct_showers(cascade, few, no_progress, prior=prior)
    names = ("energy", "position", "direction")
    assert set(made.columns) == {*names, *(f"{name}_uncertainty" for name in names)}
    slopes = made.columns["direction"][:, :2] / made.columns["direction"][:, 2:]
    assert np.allclose(slopes, made.columns["position"] / 36_000, atol=2e-4)  # as the particles fly
    known = few.read_all()
    assert known.positions is not None
    hit = known.visible_energies > 100.0
    off = np.abs(made.columns["position"] - known.positions)[hit]
    assert np.median(off) < 3.0  # of crystals of 20 mm
    pulls = off / made.columns["position_uncertainty"][hit]
    assert 0.4 < np.mean(pulls < 1.0) < 0.9
    again = reconstruct_showers(cascade, few.head(5), no_progress, prior=prior)
    assert np.allclose(again.columns["position"], made.columns["position"][:5], rtol=1e-3, atol=0.02)


def test_likelihood_as_page_files_and_table(
    cascade: Bundle, few: ShowerFile, tmp_path: Path, command: Callable[..., object]
) -> None:
    found = calokit.likelihood(cascade, few, report=tmp_path / "page", progress=no_progress)
    with torch.no_grad():
        batch = TrainingBatch.of(few.read_all())
        assert np.allclose(found.showers.totals, cascade.model.log_likelihood(batch), rtol=1e-4)  # type: ignore[operator]
    page = (tmp_path / "page" / "likelihood.html").read_text(encoding="utf-8")
    assert "Calibration of the draws" in page
    assert "hits of cells" in page
    assert page.count("<svg") == 5
    assert "http://" not in page.replace("http://www.w3.org", "")
    same = measure_likelihood(cascade, few, 1, no_progress)
    other = measure_likelihood(cascade, few, 2, no_progress)
    assert np.array_equal(same.calibration[0].counts, found.calibration[0].counts)
    assert any(
        not np.array_equal(one.counts, two.counts)
        for one, two in zip(same.calibration, other.calibration, strict=True)
    )
    bundle = HOME / "zoo" / "zdc_cascade.calokit"
    path = calokit.write_showers(tmp_path / "few.h5", few.read_all()).path
    ended = command("likelihood", bundle, path, "-o", tmp_path / "out", "--csv", "--outliers", 3)
    assert ended.code == 0  # type: ignore[attr-defined]
    assert "largest deviation" in ended.out  # type: ignore[attr-defined]
    with h5py.File(tmp_path / "out" / "likelihood.h5") as file:
        assert np.allclose(file["log_likelihood"][:], found.showers.totals, rtol=1e-4)
        assert file["totals_score"].attrs["unit"] == "robust standard deviations"
        with (tmp_path / "out" / "likelihood.csv").open() as stream:
            rows = list(csv.DictReader(stream))
        assert len(rows) == len(file["log_likelihood"])
        assert float(rows[3]["log_likelihood"]) == pytest.approx(file["log_likelihood"][3], rel=1e-4)


def test_a_bundle_without_likelihood_says_so_in_a_line(few: ShowerFile) -> None:
    bundle = read_bundle(HOME / "zoo" / "zdc_flow.calokit")
    with pytest.raises(BundleError, match="'flow', which knows no likelihood"):
        measure_likelihood(bundle, few)
    with pytest.raises(BundleError, match="generates showers and knows no likelihood"):
        reconstruct_showers(bundle, few)


def test_showers_of_another_detector_are_refused(few: ShowerFile) -> None:
    bundle = read_bundle(HOME / "zoo" / "lhcb_cascade.calokit")
    with pytest.raises(DetectorError, match="is for detector 'lhcb_ecal'"):
        measure_likelihood(bundle, few)


def test_completed_showers_come_from_bundles_that_can(cascade: Bundle, few: ShowerFile) -> None:
    showers = few.read_all()
    same = complete_showers(cascade, showers, 1)
    kept = np.where(showers.energies > cascade.model.threshold_mev, showers.energies, 0)  # type: ignore[union-attr]
    assert np.array_equal(same.energies, kept)
    drawn = complete_showers(cascade, showers, 0)
    assert np.allclose(drawn.visible_energies, kept.sum(1), rtol=1e-4)
    assert np.array_equal(drawn.energies, complete_showers(cascade, showers, 0).energies)
    assert not np.array_equal(drawn.energies, complete_showers(cascade, showers, 0, seed=2).energies)
    with pytest.raises(ConfigurationError, match="has 1 layers"):
        complete_showers(cascade, showers, 2)
    with pytest.raises(BundleError, match="completes no showers"):
        complete_showers(read_bundle(HOME / "zoo" / "zdc_flow.calokit"), showers, 0)


def test_a_shower_without_what_the_surrogate_knows_is_refused(
    cascade: Bundle, few: ShowerFile, shower_file: Callable[..., Path]
) -> None:
    showers = few.read_all()
    bare = Showers(showers.energies, showers.incident_energies, showers.detector)
    with pytest.raises(ConfigurationError, match="needs more of incident particles than their energies: imp"):
        measure_likelihood(cascade, open_showers(shower_file(showers=bare)), progress=no_progress)
    with pytest.raises(ConfigurationError, match="needs more of incident particles"):
        complete_showers(cascade, bare, 0)
    with pytest.raises(ConfigurationError, match="a seed is a whole number"):
        measure_likelihood(cascade, few, seed=-1)


def test_unlikely_showers_are_numbered_as_in_their_file(cascade: Bundle, few: ShowerFile) -> None:
    whole = likelihood_content(measure_likelihood(cascade, few, progress=no_progress), cascade, few, 60)
    last = replace(few, first=few.first + 40)
    part = likelihood_content(measure_likelihood(cascade, last, progress=no_progress), cascade, last, 60)
    assert sorted(one.shower for one in part.outliers) == list(range(few.first + 40, few.first + 60))
    found = {one.shower: one.log_likelihood for one in whole.outliers}
    assert all(found[one.shower] == pytest.approx(one.log_likelihood, rel=1e-5) for one in part.outliers)


def test_showers_without_hits_are_tested_by_their_totals_alone(
    cascade: Bundle, few: ShowerFile, shower_file: Callable[..., Path]
) -> None:
    showers = few.read_all()
    path = shower_file(showers=replace(showers, energies=showers.energies * np.float32(1e-9)))
    with pytest.warns(UnitWarning, match="about a thousand times too little"):
        found = measure_likelihood(cascade, open_showers(path), progress=no_progress)
    assert {row.part for row in found.calibration} == {"totals"}


def test_the_showers_are_not_overwritten(tmp_path: Path) -> None:
    showers = tmp_path / "likelihood.h5"
    showers.write_bytes(b"showers")
    told = ["likelihood", str(HOME / "zoo" / "zdc_cascade.calokit"), str(showers), "-o", str(tmp_path)]
    assert "is read by this command" in str(CliRunner().invoke(app, told).exception)
    assert showers.read_bytes() == b"showers"


def test_a_condition_that_never_changed_is_not_looked_for(zdc: Detector) -> None:
    ranges = [
        *RANGES[:2],
        ConditionRange("impact y", 3.0, 3.0),
        RANGES[3],
        ConditionRange("theta sin phi", 0, 0),
    ]
    space = ConditionSpace.of(ranges, Known.conditions)
    assert space.names == ("ln incident energy", "impact x", "theta cos phi")
    said = np.zeros((5, zdc.number_of_cells), np.float32)
    said[:, 0], said[:, 2] = np.log(2e4), 3.0
    fit = LikelihoodFit(Known(), space, zdc)
    fit.places = torch.zeros_like(fit.places)
    found = fit.estimate(Showers.of(said, zdc, Incidents.of(np.full(5, 1e4)))).columns()
    assert all(np.isfinite(values).all() for values in found.values())
    assert np.allclose(found["energy"], 2e4, rtol=0.1)
    assert np.allclose(found["position"][:, 1], 3.0)
    assert (found["position_uncertainty"] > [0.1, -1.0]).all()


def test_a_cascade_of_one_energy_reconstructs_none(
    cascade: Bundle, few: ShowerFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CascadeSurrogate, "conditions", ("position",))
    with pytest.raises(BundleError, match="trained at one energy"):
        reconstruct_showers(cascade, few, progress=no_progress)
