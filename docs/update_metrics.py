"""Write the tables of docs/metrics.md from benchmarks/results: `python docs/update_metrics.py`."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from page_tables import NOT_YET, fill, markdown, result

from calokit.report.rounding import round_to_error

HOME = Path(__file__).resolve().parent.parent
RESULTS = HOME / "benchmarks" / "results"
PAGE = HOME / "docs" / "metrics.md"
KIND_NAMES = {"cls-high": "DNN, observables", "cls-low": "DNN, cells", "cls-resnet": "CNN"}

Row = dict[str, Any]


def read(name: str) -> dict[str, Any]:
    """Read one result."""
    content: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return content


def agreement() -> str:
    """Return every metric beside what it was tested against."""
    found = read("metric_agreement")
    table = [["metric", "tested against", "difference", "error / spread", "floor"]]
    table += [
        [
            row["metric"],
            row["against"],
            _difference(row["difference"], row["relative"]),
            _ratio(row["error_over_spread"]),
            _floor(row["floor"], row["floor_showers"]),
        ]
        for row in found["rows"]
    ]
    words = (
        f"By `benchmarks/metrics/metric_agreement.py`, {found['date'][:10]}, numpy {found['numpy']}; the "
        "codes of others run in an environment of their own, on the same arrays."
    )
    return markdown(table) + "\n\n" + words


def _difference(value: float, relative: bool) -> str:
    if value == 0.0:
        return "0"
    return f"{value:.1g}" + (" rel." if relative else "")


def _ratio(ratios: list[float] | None) -> str:
    if ratios is None:
        return ""
    low, high = (f"{ratio:.2f}" for ratio in ratios)
    return low if low == high else f"{low} to {high}"


def _floor(floor: dict[str, float] | None, showers: str) -> str:
    if floor is None:
        return ""
    return f"{round_to_error(floor['value'], floor['error']).plain()} ({showers})"


def classifiers() -> str:
    """Return areas, divergences and times of both codes, and how they agree with the same weights."""
    found = read("challenge_classifiers")
    same = found["settings"]["same_weights"]
    parts = []
    if same:
        table = [["network", "scores", "AUC", "JSD"]]
        table += [
            [KIND_NAMES[row["kind"]], *(_difference(row[name], False) for name in ("scores", "auc", "jsd"))]
            for row in same
        ]
        words = (
            "With the same weights in both codes, largest difference of the scores (over the largest score), "
            "of the calibrated area and of the divergence in bits:"
        )
        parts += [words, markdown(table)]
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in found["rows"]:
        groups.setdefault((row["kind"], row["pair"], row["code"]), []).append(row)
    titles = "network|Geant4 against|code|showers a class|epochs|AUC|JSD (bits)|s a training"
    table = [titles.split("|")]
    for (kind, pair, code), rows in sorted(groups.items()):
        first = rows[0]
        table.append(
            [
                KIND_NAMES[kind],
                pair,
                code,
                f"{first['showers']:,}",
                str(first["epochs"]),
                _several([row["auc"] for row in rows]),
                _several([row["jsd"] for row in rows]),
                f"{statistics.mean(row['seconds'] for row in rows):.0f}",
            ]
        )
    if groups:
        words = (
            "Trained from scratch by each code on the same showers (its own splits and initial weights; "
            "double precision; published settings but for the epochs). Several trainings: mean and, in "
            "brackets, standard deviation between them; of one training the area has an error of about 0.02 "
            "from its showers alone. Seconds are processor time of one core."
        )
        parts += [words, markdown(table)]
    return "\n\n".join(parts)


def _several(values: list[float]) -> str:
    mean = statistics.mean(values)
    return f"{mean:.3f}" if len(values) == 1 else f"{mean:.3f} ({statistics.stdev(values):.3f})"


def cost() -> str:
    """Return memory and time of evaluations."""
    found = read("evaluation_cost")
    rows = sorted(found["rows"], key=lambda row: (row["code"] != "calokit", row["cells"], row["showers"]))
    titles = "code|cells|showers of each sample|samples|peak MiB|processor s|wall s (load)"
    table = [titles.split("|")]
    table += [
        [
            row["code"],
            f"{row['cells']:,}",
            f"{row['showers']:,}",
            "3" if row["code"] == "calokit" else "2",
            f"{row['peak MiB']:,.0f}",
            f"{row['processor seconds']:,.0f}",
            f"{row['wall seconds']:,.0f} ({row['load']:.0f})",
        ]
        for row in rows
        if row["ended well"] == "yes"
    ]
    words = (
        "`calokit evaluate --classifiers 0` on parametric showers: one pass over reference, generated and "
        "floor sample, all measurements without neural classifiers, report and figures. CaloChallenge's own "
        "evaluate.py in its mode `hist` reads two samples and draws their histograms (without LaTeX). One "
        "thread; the wall time depends on what else ran on the two cores. Processor: "
        f"{found['processor']}."
    )
    return words + "\n\n" + markdown(table)


def verdict() -> str:
    """Return how often truth was flagged against truth, and from which size planted damages are."""
    truth = [["reference set", "splits", "showers of each sample", "flagged", "by"]]
    truth += [
        [
            row["set"],
            str(row["splits"]),
            "" if row["showers a sample"] is None else f"{row['showers a sample']:,}",
            f"{row['flagged (%)']:.1f} ± {row['error']:.1f} %",
            row["by"],
        ]
        for row in read("verdict_truth")["rows"]
    ]
    damages = [["held-out truth of", "damaged", "flagged from showers", "first by"]]
    damages += [
        [row["set"], row["damage"], str(row["flagged from showers"]), row["first by"]]
        for row in read("verdict_damage")["rows"]
    ]
    return markdown(truth) + "\n\n" + markdown(damages)


def tree_judge() -> str:
    """Return the strong judge's areas of generated samples, raw and read out, by group."""
    found = result("tree_judge")
    if found is None:
        return NOT_YET
    groups = list(dict.fromkeys(group for row in found["rows"] for group in row["areas"]))
    titles = ["all observables", *(group.replace("_", " ") for group in groups[1:])]
    table = [["sample", "readout", "showers a class", *titles]]
    for row in [*found["rows"], *_shipped_rows()]:
        whole = row["areas"][groups[0]]
        areas = [f"**{_area(*whole[:2])}** (floor {_area(*whole[2:])})"]
        areas += [f"{row['areas'][g][0]:.3f}" if g in row["areas"] else "" for g in groups[1:]]
        table.append([row["sample"], row["readout"], f"{row['showers']:,}", *areas])
    return markdown(table)


def _shipped_rows() -> list[Row]:
    """Return the same of the shipped surrogates and those before them, from their scorecards."""
    rows: list[Row] = []
    for path in sorted(RESULTS.glob("scorecard_*.json")):
        if "_seed_" in path.stem:
            continue
        card = json.loads(path.read_text())
        for prefix, readout in (("classifier", "raw"), ("readout", "3 % and 0.3 thresholds, cut at 1.5")):
            found = card["measurements"]
            if f"{prefix}.auc_boosted" not in found:
                continue
            areas = {"auc_boosted": found[f"{prefix}.auc_boosted"]}
            before = f"{prefix}_group."
            areas |= {key.removeprefix(before): one for key, one in found.items() if key.startswith(before)}
            name = f"`{path.stem.removeprefix('scorecard_')}`"
            rows.append({"sample": name, "readout": readout, "showers": card["test_showers"], "areas": areas})
    return rows


def _area(value: float, error: float) -> str:
    return f"{value:.3f} ± {error:.3f}"


def topology() -> str:
    """Return from how many showers on the strong judge sees planted damages of topology."""
    found = result("topology_damages")
    if found is None:
        return NOT_YET
    titles = "held-out truth of|damaged|seen from showers|area at|floor|best group alone"
    table = [titles.split("|")]
    table += [
        [
            row["set"],
            row["damage"],
            f"not at {row['largest size']:,}"
            if row["seen from showers"] is None
            else f"{row['seen from showers']:,}",
            f"{_area(row['auc'], row['error'])} ({row['largest size']:,})",
            _area(row["floor"], row["floor error"]),
            f"{row['best group']} {row['its auc']:.3f}" if row["best group"] else "",
        ]
        for row in found["rows"]
    ]
    return markdown(table)


def judge_floors() -> str:
    """Return how far truth lies from truth in the measurements of topology, conditions and trees."""
    found = result("judge_floors")
    if found is None:
        return NOT_YET
    table = [["measurement", "splits", "spread of the deviations", "largest", "above 3.3"]]
    table += [
        [
            f"`{row['measurement']}`",
            str(row["splits"]),
            f"{row['spread']:.2f}",
            f"{row['largest']:.1f}",
            str(row["above"]),
        ]
        for row in found["rows"]
    ]
    rate, showers = found["settings"]["rate"], found["settings"]["showers"]
    words = (
        f"{rate['splits']} splits of {showers:,} showers a sample, {rate['tested']} measurements: "
        f"Holm's test flagged any in {rate['flagged (%)']:.1f} ± {rate['flagged error']:.1f} % of them "
        f"(stated: at most {rate['stated (%)']:g} %)."
    )
    return words + "\n\n" + markdown(table)


def topology_cost() -> str:
    """Return what topology and trees cost in an evaluation."""
    found = result("topology_cost")
    if found is None:
        return NOT_YET
    table = [["work", "showers", "processor s"]]
    table += [
        [row["work"], f"{row['showers']:,}", f"{row['processor seconds']:,.1f}"] for row in found["rows"]
    ]
    settings = found["settings"]
    seconds = {row["work"]: float(row["processor seconds"]) for row in found["rows"]}
    ratio = seconds["all"] / seconds["all but topology and trees"]
    words = (
        f"Three samples of {settings['showers']:,} parametric showers of {settings['cells']:,} cells, "
        f"without neural classifiers, one thread: {ratio:.1f} times the time without topology and trees, "
        f"peak {settings['peak_mib']:,.0f} MiB. Processor: {found['processor']}."
    )
    return words + "\n\n" + markdown(table)


TABLES: dict[str, Callable[[], str]] = {
    "verdict": verdict,
    "tree_judge": tree_judge,
    "topology": topology,
    "judge_floors": judge_floors,
    "agreement": agreement,
    "classifiers": classifiers,
    "cost": cost,
    "topology_cost": topology_cost,
}


if __name__ == "__main__":
    PAGE.write_text(fill(PAGE.read_text(), TABLES))
