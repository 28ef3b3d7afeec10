"""Whether the errors of the judge's measurements hold: truth against truth, over and over.

Random disjoint samples of the ZDC's training showers stand for reference, generated and floor. For each
measurement of topology, of conditions and of the boosted trees the deviations from the floor, in standard
errors, should be spread by at most 1 and hardly exceed 3.3, where Holm's test flags the first of a hundred.
Everything is computed from one table of the showers, which takes minutes where whole evaluations take hours
(those: `verdict_rates`).

    python -m benchmarks.metrics.judge_floors SHOWERS_FOLDER [--splits 200] [--tree-splits 40]
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.record import Row, describe_circumstances, print_rows, write_record
from calokit.arrays import Float64, Integer
from calokit.evaluation.classifiers.boosted_judge import FeatureTable, join_tables
from calokit.evaluation.classifiers.judgement import JudgedTables, TreeJudge, compare_observables
from calokit.evaluation.metrics.condition_calibration import (
    QUANTITIES,
    ConditionBins,
    ConditionSums,
    bin_conditions,
    find_worst_bin,
    quantities_of,
)
from calokit.evaluation.samples.observables import ObservableCalculator
from calokit.evaluation.topology.features import FeatureMaker
from calokit.evaluation.topology.lines import FineSpectrum
from calokit.showers import ShowerFile, open_showers
from calokit.showers.hits import find_hits

NAME = "judge_floors"
THRESHOLD_MEV = 0.1
POOL = 60_000
SHOWERS = 1500
BLOCK = 5000
FLAGGED = 3.3


@dataclass(frozen=True)
class Pool:
    """All that the measurements need of the showers that samples are drawn from."""

    table: FeatureTable
    conditions: Float64
    names: list[str]
    quantities: dict[str, Float64]


def fill_pool(file: ShowerFile) -> Pool:
    """Compute everything once."""
    calculator, spectrum = ObservableCalculator(file.detector, THRESHOLD_MEV), FineSpectrum(THRESHOLD_MEV)
    for start in range(0, POOL // 3, BLOCK):
        spectrum.add(find_hits(file.read(start, start + BLOCK), THRESHOLD_MEV).energy)
    maker = FeatureMaker(calculator, spectrum.find_lines())
    tables, conditions, quantities, names = [], [], [], []
    for start in range(0, POOL, BLOCK):
        showers = file.read(start, start + BLOCK)
        hits = find_hits(showers, THRESHOLD_MEV)
        observables = calculator(showers, hits)
        tables.append(maker(showers, hits, observables))
        known, names = showers.conditions()
        conditions.append(known)
        quantities.append(quantities_of(observables))
    table = join_tables(tables)
    assert table is not None
    joined = {name: np.concatenate([part[name] for part in quantities]) for name in quantities[0]}
    return Pool(table, np.concatenate(conditions), names, joined)


def draw(split: int) -> list[Integer]:
    """Return three disjoint samples of positions in the pool."""
    order = np.random.default_rng([split, SHOWERS]).permutation(POOL)
    return [np.sort(part) for part in order[: 3 * SHOWERS].reshape(3, SHOWERS)]


def sum_conditions(pool: Pool, positions: Integer, bins: ConditionBins) -> ConditionSums:
    """Return the sums of one sample."""
    sums = ConditionSums(bins)
    quantities = {name: values[positions] for name, values in pool.quantities.items()}
    sums.add(pool.conditions[positions], quantities)
    return sums


def judge_conditions(pool: Pool, samples: list[Integer]) -> dict[str, float]:
    """Return the deviations of the worst bins."""
    quantities = {name: values[samples[0]] for name, values in pool.quantities.items()}
    bins = bin_conditions(pool.conditions[samples[0]], pool.names, quantities, SHOWERS)
    sums = [sum_conditions(pool, positions, bins) for positions in samples]
    found = {}
    for quantity in QUANTITIES:
        value, floor = (find_worst_bin(sums[0], other, quantity) for other in sums[1:])
        spread = float(np.hypot(value.spread, floor.spread))
        found[f"conditions.{quantity}"] = (value.deviation - floor.deviation) / spread
    return found


def judge_split(pool: Pool, split: int, with_trees: bool) -> dict[str, float]:
    """Return the deviation of each measurement from its floor."""
    samples = draw(split)
    found = judge_conditions(pool, samples)
    tables = JudgedTables(*(pool.table.at(positions) for positions in samples))
    measurements, _ = compare_observables(tables, [])
    if with_trees:
        measurements += TreeJudge(1).judge(tables, (), "classifier", "")[0]
    return found | {m.name: m.deviation for m in measurements}


def summarise(found: list[dict[str, float]]) -> list[Row]:
    """Return spread and largest of the deviations of each measurement."""
    rows = []
    for name in dict.fromkeys(name for split in found for name in split):
        values = np.array([split[name] for split in found if name in split])
        rows.append(
            {
                "measurement": name,
                "splits": len(values),
                "mean": round(float(values.mean()), 2),
                "spread": round(float(values.std()), 2),
                "largest": round(float(values.max()), 2),
                "above": int((values > FLAGGED).sum()),
            }
        )
    return rows


def main() -> None:
    """Judge all splits, print and record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--splits", type=int, default=200)
    parser.add_argument("--tree-splits", type=int, default=40)
    arguments = parser.parse_args()
    pool = fill_pool(open_showers(arguments.folder / "zdc_ecal_positrons.h5"))
    circumstances = describe_circumstances(1)
    found: list[dict[str, float]] = []
    # trees last, so that the record is there before they are all done
    order = [*range(arguments.tree_splits, arguments.splits), *range(arguments.tree_splits)]
    for split in order:
        found.append(judge_split(pool, split, split < arguments.tree_splits))
        if split < arguments.tree_splits or split == arguments.splits - 1:
            write_record(NAME, summarise(found), circumstances, showers=SHOWERS, flagged=FLAGGED)
    print_rows("truth against truth", summarise(found), circumstances)


if __name__ == "__main__":
    main()
