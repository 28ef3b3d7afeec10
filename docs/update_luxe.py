"""Write the tables of docs/luxe.md from the studies and benchmarks: `python docs/update_luxe.py`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from page_tables import NOT_YET, fill, markdown, result

from calokit.report.rounding import round_to_error
from calokit.studies.claims import decide_claims
from calokit.studies.description import StudyFile

HOME = Path(__file__).resolve().parent.parent
PAGE = HOME / "docs" / "luxe.md"
SUM = "sum's RMS"

Row = dict[str, Any]
Entry = tuple[str, str, int]


def study_rows(name: str) -> list[Row]:
    """Read the finished rows of a study."""
    path = HOME / "studies" / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def grouped(rows: list[Row]) -> dict[Entry, list[Row]]:
    """Put the seeds of each entry and size together."""
    found: dict[Entry, list[Row]] = {}
    for row in rows:
        found.setdefault((row["study"], row["label"], row["showers"]), []).append(row)
    return found


def mean_of(rows: list[Row], metric: str, scale: float = 1.0) -> str:
    """Return the mean over seeds with its error: their spread, or the error of the common test showers."""
    known = [row["metrics"][metric] for row in rows if metric in row["metrics"]]
    if not known:
        return "-"
    values, errors = np.array([one[:2] for one in known]).T
    spread = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0
    return rounded(scale * float(values.mean()), scale * max(spread, float(errors.mean())))


def floor_of(rows: list[Row], metric: str, scale: float = 1.0) -> str:
    """Return what the best classical method reaches."""
    known = rows[0]["metrics"].get(metric)
    return "-" if known is None else rounded(scale * known[2], scale * known[3])


def rounded(value: float, error: float) -> str:
    """Return a value with its error, digits cut by the error; of a failed training not more than four."""
    return round_to_error(value, max(error, 1e-3 * abs(value))).plain() if error > 0 else f"{value:.3g}"


def beginning(entry: Entry, rows: list[Row]) -> list[str]:
    """Return what a table says first about an entry."""
    minutes = float(np.mean([row["cpu_minutes"] for row in rows]))
    return [entry[1], str(len(rows)), f"{entry[2]:,}", f"{rows[0]['presentations']:,}", f"{minutes:.1f}"]


FIRST = ["entry", "seeds", "showers", "shown", "CPU min"]


ENERGY_STUDIES = (
    "luxe_counting",
    "luxe_counting_curve",
    "luxe_energy",
    "luxe_energy_a",
    "luxe_learning_curve",
    "luxe_variants",
)
REPORT_STUDIES = ("luxe_published", "luxe_ablations")
CLAIMING_STUDIES = (*ENERGY_STUDIES, *REPORT_STUDIES, "luxe_place_variants")


def claims() -> str:
    """Return every claim of the studies and what became of it."""
    files = [StudyFile.read(HOME / "studies" / f"{name}.yaml") for name in CLAIMING_STUDIES]
    table = [["claim", "first", "second", "σ", "chance", "here"]]
    for one in decide_claims(files):
        values = [f"{np.mean(seeds):.3f} ({len(seeds)})" for seeds in (one.better, one.worse)]
        verdict = one.verdict if one.verdict == "undecided" else f"**{one.verdict}**"
        table.append(
            [one.claim.statement, *values, f"{one.deviations:+.1f}", f"{one.probability:.1g}", verdict]
        )
    return markdown(table)


def of_studies(*names: str) -> str:
    """Return the energy networks of studies."""
    table = [[*FIRST, "RMS / sum's", "MAE / sum's", "largest bias (%)", "judged on"]]
    for study in names:
        for entry, rows in grouped(study_rows(study)).items():
            table.append(
                [
                    *beginning(entry, rows),
                    mean_of(rows, "energy.rms_ratio"),
                    mean_of(rows, "energy.mae_ratio"),
                    mean_of(rows, "energy.largest_bias", 100),
                    f"{rows[0]['test_showers']:,}",
                ]
            )
    return markdown(table)


def energies(name: str) -> str:
    """Return the shipped bundle's errors by energy, beside the sum's, the trees' and the report's."""
    found = result(f"luxe_reconstruction_{name}")
    if found is None:
        return NOT_YET
    titles = "E (GeV), showers, bias (%), MAE, RMS, RMS of the sum, ratio, to best classical, 68.3 % covers"
    table = [[*titles.split(", "), "report: ME", "RMS", "ratio"]]
    for row in found["rows"]:
        theirs = [row["report's ME"], row["report's RMS"], row["report's sum"]]
        ratio = "-" if theirs[2] is None else f"{theirs[1] / theirs[2]:.3f}"
        table.append(
            [
                f"{row['E (GeV)']:g}",
                f"{row['showers']:,}",
                rounded(row["bias (%)"], row["its error"]),
                f"{row['MAE']:.3f}",
                f"{row['RMS']:.3f}",
                f"{row[SUM]:.3f}",
                rounded(row["ratio"], row["error"]),
                rounded(row["to best classical"], row["its err."]),
                f"{rounded(row['68.3 % covers (%)'], row['error of it'])} %",
                *["-" if one is None else f"{one:.3f}" for one in theirs[:2]],
                ratio,
            ]
        )
    return markdown(table)


SETS = {"fresh_test": "A, fresh", "reference_b_test": "B"}


def summary() -> str:
    """Return what the tables by energy come to."""
    table = [["set", "showers", "RMS / sum's", "MAE / sum's", "layer weights", "boosted trees"]]
    table[0] += ["RMS / trees'", "below it by", "largest bias", "a / sqrt(E) + b / E + c", "of the sum"]
    for name, title in SETS.items():
        found = result(f"luxe_reconstruction_{name}")
        if found is None:
            return NOT_YET
        facts = found["settings"]
        table.append(
            [
                title,
                f"{sum(row['showers'] for row in found['rows']):,}",
                rounded(*facts["rms_ratio"]),
                f"{facts['mae_ratio']:.3f}",
                *[rounded(*facts["classical"][one]) for one in ("layer weights", "boosted trees")],
                rounded(*facts["ratio_to_best_classical"]),
                f"{facts['significance']:.0f} σ",
                f"{facts['largest_bias_percent']:.2f} %",
                facts["law"],
                facts["law_of_the_sum"],
            ]
        )
    return markdown(table)


def coverage() -> str:
    """Return how often the truth lies within an interval, over all energies."""
    table = [["set", "50 % covers", "68.3 %", "90 %", "95.4 %", "chi^2 of 68.3 % by energy", "energies"]]
    for name, title in SETS.items():
        found = result(f"luxe_reconstruction_{name}")
        if found is None:
            return NOT_YET
        covered = found["settings"]["coverage"]
        rows = found["rows"]
        square = sum(((row["68.3 % covers (%)"] - 68.27) / row["error of it"]) ** 2 for row in rows)
        parts = [
            f"{rounded(100 * covered[level][0], 100 * covered[level][1])} %"
            for level in ("0.5", "0.683", "0.9", "0.954")
        ]
        table.append([title, *parts, f"{square:.1f}", str(len(rows))])
    return markdown(table)


def memorised() -> str:
    """Return how much worse unseen energies are than seen ones."""
    found = result("luxe_reconstruction_reference_b_test")
    if found is None:
        return NOT_YET
    rows = [["estimate", "RMS / sqrt(E) at 7.5 and 12.5 GeV over that at 5, 10 and 15 GeV, minus one"]]
    for key, title in (("memorised", "network"), ("memorised_by_the_sum", "calibrated sum")):
        value, error = found["settings"][key]
        rows.append([title, f"{rounded(100 * value, 100 * error)} %"])
    return markdown(rows)


LEARNERS = {
    "network that counts": ("counting-12000steps", ("luxe_counting_curve", "luxe_counting")),
    "network on hits": ("hits-12000steps", ("luxe_learning_curve", "luxe_energy")),
}
"""Label and studies of each network's learning curve; the last study is its end."""


def learning() -> str:
    """Return the learning curves of the networks on hits, averaged over their seeds."""
    curves: dict[str, dict[int, list[Row]]] = {}
    for title, (label, studies) in LEARNERS.items():
        rows = [row for study in studies for row in study_rows(study) if row["label"] == label]
        curves[title] = {entry[2]: own for entry, own in grouped(rows).items()}
    if not any(curves.values()):
        return NOT_YET
    table = [["showers", *[word for title in LEARNERS for word in (title, "seeds")]]]
    for size in sorted({size for curve in curves.values() for size in curve}):
        cells = [f"{size:,}"]
        for curve in curves.values():
            rows = curve.get(size, [])
            cells += [mean_of(rows, "energy.rms_ratio"), str(len(rows) or "-")]
        table.append(cells)
    return markdown(table)


PLACES = {
    "position.rms_ratio_x": "x",
    "position.rms_ratio_y": "y",
    "angle.rms_ratio_x": "angle x",
    "angle.rms_ratio_y": "angle y",
    "position.slope_x": "slope of x",
    "angle.slope_x": "slope of angle x",
    "angle.slope_y": "slope of angle y",
}


def places() -> str:
    """Return the networks for impact and direction: RMS over the log-weighted fit's, and slopes."""
    table = [[*FIRST, *PLACES.values()]]
    for study in ("luxe_place", "luxe_place_variants"):
        for entry, rows in grouped(study_rows(study)).items():
            table.append([*beginning(entry, rows), *[mean_of(rows, one) for one in PLACES]])
    rows = study_rows("luxe_place")
    if rows:
        table.append(["log-weighted fit", "", "", "", "", *[floor_of(rows, one) for one in PLACES]])
    return markdown(table)


def places_by_energy() -> str:
    """Return RMS of impacts and angles by energy on the tilted set and on B."""
    table = [["set, quantity", "mean ratio", "RMS / RMS of the log-weighted fit, by energy in GeV"]]
    for name, title in (("tilted_test", "tilted 0 to 9 degrees"), ("b_test", "B")):
        found = result(f"luxe_places_{name}")
        if found is None:
            return NOT_YET
        for quantity in dict.fromkeys(row["quantity"] for row in found["rows"]):
            own = [row for row in found["rows"] if row["quantity"] == quantity]
            table.append(
                [
                    f"{title}, {quantity}",
                    rounded(own[0]["mean ratio"], own[0]["its error"]),
                    ", ".join(
                        f"{row['E (GeV)']:g}: {row['RMS']:.3g} / {row['log-weighted fit']:.3g}" for row in own
                    ),
                ]
            )
    return markdown(table)


PARTICLES = {
    "particles.right_count": ("right number (%)", 100.0),
    "particles.found": ("found (%)", 100.0),
    "particles.fake": ("fakes (%)", 100.0),
    "particles.energy_over_root": ("dE / sqrt(E) (%)", 100.0),
    "particles.rms_x": ("x (mm)", 1.0),
    "particles.rms_y": ("y (mm)", 1.0),
}


def particles() -> str:
    """Return the network for several particles beside the clusters."""
    table = [[*FIRST, *[title for title, _ in PARTICLES.values()]]]
    found = study_rows("luxe_particles")
    for entry, rows in grouped(found).items():
        table.append(
            [*beginning(entry, rows), *[mean_of(rows, one, scale) for one, (_, scale) in PARTICLES.items()]]
        )
    if found:
        floors = [floor_of(found, one, scale) for one, (_, scale) in PARTICLES.items()]
        table.append(["peaks and shared cells", "", "", "", "", *floors])
    return markdown(table)


def speed() -> str:
    """Return events a second on one core."""
    found = result("luxe_speed")
    if found is None:
        return NOT_YET
    (row,) = found["rows"]
    return (
        f"`zoo/luxe_energy.calokit`: {row['events a processor second']:.0f} events a processor second, "
        f"reading, hits and all members included ({found['processor']}, one thread)."
    )


def pads() -> str:
    """Return lines in what pads of 1 and 5 mm hold, and the shipped network on the same showers."""
    found, shipped = result("luxe_pads"), result("luxe_reconstruction_fresh_test")
    if found is None or shipped is None:
        return NOT_YET
    table = [["energy from", "RMS / sum's"]]
    table += [[f"line in {row['line in']}", rounded(row["RMS ratio"], row["error"])] for row in found["rows"]]
    table.append(["boosted trees, 5 mm", rounded(*shipped["settings"]["classical"]["boosted trees"])])
    table.append(["the shipped network, 5 mm", rounded(*shipped["settings"]["rms_ratio"])])
    numbers = found["settings"]
    told = (
        f"A shower has {numbers['entries']:.0f} entries, {numbers['narrow']:.0f} hit pads of 1 mm and "
        f"{numbers['wide']:.0f} of 5 mm ({numbers['showers']:,} showers)."
    )
    return f"{markdown(table)}\n\n{told}"


def wall() -> str:
    """Return learners of different kinds on the same showers."""
    found, shipped = result("luxe_wall"), result("luxe_reconstruction_fresh_test")
    if found is None:
        return NOT_YET
    table = [["learner", "seed", "showers", "shown", "CPU min", "RMS / sum's"]]
    for row in found["rows"]:
        counts = [f"{row[name]:,}" for name in ("showers", "shown")]
        ratio = rounded(row["RMS ratio"], row["error"])
        table.append([row["entry"], str(row["seed"]), *counts, f"{row['CPU min']:.1f}", ratio])
    if shipped is not None:
        ratio = rounded(*shipped["settings"]["classical"]["boosted trees"])
        table.append(["boosted trees", "", f"{found['rows'][0]['showers']:,}", "", "", ratio])
    return markdown(table)


def ends() -> str:
    """Return RMS over the sum's at the ends of set A and between, with and without energies beyond them."""
    table = [["trained on", "seeds", "3 GeV", "5 to 18 GeV", "20 GeV", "all"]]
    for name, title in (("luxe_energy_a", "A alone"), ("luxe_energy", "A and 1, 2, 21, 22 GeV")):
        curves = []
        for row in study_rows(name):
            known = row["curves"]["energy"]
            ratios = np.array(known["rms"])[:, 0] / np.array(known["calibrated_sum_rms"])[:, 0]
            grid = np.array(known["energies_gev"])
            middle = ratios[(grid >= 5) & (grid <= 18)].mean()
            curves.append([ratios[grid == 3][0], middle, ratios[grid == 20][0], ratios.mean()])
        values = np.array(curves)
        errors = values.std(axis=0, ddof=1) / np.sqrt(len(values))
        cells = [rounded(*pair) for pair in zip(values.mean(axis=0), errors, strict=True)]
        table.append([title, str(len(values)), *cells])
    return markdown(table)


def by_multiplicity() -> str:
    """Return the share of events with the right number of particles, by their true number."""
    rows = study_rows("luxe_particles")
    if not rows:
        return NOT_YET
    curves = [row["curves"]["particles"] for row in rows]
    table = [["particles", "events", f"network, {len(rows)} seeds (%)", "peaks and shared cells (%)"]]
    for number in range(1, len(curves[0]["confusion"])):
        shares = []
        for key in ("confusion", "confusion_of_clusters"):
            counts = np.array([curve[key][number] for curve in curves])
            right = counts[:, number] / counts.sum(axis=1)
            events = int(counts[0].sum())
            chance = np.sqrt((right.mean() * events + 1) * (events - right.mean() * events + 1) / events**3)
            spread = right.std(ddof=1) / np.sqrt(len(right)) if len(right) > 1 else 0.0
            shares.append(rounded(100 * float(right.mean()), 100 * max(spread, chance)))
        table.append([str(number), f"{events:,}", *shares])
    return markdown(table)


TABLES: dict[str, Callable[[], str]] = {
    "summary": summary,
    "coverage": coverage,
    "energies_a": lambda: energies("fresh_test"),
    "energies_b": lambda: energies("reference_b_test"),
    "ends": ends,
    "memorised": memorised,
    "learning": learning,
    "pads": pads,
    "wall": wall,
    "early": lambda: of_studies("luxe_variants"),
    "report": lambda: of_studies(*REPORT_STUDIES),
    "places": places,
    "places_by_energy": places_by_energy,
    "particles": particles,
    "by_multiplicity": by_multiplicity,
    "claims": claims,
    "speed": speed,
    "variants": lambda: of_studies(*ENERGY_STUDIES[:-1]),
}


if __name__ == "__main__":
    PAGE.write_text(fill(PAGE.read_text(), TABLES))
