"""The response of Par04 electrons by `calokit simulate` over that of the reference set, at equal energy.

The visible part of the incident energy of the reference showers is fitted by a polynomial in the logarithm of
the energy; a file's mean deviation from it, each shower weighted by its energy (the fluctuations fall with
its root), is its response over the reference's. Any readout of the same cylinder can be compared, of one cell
or of many.

    python -m benchmarks.simulation.cylinder_response REFERENCE.h5 [REFERENCE.h5 ...] --made WORDS=FILE.h5 ...

Rows of other words stay as they were recorded.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.polynomial.chebyshev import chebvander

from benchmarks.record import describe_circumstances, print_rows, recorded_rows, write_record
from calokit.arrays import Float64
from calokit.showers import open_showers

NAME = "cylinder_response"
DEGREE = 4


def read_responses(paths: list[Path]) -> tuple[Float64, Float64]:
    """Return incident energies in MeV and visible / incident energy (event,)."""
    energies, parts = [], []
    for path in paths:
        for showers in open_showers(path).chunks():
            incident = showers.incident_energies.astype(np.float64)
            energies.append(incident)
            parts.append(showers.energies.sum(axis=1, dtype=np.float64) / incident)
    return np.concatenate(energies), np.concatenate(parts)


def expand(energies: Float64) -> Float64:
    """Return the polynomials in ln E, from 1 to 100 GeV."""
    return np.asarray(chebvander(np.log(energies / 1e4) / np.log(10.0), DEGREE))


def compare(energies: Float64, parts: Float64, fit: Float64) -> tuple[float, float]:
    """Return the mean deviation from the fit, weighted by energy, and its error."""
    deviation = parts / (expand(energies) @ fit) - 1.0
    mean = float(np.average(deviation, weights=energies))
    error = float(np.sqrt(((deviation - mean) ** 2 * energies**2).sum()) / energies.sum())
    return mean, error


def main() -> None:
    """Compare the files and record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("reference", type=Path, nargs="+")
    parser.add_argument("--made", action="append", default=[], metavar="WORDS=FILE")
    arguments = parser.parse_args()
    circumstances = describe_circumstances(1)
    energies, parts = read_responses(arguments.reference)
    fit = np.linalg.lstsq(expand(energies), parts, rcond=None)[0]
    rows = recorded_rows(NAME)
    for given in arguments.made:
        words, _, path = given.rpartition("=")
        made = read_responses([Path(path)])
        mean, error = compare(*made, fit)
        rows = [row for row in rows if row["cells"] != words]
        rows.append(
            {
                "cells": words,
                "showers": len(made[0]),
                "response (%)": round(100 * mean, 3),
                "error": round(100 * error, 3),
            }
        )
    print_rows("response over the reference's", rows, circumstances)
    write_record(NAME, rows, circumstances, reference_showers=len(energies))


if __name__ == "__main__":
    main()
