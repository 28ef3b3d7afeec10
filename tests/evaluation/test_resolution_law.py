"""Stochastic, noise and constant term of points made from known ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import curve_fit

from calokit.errors import CalokitError
from calokit.evaluation.metrics.resolution_law import ResolutionLaw, fit_resolution_law

ENERGIES = np.array([2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0])


def law_of(a, b, c, energies=ENERGIES):
    return np.sqrt(a**2 / energies + b**2 / energies**2 + c**2)


@settings(max_examples=50)
@given(st.floats(0.02, 0.8), st.floats(0.05, 1.0), st.floats(0.002, 0.1))
def test_exact_points_give_the_terms_back(a, b, c):
    values = law_of(a, b, c)
    law = fit_resolution_law(ENERGIES, values, 0.01 * values)
    assert law.at(ENERGIES) == pytest.approx(values, rel=1e-5)
    assert law.chi_square < 1e-4
    fixed = fit_resolution_law(ENERGIES, values, 0.01 * values, noise_gev=b)
    assert fixed.stochastic == pytest.approx(a, rel=1e-3)
    assert (fixed.noise, fixed.noise_error) == (b, 0.0)


@pytest.mark.parametrize(
    ("a", "b", "c", "noise"), [(0.2, 0.0, 0.01, 0.0), (0.1, 0.3, 0.02, None), (0.2, 0.1, 0.01, 0.1)]
)
def test_pulls_over_many_toys(a, b, c, noise):
    generator = np.random.default_rng(1)
    truth = law_of(a, b, c)
    pulls, chi_squares = [], []
    for _ in range(250):
        law = fit_resolution_law(
            ENERGIES, truth + 0.02 * truth * generator.normal(size=7), 0.02 * truth, noise
        )
        found = [(law.stochastic - a) / law.stochastic_error, (law.constant - c) / law.constant_error]
        pulls.append([*found, (law.noise - b) / law.noise_error] if noise is None else found)
        chi_squares.append(law.chi_square)
    assert np.mean(pulls, axis=0) == pytest.approx(0.0, abs=0.2)
    assert np.std(pulls, axis=0) == pytest.approx(1.0, abs=0.12)
    assert np.mean(chi_squares) == pytest.approx(law.degrees_of_freedom, rel=0.1)


def test_the_fit_is_that_of_scipy_where_all_terms_are_well_above_0():
    values = law_of(0.1, 0.3, 0.02) * (1.0 + 0.02 * np.array([1, -1, 1, -1, 1, -1, 1]))
    errors = 0.02 * values
    best, covariance = curve_fit(
        lambda e, a, b, c: law_of(a, b, c, e), ENERGIES, values, (0.2, 0.2, 0.03), errors, absolute_sigma=True
    )
    law = fit_resolution_law(ENERGIES, values, errors)
    assert [law.stochastic, law.noise, law.constant] == pytest.approx(np.abs(best), rel=1e-4)
    found = [law.stochastic_error, law.noise_error, law.constant_error]
    assert found == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-3)


def test_a_term_that_is_not_there_has_its_reach_as_error():
    """Half of the fits leave the constant term at 0, and 95 % within 1.3 reaches (1.65 errors of c^2)."""
    generator = np.random.default_rng(2)
    truth = law_of(0.2, 0.0, 0.0)
    found = [
        fit_resolution_law(ENERGIES, truth + 0.01 * truth * generator.normal(size=7), 0.01 * truth, 0.0)
        for _ in range(200)
    ]
    constants = np.array([law.constant for law in found])
    at_zero = constants < 1e-5
    assert 0.4 < at_zero.mean() < 0.6
    reach = np.mean([law.constant_error for law, zero in zip(found, at_zero, strict=True) if zero])
    assert np.quantile(constants, 0.95) == pytest.approx(np.sqrt(1.65) * reach, rel=0.15)


def test_unknown_points_are_left_out():
    values = law_of(0.2, 0.0, 0.01)
    whole = fit_resolution_law(ENERGIES[1:], values[1:], 0.01 * values[1:], 0.0)
    values[0] = np.nan
    assert fit_resolution_law(ENERGIES, values, 0.01 * law_of(0.2, 0.0, 0.01), 0.0) == whole
    assert str(whole).startswith("20.00 % / sqrt(E/GeV) (+) 0.0 MeV / E (+) 1.00 %")


def test_law_in_quadrature():
    law = ResolutionLaw(0.3, 0.4, 0.05, 0, 0, 0, 0, 0)
    assert law.at(np.array([4.0]))[0] == pytest.approx(np.sqrt(0.15**2 + 0.1**2 + 0.05**2))


@pytest.mark.parametrize(
    ("energies", "values", "errors", "message"),
    [
        ([5.0, 10.0], [0.1, 0.1], [0.01, 0.01], "2 points .* 3 terms"),
        ([5.0, 10.0, -1.0], [0.1, 0.1, 0.1], [0.01, 0.01, 0.01], "above 0"),
        ([5.0, 10.0, 20.0], [0.1, 0.1, 0.1], [0.01, 0.0, 0.01], "above 0"),
        ([5.0, 10.0, 20.0], [0.1, 0.1], [0.01, 0.01], "one of each"),
    ],
)
def test_mistakes_are_refused(energies, values, errors, message):
    with pytest.raises(CalokitError, match=message):
        fit_resolution_law(np.array(energies), np.array(values), np.array(errors))
