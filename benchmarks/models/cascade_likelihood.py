"""What the cascade's likelihood is good for: calibration of its draws, and reconstruction beside the others.

Classical methods are fitted on training showers; networks are bundles that reconstruct. Everything is
measured on the same test showers, and a row is kept for each bundle and test file.

    python -m benchmarks.models.cascade_likelihood BUNDLE TRAIN.h5 TEST.h5 [--beside NETWORK.calokit ...]
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import Row, describe_circumstances, recorded_rows, write_record
from calokit.arrays import Float64
from calokit.bundles.bundle import Bundle
from calokit.classical.methods import CALIBRATED_SUM, ClassicalInputs, ClassicalMethods
from calokit.classical.track_fit import directions_to_slopes
from calokit.inference import measure_likelihood, read_bundle, reconstruct_showers
from calokit.showers import ShowerFile, open_showers
from calokit.units import MEV_PER_GEV

NAME = "cascade_likelihood"
LIKELIHOOD = "likelihood"
FIXED_ENERGIES = 100
"""Layer weights and boosted trees are made for fixed energies; with more than these they are left out."""
SMALLEST_SPREAD_DEGREES = 0.5
"""Angles that spread less are not looked at: they follow from the impacts."""
DRAWN_AGAIN = 200
"""Times that showers are drawn again for the error of a ratio."""

Columns = dict[str, Any]


def measure_calibration(bundle: Bundle, test: ShowerFile) -> list[Row]:
    """Return the calibration test of all draws of a kind."""
    found = measure_likelihood(bundle, test)
    return [
        {
            "part": row.part,
            "kind": row.kind,
            "draws": row.uniformity.values,
            "deviation": row.uniformity.deviation,
            "floor": row.uniformity.floor,
            "p_value": row.uniformity.p_value,
            "together": row.together,
            "log_likelihood": float(found.showers.totals.mean()),
        }
        for row in found.calibration
        if row.axis == "all"
    ]


def errors_of(columns: Columns, known: ClassicalInputs) -> dict[str, Float64]:
    """Return estimate - truth by quantity: GeV, parts of the true energy, mm, degrees."""
    found: dict[str, Float64] = {}
    angles = np.degrees(np.arctan(known.slopes))
    if "energy" in columns:
        off = columns["energy"].astype(np.float64) - known.energies
        found |= {"energy (GeV)": off / MEV_PER_GEV, "energy / truth": off / known.energies}
    if "position" in columns:
        off = columns["position"].astype(np.float64) - known.positions
        found |= {"x (mm)": off[:, 0], "y (mm)": off[:, 1]}
    if "direction" in columns and angles.std() > SMALLEST_SPREAD_DEGREES:
        off = np.degrees(np.arctan(directions_to_slopes(columns["direction"]))) - angles
        found |= {"angle x (degrees)": off[:, 0], "angle y (degrees)": off[:, 1]}
    return found


def pulls_of(columns: Columns, known: ClassicalInputs) -> dict[str, float]:
    """Return how often the truth lies within one given standard deviation, by quantity."""
    found = {}
    scales: dict[str, float | Float64] = {
        "energy (GeV)": MEV_PER_GEV,
        "energy / truth": known.energies,
        "x (mm)": 1.0,
        "y (mm)": 1.0,
    }
    widths = {
        "energy (GeV)": columns.get("energy_uncertainty"),
        "energy / truth": columns.get("energy_uncertainty"),
        **{f"{axis} (mm)": _column(columns, "position_uncertainty", n) for n, axis in enumerate("xy")},
        **{
            f"angle {axis} (degrees)": _column(columns, "direction_uncertainty", n)
            for n, axis in enumerate("xy")
        },
    }
    for name, off in errors_of(columns, known).items():
        width = widths[name]
        if width is not None:
            scaled = np.degrees(width) if name.startswith("angle") else width / scales[name]
            found[name] = float((np.abs(off) < scaled).mean())
    return found


def _column(columns: Columns, name: str, number: int) -> Float64 | None:
    return columns[name][:, number].astype(np.float64) if name in columns else None


def classical_columns(train: ShowerFile, known: ClassicalInputs) -> dict[str, Columns]:
    """Return what the classical methods make of test showers."""
    found = ClassicalMethods.fit(ClassicalInputs.read(train)).apply(known)
    few = len(np.unique(known.energies)) < FIXED_ENERGIES
    columns: dict[str, Columns] = {
        name: {"energy": one} for name, one in found.energies.items() if few or name == CALIBRATED_SUM
    }
    columns["log-weighted fit"] = {"position": found.lines.positions, "direction": found.lines.directions}
    return columns


def compare_rows(methods: dict[str, Columns], known: ClassicalInputs) -> list[Row]:
    """Return a row for each method and quantity, with the ratio of its RMS to the likelihood's."""
    mine = errors_of(methods[LIKELIHOOD], known)
    rng = np.random.default_rng(1)
    picks = rng.integers(0, len(known.energies), (DRAWN_AGAIN, len(known.energies)))
    rows = []
    for name, columns in methods.items():
        covered = pulls_of(columns, known)
        for quantity, off in errors_of(columns, known).items():
            if quantity not in mine:
                continue
            ratios = np.sqrt((mine[quantity][picks] ** 2).mean(1) / (off[picks] ** 2).mean(1))
            rows.append(
                {
                    "quantity": quantity,
                    "method": name,
                    "rms": float(np.sqrt((off**2).mean())),
                    "half_width_68": float(np.quantile(np.abs(off - np.median(off)), 0.683)),
                    "bias": float(off.mean()),
                    "within_one_sigma": covered.get(quantity),
                    "likelihood_over_it": [
                        float(np.sqrt((mine[quantity] ** 2).mean() / (off**2).mean())),
                        float(ratios.std()),
                    ],
                }
            )
    return rows


def main() -> None:
    """Measure one bundle and keep its row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--beside", type=Path, nargs="*", default=[])
    parser.add_argument(
        "--calibrate", type=int, default=2000, help="test showers of the calibration; 0 keeps the last"
    )
    parser.add_argument("--reconstruct", type=int, default=1000, help="test showers that are reconstructed")
    parser.add_argument("--fit", type=int, default=20_000, help="training showers of the classical methods")
    options = parser.parse_args()
    bundle, view = read_bundle(options.bundle), open_showers(options.test)
    circumstances = describe_circumstances(int(os.environ.get("OMP_NUM_THREADS", "1")))
    row: Row = {"bundle": options.bundle.stem, "test": options.test.stem}
    if options.calibrate:
        row["calibration"] = measure_calibration(bundle, view.head(options.calibrate))
    test, train = view.head(min(options.reconstruct, len(view))), open_showers(options.train)
    started = time.process_time()
    made = reconstruct_showers(bundle, test, known=train)
    spent = time.process_time() - started
    assert made.widening is not None
    reconstructed = len(test) + made.widening.showers
    row |= {"showers": len(test), "cpu_ms_a_shower": 1e3 * spent / reconstructed}
    known = ClassicalInputs.read(test)
    row["widening"] = {name: factor.tolist() for name, factor in made.widening.factors.items()}
    methods = {LIKELIHOOD: made.columns, **classical_columns(train.head(options.fit), known)}
    for path in options.beside:
        methods[path.stem] = reconstruct_showers(read_bundle(path), test).columns
    row |= {"fitted_on": min(options.fit, len(train)), "methods": compare_rows(methods, known)}
    as_it_says = replace(made.widening, factors={name: 1 / f for name, f in made.widening.factors.items()})
    narrow = pulls_of(as_it_says.apply(made.columns), known)
    for one in row["methods"]:
        if one["method"] == LIKELIHOOD:
            one["within_one_sigma_as_it_says"] = narrow[one["quantity"]]
    rows = recorded_rows(NAME)
    for one in rows:
        if (one["bundle"], one["test"]) == (row["bundle"], row["test"]):
            row = {"calibration": one["calibration"], **row}
    rows = [one for one in rows if (one["bundle"], one["test"]) != (row["bundle"], row["test"])]
    print(write_record(NAME, [*rows, row], circumstances))


if __name__ == "__main__":
    main()
