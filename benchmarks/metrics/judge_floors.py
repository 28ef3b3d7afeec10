"""Whether the judge's newer measurements keep the verdict's rate: truth against truth, over and over.

Random disjoint samples of the ZDC's training showers stand for reference, generated and floor. For each
measurement of topology, of conditions and of the boosted trees, raw and behind a readout, the deviations from
the floor in standard errors should be spread by at most 1; and Holm's test over all of them should flag
anything in at most 5 % of the splits. Everything is computed from one table of the showers, which takes
seconds a split where whole evaluations take a minute (those: `verdict_rates`). Finished splits stand in a
JSON-lines file; run again, it goes on.

    python -m benchmarks.metrics.judge_floors SHOWERS_FOLDER --rows rows.jsonl [--splits 200]
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, replace
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
from calokit.evaluation.samples.truth_memory import TruthMemory
from calokit.evaluation.scorecard import Measurement
from calokit.evaluation.significance import FAMILY_WISE_RATE, judge_measurements
from calokit.evaluation.topology.features import FeatureMaker
from calokit.evaluation.topology.lines import FineSpectrum
from calokit.showers import ShowerFile, Showers, open_showers
from calokit.showers.digitisation import Digitisation
from calokit.showers.hits import find_hits

NAME = "judge_floors"
THRESHOLD_MEV = 0.1
READOUT = Digitisation(noise=0.03, spread=0.03, threshold=0.15)
READ_OUT_THRESHOLD_MEV = 0.15 * (1.0 - 1e-6)
POOL = 60_000
SHOWERS = 1000
BLOCK = 5000
SEED = 1
FLAGGED = 3.3


@dataclass(frozen=True)
class Pool:
    """All that the measurements need of the showers that samples are drawn from."""

    table: FeatureTable
    read_out: FeatureTable
    conditions: Float64
    names: list[str]
    quantities: dict[str, Float64]


def make_maker(blocks: list[Showers], threshold: float) -> FeatureMaker:
    """Return what makes the judge's tables, with the lines found in some blocks of showers."""
    spectrum = FineSpectrum(threshold)
    for showers in blocks:
        spectrum.add(find_hits(showers, threshold).energy)
    return FeatureMaker(ObservableCalculator(blocks[0].detector, threshold), spectrum.find_lines())


def digitise(showers: Showers, start: int) -> Showers:
    """Return showers behind the readout, each with noise of its own."""
    random = np.random.default_rng([SEED, start])
    return replace(showers, energies=READOUT.apply(showers.energies, random))


def fill_pool(file: ShowerFile) -> Pool:
    """Compute everything once."""
    starts = range(0, POOL, BLOCK)
    searched = [file.read(start, start + BLOCK) for start in starts[: len(starts) // 3]]
    maker = make_maker(searched, THRESHOLD_MEV)
    other = make_maker([digitise(showers, 0) for showers in searched], READ_OUT_THRESHOLD_MEV)
    del searched
    tables, read_out, conditions, quantities = [], [], [], []
    names: list[str] = []
    for start in starts:
        showers = file.read(start, start + BLOCK)
        hits = find_hits(showers, THRESHOLD_MEV)
        observables = maker.observables(showers, hits)
        tables.append(maker(showers, hits, observables))
        read_out.append(other(digitise(showers, start)))
        known, names = showers.conditions()
        conditions.append(known)
        quantities.append(quantities_of(observables))
    joined = {name: np.concatenate([part[name] for part in quantities]) for name in quantities[0]}
    raw, read = join_tables(tables), join_tables(read_out)
    assert raw is not None
    assert read is not None
    return Pool(raw, read, np.concatenate(conditions), names, joined)


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


def judge_conditions(pool: Pool, samples: list[Integer]) -> list[Measurement]:
    """Return the worst bins."""
    quantities = {name: values[samples[0]] for name, values in pool.quantities.items()}
    bins = bin_conditions(pool.conditions[samples[0]], pool.names, quantities, SHOWERS)
    sums = [sum_conditions(pool, positions, bins) for positions in samples]
    found = []
    for quantity in QUANTITIES:
        value, floor = (find_worst_bin(sums[0], other, quantity) for other in sums[1:])
        found.append(
            Measurement(
                name=f"conditions.{quantity}",
                title=quantity,
                value=value.deviation,
                error=value.spread,
                floor=floor.deviation,
                floor_error=floor.spread,
            )
        )
    return found


def judge_split(pool: Pool, split: int) -> Row:
    """Return the deviation of each measurement from its floor, and what Holm's test flags."""
    samples = draw(split)
    found = judge_conditions(pool, samples)
    for table, prefix in ((pool.table, "classifier"), (pool.read_out, "readout")):
        tables = JudgedTables(*(table.at(positions) for positions in samples))
        if prefix == "classifier":
            found += compare_observables(tables, [])[0]
        found += TreeJudge(SEED).judge(tables, TruthMemory(), prefix, "")[0]
    verdict = judge_measurements(found)
    deviations = {m.name: round(m.deviation, 3) for m in found}
    return {"split": split, "flagged": verdict.flagged, "tested": verdict.tested, "deviations": deviations}


def summarise(found: list[Row]) -> list[Row]:
    """Return spread and largest of the deviations of each measurement, and how often any was flagged."""
    rows = []
    for name in dict.fromkeys(name for split in found for name in split["deviations"]):
        values = np.array([split["deviations"][name] for split in found if name in split["deviations"]])
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


def rate_of(found: list[Row]) -> dict[str, object]:
    """Return in how many percent of the splits Holm's test flags anything, with the binomial error."""
    alarms = [row for row in found if row["flagged"]]
    part, number = len(alarms) / len(found), len(found)
    return {
        "splits": number,
        "tested": found[0]["tested"],
        "stated (%)": 100 * FAMILY_WISE_RATE,
        "flagged (%)": round(100 * part, 2),
        "flagged error": round(100 * float(np.sqrt(max(part, 1 / number) * (1 - part) / number)), 2),
        "by": sorted({name for row in alarms for name in row["flagged"]}),
    }


def main() -> None:
    """Judge the splits that are missing, print and record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--splits", type=int, default=200)
    parser.add_argument("--rows", type=Path, default=Path("judge_floors.jsonl"))
    arguments = parser.parse_args()
    lines = arguments.rows.read_text().splitlines() if arguments.rows.is_file() else []
    found: dict[int, Row] = {row["split"]: row for row in map(json.loads, lines)}
    missing = [split for split in range(arguments.splits) if split not in found]
    circumstances = describe_circumstances(1)
    pool = fill_pool(open_showers(arguments.folder / "zdc_ecal_positrons.h5")) if missing else None
    for split in missing:
        assert pool is not None
        found[split] = judge_split(pool, split)
        with arguments.rows.open("a") as rows:
            rows.write(json.dumps(found[split]) + "\n")
        print(split, found[split]["flagged"], flush=True)
    done = list(found.values())
    table, rate = summarise(done), rate_of(done)
    write_record(NAME, table, circumstances, showers=SHOWERS, flagged=FLAGGED, rate=rate)
    print_rows("truth against truth", table, circumstances)
    print(rate)


if __name__ == "__main__":
    main()
