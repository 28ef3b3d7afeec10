"""Write the tables of docs/clic.md from what the benchmarks measured: `python docs/update_clic.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from page_tables import (
    NOT_DECIDED,
    NOT_YET,
    Row,
    decided,
    fill,
    markdown,
    mean_over_seeds,
    plain,
    processor_time,
    result,
    times_by_batch,
)

from calokit.studies.description import StudyFile
from calokit.studies.table import read_table

HOME = Path(__file__).resolve().parent.parent
PAGE = HOME / "docs" / "clic.md"
STUDY = HOME / "studies" / "clic_ensembles.yaml"

COLUMNS = {
    "divergence.shannon": "JSD (bits)",
    "sampling.mean_deviation": "sampling fraction in 10 GeV bins (%)",
    "edges.mean_deviation": "edges",
    "classifier.auc_low": "AUC, cells",
    "classifier.auc_high": "AUC, observables",
    "classifier.auc_boosted": "AUC, trees",
    "readout.auc_boosted": "trees, read out",
    "distance.fpd": "FPD",
    "neighbours.coverage": "coverage",
}
PERCENT = "(%)"


def toy() -> str:
    """Return modes found and coverage against the number of members."""
    record = result("adagan_toy")
    if record is None:
        return NOT_YET
    facts = record["settings"]
    rules = list(dict.fromkeys(row["rule"] for row in record["rows"]))
    table = [["members", *(f"{kind}, {rule}" for rule in rules for kind in ("modes found", "coverage"))]]
    for members in dict.fromkeys(row["members"] for row in record["rows"]):
        own = {row["rule"]: row for row in record["rows"] if row["members"] == members}
        cells = [
            plain(own[rule][kind], own[rule][f"{kind}, error"])
            for rule in rules
            for kind in ("modes found", "coverage")
        ]
        table.append([str(members), *cells])
    words = (
        f"Means over {facts['seeds']} sets of {facts['modes']} clusters, {facts['steps']:,} steps a member; "
        "as parts of all modes and of all data."
    )
    return f"{markdown(table)}\n\n{words}"


def entries() -> dict[str, list[Row]]:
    """Return the rows of each entry, in the order of the study."""
    rows = read_table(STUDY.with_suffix(".jsonl"))
    labels = [entry.label for entry in StudyFile.read(STUDY).study.recipes]
    found = {label: [row for row in rows if row["label"] == label] for label in labels}
    return {label: own for label, own in found.items() if own}


def ensembles() -> str:
    """Return every entry with its metrics, the mean over its seeds, and in a last row their floor."""
    known = entries()
    if not known:
        return NOT_YET
    table = [["entry", "seeds", "CPU min", *COLUMNS.values()]]
    for label, rows in known.items():
        minutes = f"{np.median([row['cpu_minutes'] for row in rows]):.3g}"
        cells = [_mean(rows, metric, title) for metric, title in COLUMNS.items()]
        table.append([label, str(len(rows)), minutes, *cells])
    first = next(iter(known.values()))[:1]
    floors = [_mean(first, metric, title, floor=True) for metric, title in COLUMNS.items()]
    table.append(["truth against truth", "", "", *floors])
    planned = sum(1 for _ in StudyFile.read(STUDY).runs())
    done = sum(len(rows) for rows in known.values())
    return f"{markdown(table)}\n\n{done} of the study's {planned} rows are in this table."


def speed() -> str:
    """Return the times of the shipped surrogates by batch, beside Geant4 on the same particles."""
    table = [["bundle", "alone", "batches of 100", "of 10,000", "Geant4"]]
    for name in ("clic_gan", "clic_adagan", "clic_cascade"):
        times = times_by_batch(name)
        if times:
            own = [times[batch] for batch in (1, 100, 10_000)]
            table.append([f"`zoo/{name}.calokit`", *own, processor_time(name)[1]])
    return markdown(table) if len(table) > 1 else NOT_YET


def claims() -> str:
    """Return the claims and what became of them; nothing before every seed of their entries is there."""
    file = StudyFile.read(STUDY)
    told = [["claim", "metric"], *([one.statement, f"`{one.metric}`"] for one in file.study.claims)]
    return decided(file) or f"{markdown(told)}\n\n{NOT_DECIDED}"


def sampling() -> str:
    """Return the sampling fraction over truth's in bins of 10 GeV, of each entry's seeds."""
    known = entries()
    if not known:
        return NOT_YET
    edges = next(iter(known.values()))[0]["curves"]["sampling_fraction"]["edges_gev"]
    table = [["entry", *(f"{low:g} to {high:g} GeV" for low, high in pairwise(edges))]]
    for label, rows in known.items():
        curves = [row["curves"]["sampling_fraction"] for row in rows]
        ratios = np.mean([np.divide(one["value"], one["reference"]) for one in curves], axis=0)
        table.append([label, *(f"{ratio:.3f}" for ratio in ratios)])
    return markdown(table)


def reweighting() -> str:
    """Return what the judge of the mixture found before each further member of the longest ensembles."""
    longest: dict[tuple[str, int], Row] = {}
    for row in read_table(STUDY.with_suffix(".jsonl")):
        key = row["recipe"], row["seed"]
        if row["adagan"] and len(row["adagan"]) > len(longest.get(key, {"adagan": ()})["adagan"]):
            longest[key] = row
    if not longest:
        return NOT_YET
    table = [["ensemble", "seed", "before member", "JSD on training showers (bits)"]]
    table[0] += ["effective number of showers, (Σw)²/Σw²", "without weight"]
    for (name, seed), row in sorted(longest.items()):
        for step in row["adagan"]:
            told = [f"{step['shannon_divergence_bits']:.3f}", f"{step['effective_showers']:.0f}"]
            table.append([name, str(seed), str(step["member"]), *told, str(step["without_weight"])])
    return markdown(table)


def angles() -> str:
    """Return the angles that showers tell, Geant4's and generated ones, in bins of the incident angle."""
    record = result("shower_angles")
    if record is None:
        return NOT_YET
    table = [["incident angle (degrees)", "showers"]]
    kinds = [(who, what) for what in ("in plane", "across") for who in ("Geant4", "generated")]
    table[0] += [f"{who}, {what}" for who, what in kinds]
    for row in record["rows"]:
        table.append([f"{row['low_deg']:g} to {row['high_deg']:g}", str(row["showers"])])
        for who, what in kinds:
            mean, spread = (row[f"{who}, {what}, {number}"] for number in ("mean", "spread"))
            table[-1].append(f"{plain(mean, spread / row['showers'] ** 0.5)}; {spread:.2f}")
    return markdown(table)


def formats() -> str:
    """Return time and cost of a generator's number formats."""
    record = result("generator_formats")
    if record is None:
        return NOT_YET
    table = [
        [
            "format",
            "ms a shower",
            "visible energy moves (%)",
            "layers move (%)",
            "AUC of trees against float32",
        ]
    ]
    for row in record["rows"]:
        moved = [
            f"{row[name]:.2g}" for name in ("visible energy, mean change (%)", "layers, largest change (%)")
        ]
        area = plain(row["AUC of trees against float32"], row["its error"]) if row["its error"] else "0.5"
        table.append([row["format"], f"{row['ms a shower']:.2f}", *moved, area])
    return markdown(table)


def _mean(rows: Sequence[Row], metric: str, title: str, floor: bool = False) -> str:
    """Return the mean over seeds in the unit of a column's title."""
    return mean_over_seeds(rows, metric, 100.0 if title.endswith(PERCENT) else 1.0, floor)


TABLES: dict[str, Callable[[], str]] = {
    "toy": toy,
    "ensembles": ensembles,
    "speed": speed,
    "claims": claims,
    "sampling": sampling,
    "reweighting": reweighting,
    "angles": angles,
    "formats": formats,
}


if __name__ == "__main__":
    PAGE.write_text(fill(PAGE.read_text(), TABLES))
