"""In the measured coordinates single hits, and the shares of two of them, are normal."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import ndtr
from scipy.stats import kstest

from calokit.arrays import Float32, Float64
from calokit.models.cascade.energy_draw import EnergyDraw
from calokit.models.cascade.hit_spectrum import HitSpectrum, measure_spectrum
from calokit.models.cascade.pair_spectrum import FIRST, PairSpectrum

HITS = 200_000
NO_LINES = np.zeros(0)


def rising_hits(seed: int, count: int = HITS) -> Float32:
    """Return hits in thresholds whose spectrum rises steeply at 1.5 thresholds."""
    rng = np.random.default_rng(seed)
    peak = rng.random(count) < 0.4
    hits = np.where(peak, rng.normal(1.6, 0.06, count), 1 + rng.exponential(3.0, count))
    return hits.astype(np.float32)


def in_normal(places: torch.Tensor, centre: float, width: float) -> Float64:
    found: Float64 = ndtr((places.double().numpy() - centre) / width)
    return found


def test_single_hits_are_normal_and_several_are_left() -> None:
    spectrum = measure_spectrum(rising_hits(1), 1.0, 64, NO_LINES, NO_LINES)
    coordinate = HitSpectrum(64).double()
    coordinate.place(spectrum)
    x = torch.from_numpy(np.log(rising_hits(2, 20_000))).double()
    one, two = torch.ones_like(x), torch.full_like(x, 2.0)
    y = coordinate.coordinate(x, one)
    knots = coordinate.knots
    assert knots is not None
    y_knots, normal = knots[1, [1, 32]].numpy(), spectrum[1, [1, 32]]
    width = float(np.diff(y_knots)[0] / np.diff(normal)[0])
    share = in_normal(y, float(y_knots[0] - width * normal[0]), width)
    below = ndtr(normal[0])
    assert kstest((share - below) / (1 - below), "uniform").pvalue > 1e-3
    assert torch.allclose(coordinate.back(y, one), x, atol=1e-9)
    steps = (coordinate.coordinate(x + 1e-7, one) - y) / 1e-7
    assert float((torch.log(steps) - coordinate.log_slope(x, one)).abs().median()) < 1e-5
    assert torch.equal(coordinate.coordinate(x, two), x)
    assert torch.equal(coordinate.log_slope(x, two), torch.zeros_like(x))


@pytest.mark.parametrize(("lowest", "highest"), [(2.0, 3.5), (3.5, 6.0), (6.0, 40.0)])
def test_shares_of_independent_hits_are_normal(lowest: float, highest: float) -> None:
    coordinate = PairSpectrum(measured=True).double()
    coordinate.place(measure_spectrum(rising_hits(1), 1.0, 64, NO_LINES, NO_LINES))
    first, second = (torch.from_numpy(rising_hits(seed)).double() for seed in (3, 4))
    both = first + second
    chosen = ((both > lowest) & (both < highest)).nonzero()[:10_000, 0]
    first, second, both = first[chosen], second[chosen], both[chosen]
    ratio, single = torch.log(first / second), torch.ones(len(chosen), dtype=torch.bool)
    place = coordinate.coordinate(ratio, both, single)
    share = in_normal(place, 0.0, 1.0)
    below = ndtr(FIRST)
    assert kstest((share - below) / (1 - 2 * below), "uniform").statistic < 0.03
    evenly = 0.5 + 0.5 * (ratio / torch.log(both - 1)).numpy()
    assert kstest(evenly, "uniform").statistic > 0.06
    assert torch.allclose(coordinate.back(place, both, single), ratio, atol=1e-6)
    steps = (coordinate.coordinate(ratio + 1e-7, both, single) - place) / 1e-7
    assert float((torch.log(steps) - coordinate.log_slope(ratio, both, single)).abs().median()) < 1e-4
    assert torch.equal(coordinate.coordinate(ratio, both, ~single), ratio)


def test_few_hits_leave_the_energies_as_they_are() -> None:
    draw = EnergyDraw(2, 2, 0, knots=16)
    draw.follow(measure_spectrum(rising_hits(1, 1000), 1.0, 16, NO_LINES, NO_LINES))
    x = torch.linspace(0.0, 8.0, 50)
    assert torch.allclose(draw.spectrum.coordinate(x, torch.ones(50)), x)


def test_lines_are_left_out() -> None:
    line = np.full(HITS // 10, 2.0, np.float32)
    hits = np.concatenate([rising_hits(1), line])
    plain = measure_spectrum(rising_hits(1), 1.0, 32, NO_LINES, NO_LINES)
    with_line = measure_spectrum(hits, 1.0, 32, np.log([2.0]), np.array([1e-5]))
    assert np.allclose(plain, with_line, atol=1e-3)


def test_old_bundles_know_no_spectrum() -> None:
    assert "spectrum.knots" not in EnergyDraw(2, 2, 0).state_dict()
    assert "pairs.knots" in EnergyDraw(2, 2, 0, knots=16).state_dict()
