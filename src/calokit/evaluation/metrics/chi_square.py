"""Chi-square test of two histograms, weighted or not, with the errors of both."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc

from calokit.arrays import Float64
from calokit.errors import CalokitError

LEAST_ENTRIES = 20.0
"""Neighbouring bins are joined until each sample is expected to have so many effective entries in each."""


@dataclass(frozen=True)
class ChiSquare:
    """The outcome of a test whether two histograms are of one law.

    Attributes:
        value: Sum over bins.
        degrees_of_freedom: Bins, after joining, less one for the common normalisation.
        p_value: Chance of a value as large for samples of one law; uniform for such samples.
    """

    value: float
    degrees_of_freedom: int
    p_value: float

    @property
    def per_degree(self) -> float:
        """Value over degrees of freedom, about 1 for samples of one law; NaN where there is no bin left."""
        return self.value / self.degrees_of_freedom if self.degrees_of_freedom else math.nan


def compare_histograms(
    first: Float64,
    second: Float64,
    first_squares: Float64 | None = None,
    second_squares: Float64 | None = None,
    least_entries: float = LEAST_ENTRIES,
) -> ChiSquare:
    """Test whether two histograms of independent entries are of one law.

    X^2 = sum_i (W v_i - V w_i)^2 / (W^2 V q_i r_i / v_i + V^2 W q_i s_i / w_i), with w and v the sums of
    weights by bin, W and V their totals, s and r the sums of squared weights, and q the law that both give
    together (Gagunashvili, arXiv:physics/0605123, in the form that without weights is the usual test of
    homogeneity). Only shapes are compared. Bins of few entries are joined with their neighbours, by what both
    samples hold together, so that the choice favours no outcome; too few at the end join the bin before.

    Entries must be independent: hits of one shower are not, and need the separation power of
    `histogram_from_clusters` instead. With weights from an exponential law and 10 effective entries a bin
    instead of 20, p-values lie below 5 % for 7 % of equal samples.

    Args:
        first: (bin,) sums of weights, or counts.
        second: (bin,) the same of the other sample.
        first_squares: (bin,) sums of squared weights; None for counts.
        second_squares: (bin,) the same of the other sample.
        least_entries: Effective entries that each sample is expected to have in a bin.

    Raises:
        CalokitError: The arrays differ in length, a sum is negative, or a histogram is empty.

    Example:
        >>> outcome = compare_histograms(np.array([50.0, 50.0]), np.array([30.0, 70.0]))
        >>> round(outcome.value, 3), outcome.degrees_of_freedom, round(outcome.p_value, 4)
        (8.333, 1, 0.0039)
    """
    columns = [first, second, first if first_squares is None else first_squares,
               second if second_squares is None else second_squares]  # fmt: skip
    if len({column.shape for column in columns}) != 1 or first.ndim != 1:
        raise CalokitError(
            f"histograms of shapes {[column.shape for column in columns]} cannot be compared; fix the bins "
            "from the reference."
        )
    table = np.stack(columns).astype(np.float64)
    totals = table.sum(axis=1)
    if (table < 0).any() or (totals <= 0).any():
        raise CalokitError("a histogram without entries, or with sums below 0, cannot be compared.")
    table = _join_bins(table, least_entries)
    w, v = table[:2]
    law = _common_law(table, totals)
    difference = totals[0] * v - totals[1] * w
    own = [
        np.divide(squares, sums, out=np.full_like(sums, totals[2 + side] / totals[side]), where=sums > 0)
        for side, (sums, squares) in enumerate(zip(table[:2], table[2:], strict=True))
    ]
    variance = law * totals[0] * totals[1] * (totals[0] * own[1] + totals[1] * own[0])
    value = float((difference**2 / variance)[variance > 0].sum())
    degrees = len(w) - 1
    return ChiSquare(value, degrees, float(chdtrc(degrees, value)) if degrees else math.nan)


def _common_law(table: Float64, totals: Float64) -> Float64:
    """Return the fractions by bin that both samples give, each counting by its effective entries."""
    entries = totals[:2] ** 2 / totals[2:]
    law: Float64 = (entries[:, None] * table[:2] / totals[:2, None]).sum(axis=0) / entries.sum()
    return law


def _join_bins(table: Float64, least: float) -> Float64:
    """Return sums over neighbouring bins that hold enough expected entries, (4, joined bin)."""
    totals = table.sum(axis=1)
    expected = _common_law(table, totals) * float((totals[:2] ** 2 / totals[2:]).min())
    joined: list[Float64] = []
    held, entries = np.zeros(4), 0.0
    for column, more in zip(table.T, expected, strict=True):
        held, entries = held + column, entries + more
        if entries >= least:
            joined.append(held)
            held, entries = np.zeros(4), 0.0
    if joined:
        joined[-1] = joined[-1] + held
    else:
        joined.append(held)
    return np.stack(joined, axis=1)
