"""Write the tables of docs/luxe.md from the studies and benchmarks: `python docs/update_luxe.py`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from page_tables import NOT_YET, fill, markdown, result

from calokit.report.rounding import round_to_error

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


def variants() -> str:
    """Return every energy network of the studies."""
    table = [[*FIRST, "RMS / sum's", "MAE / sum's", "largest bias (%)", "judged on"]]
    for study in ENERGY_STUDIES:
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
    titles = "E (GeV), showers, bias (%), MAE, RMS, RMS of the sum, ratio, to best classical"
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
                *["-" if one is None else f"{one:.3f}" for one in theirs[:2]],
                ratio,
            ]
        )
    return markdown(table)


def summary() -> str:
    """Return what the tables by energy come to."""
    table = [["set", "RMS / sum's", "MAE / sum's", "RMS / best classical", "below it by", "worst energy"]]
    table[0] += ["largest bias", "a / sqrt(E) + b / E + c", "of the sum", "pull width", "68.3 % covers"]
    for name, title in (("a_test", "A"), ("b_test", "B"), ("a_test_alone", "A, trained on A alone")):
        found = result(f"luxe_reconstruction_{name}")
        if found is None:
            return NOT_YET
        facts = found["settings"]
        table.append(
            [
                title,
                rounded(*facts["rms_ratio"]),
                f"{facts['mae_ratio']:.3f}",
                rounded(*facts["ratio_to_best_classical"]),
                f"{facts['significance']:.0f} σ",
                f"{facts['worst_sigma']:+.1f} σ",
                f"{facts['largest_bias_percent']:.2f} %",
                facts["law"],
                facts["law_of_the_sum"],
                rounded(*facts["pull_width"]),
                f"{100 * facts['coverage']['0.683'][0]:.1f} %",
            ]
        )
    return markdown(table)


def memorised() -> str:
    """Return how much worse unseen energies are than seen ones."""
    found = result("luxe_reconstruction_b_test")
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
    """Return the learning curves of all learners, single networks averaged over their seeds."""
    trees = result("luxe_trees")
    curves: dict[str, dict[int, list[Row]]] = {}
    for title, (label, studies) in LEARNERS.items():
        rows = [row for study in studies for row in study_rows(study) if row["label"] == label]
        curves[title] = {entry[2]: own for entry, own in grouped(rows).items()}
    if trees is None or not any(curves.values()):
        return NOT_YET
    of_trees = {row["showers"]: rounded(row["RMS ratio"], row["error"]) for row in trees["rows"]}
    table = [["showers", *[word for title in LEARNERS for word in (title, "seeds")], "boosted trees"]]
    for size in sorted({size for curve in curves.values() for size in curve}):
        cells = [f"{size:,}"]
        for curve in curves.values():
            rows = curve.get(size, [])
            cells += [mean_of(rows, "energy.rms_ratio"), str(len(rows) or "-")]
        table.append([*cells, of_trees.get(size, "-")])
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


def entries() -> str:
    """Return where perfect counting ends."""
    found = result("luxe_entries")
    if found is None:
        return NOT_YET
    table = [["energy from", "RMS / sum's"]]
    titles = {"true entries": "line through the true entries of the layers", "network": "the shipped network"}
    rows = [[titles[row["energy from"]], rounded(row["RMS ratio"], row["error"])] for row in found["rows"]]
    return markdown([*table, *rows])


TABLES: dict[str, Callable[[], str]] = {
    "summary": summary,
    "energies_a": lambda: energies("a_test"),
    "energies_b": lambda: energies("b_test"),
    "memorised": memorised,
    "learning": learning,
    "entries": entries,
    "places": places,
    "places_by_energy": places_by_energy,
    "particles": particles,
    "speed": speed,
    "variants": variants,
}


if __name__ == "__main__":
    PAGE.write_text(fill(PAGE.read_text(), TABLES))
