"""Response and hits of Par04 electrons by `calokit simulate` over the reference set's, at equal energy.

The visible part of the incident energy of the reference showers is fitted by a polynomial in the logarithm of
the energy; a file's mean deviation from it, each shower weighted by its energy (the fluctuations fall with
its root), is its response over the reference's. So are numbers of hits, of all and of those below 20 keV,
where the cells are the reference's. Any readout of the same cylinder can be compared, of one cell or of many.

    python -m benchmarks.simulation.cylinder_response REFERENCE.h5 [REFERENCE.h5 ...] --made WORDS=FILE.h5 ...

Rows of other words stay as they were recorded.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.polynomial.chebyshev import chebvander

from benchmarks.record import Row, describe_circumstances, print_rows, recorded_rows, write_record
from calokit.arrays import Float64
from calokit.showers import open_showers

NAME = "cylinder_response"
DEGREE = 4
HIT_MEV, WEAK_MEV = 1e-3, 0.02
FACTS = ("response", "hits", "hits below 20 keV")


def read_facts(paths: list[Path]) -> tuple[Float64, Float64, int]:
    """Return incident energies in MeV (event,), `FACTS` over them (event, fact), and the number of cells."""
    energies, facts, cells = [], [], 0
    for path in paths:
        for showers in open_showers(path).chunks(512):
            incident = showers.incident_energies.astype(np.float64)
            hit = showers.energies > HIT_MEV
            weak = hit & (showers.energies < WEAK_MEV)
            visible = showers.energies.sum(axis=1, dtype=np.float64)
            energies.append(incident)
            facts.append(np.stack([visible, hit.sum(axis=1), weak.sum(axis=1)], axis=1) / incident[:, None])
            cells = showers.detector.number_of_cells
    return np.concatenate(energies), np.concatenate(facts), cells


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
    energies, facts, cells = read_facts(arguments.reference)
    fits = np.asarray(np.linalg.lstsq(expand(energies), facts, rcond=None)[0], dtype=np.float64)
    rows = recorded_rows(NAME)
    for given in arguments.made:
        words, _, path = given.rpartition("=")
        made, own, own_cells = read_facts([Path(path)])
        row: Row = {"cells": words, "showers": len(made)}
        for number, name in enumerate(FACTS if own_cells == cells else FACTS[:1]):
            mean, error = compare(made, own[:, number], fits[:, number])
            row |= {f"{name} (%)": round(100 * mean, 3), f"error of {name}": round(100 * error, 3)}
        rows = [other for other in rows if other["cells"] != words] + [row]
    print_rows("over the reference's", rows, circumstances)
    write_record(NAME, rows, circumstances, reference_showers=len(energies))


if __name__ == "__main__":
    main()
