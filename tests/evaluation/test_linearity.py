from __future__ import annotations

import numpy as np
import pytest

from calokit.errors import CalokitError
from calokit.evaluation.metrics.binned import mean_deviation, ratio_of
from calokit.evaluation.metrics.linearity import EnergyResponse, equal_width_edges, linearity_difference

EDGES = equal_width_edges(10e3, 100e3)


def response_of(generator, fraction=lambda e: 0.02 + 0.0 * e, showers=4000, spread=0.1):
    incident = generator.uniform(10e3, 100e3, showers)
    response = EnergyResponse(EDGES)
    response.add(incident, incident * fraction(incident) * generator.normal(1.0, spread, showers))
    return response


def test_bins_are_ten_gev_wide_and_hold_all_energies():
    assert equal_width_edges(10e3, 100e3).tolist() == [1e4 * number for number in range(1, 11)]
    assert equal_width_edges(1.2e3, 97e3)[[0, -1]].tolist() == [0.0, 1e5]
    assert equal_width_edges(5e3, 5e3).tolist() == [0.0, 1e4]
    assert equal_width_edges(20e3, 20e3).tolist() == [2e4, 3e4]
    wide = equal_width_edges(256.0, 4.2e6)
    assert len(wide) <= 102
    assert np.diff(wide) == pytest.approx(80e3)


def test_sampling_fraction_and_its_ratio():
    """2 % falling by a tenth from 0 to 100 GeV, as silicon and tungsten do (systems.md B), against 2 %."""
    generator = np.random.default_rng(1)
    falling = response_of(generator, lambda e: 0.02 * (1.0 - 0.1 * e / 100e3), 20_000)
    flat = response_of(generator, showers=20_000)
    middle = 0.5 * (EDGES[1:] + EDGES[:-1])
    found = falling.sampling_fraction()
    assert np.abs((found.values - 0.02 * (1 - 0.1 * middle / 100e3)) / found.errors).max() < 4
    ratio = ratio_of(falling.sampling_fraction(), flat.sampling_fraction())
    assert ratio.values == pytest.approx(1 - 0.1 * middle / 100e3, abs=0.02)
    assert mean_deviation(ratio)[0] == pytest.approx(0.055, abs=0.006)


def test_line_and_residuals_over_many_toys():
    """The residuals of a straight response are as large as their errors, and chi-square as it must be."""
    generator = np.random.default_rng(2)
    pulls, slopes, offsets, chi_squares = [], [], [], []
    for _ in range(200):
        line = response_of(generator, lambda e: 0.02 + 10.0 / e, 2000).linearity()
        pulls.append(line.deviations.values / line.deviations.errors)
        slopes.append((line.slope - 0.02) / line.slope_error)
        offsets.append((line.offset - 10.0) / line.offset_error)
        chi_squares.append(line.chi_square)
    # errors from the spread of 200 showers a bin widen the pulls by a percent or two
    assert np.std(pulls) == pytest.approx(1.0, abs=0.08)
    assert np.std(slopes) == pytest.approx(1.0, abs=0.15)
    assert np.std(offsets) == pytest.approx(1.0, abs=0.15)
    assert np.mean(slopes) == pytest.approx(0.0, abs=0.3)
    assert np.mean(chi_squares) == pytest.approx(line.degrees_of_freedom, rel=0.1)
    assert line.degrees_of_freedom == 7


def test_leakage_bends_the_line():
    generator = np.random.default_rng(3)

    def leaking(incident):
        return 0.02 * (1.0 - 0.03 * (incident / 100e3) ** 2)

    laws = (leaking, lambda e: 0.02 + 0.0 * e)
    bent, straight = (response_of(generator, law, 40_000).linearity(offset=False) for law in laws)
    assert bent.chi_square > 10 * bent.degrees_of_freedom
    assert straight.chi_square < 3 * straight.degrees_of_freedom
    found = linearity_difference(straight, bent)
    assert 0.01 < found.value < 0.03
    assert found.value > 5 * found.error
    assert (bent.offset, bent.offset_error) == (0.0, 0.0)


def test_a_wrong_scale_moves_the_slope_alone():
    one, other = (response_of(np.random.default_rng(4), lambda e, k=k: k + 0 * e) for k in (0.02, 0.021))
    first, second = one.linearity(), other.linearity()
    assert second.slope == pytest.approx(1.05 * first.slope)
    assert linearity_difference(first, second).value == pytest.approx(0.0, abs=1e-12)


def test_showers_in_blocks_and_bins_without_showers():
    generator = np.random.default_rng(5)
    incident = generator.uniform(10e3, 40e3, 300)
    visible = 0.02 * incident * generator.normal(1.0, 0.1, 300)
    whole, parts = EnergyResponse(EDGES), EnergyResponse(EDGES)
    whole.add(incident, visible)
    for rows in np.split(np.arange(300), [10, 150]):
        parts.add(incident[rows], visible[rows])
    assert parts.linearity().slope == pytest.approx(whole.linearity().slope, rel=1e-12)
    assert np.isnan(whole.linearity().deviations.values[3:]).all()
    assert whole.linearity().degrees_of_freedom == 1
    high = EnergyResponse(EDGES)
    high.add(np.full(5, 95e3), np.arange(1.0, 6.0))
    with pytest.raises(CalokitError, match="1 energy bins"):
        high.linearity()
    with pytest.raises(CalokitError, match="no energy bin"):
        linearity_difference(whole.linearity(), high.linearity(offset=False))
