"""Write the tables of docs/zdc.md from benchmarks/results/zdc_system.json: `python docs/update_zdc.py`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from page_tables import NOT_YET, RESULTS, fill, markdown, result

from calokit.report.rounding import round_to_error

HOME = Path(__file__).resolve().parent.parent
PAGE = HOME / "docs" / "zdc.md"
LEARNED = {"zdc_learning": "learning-h16-128k", "zdc_system": "regression-h16-128k"}
"""The label of the learning curve's entry in each study."""
NEUTRON_METRICS = ("classifier", "response", "resolution", "hits", "separation.visible", "separation.depth")

Row = dict[str, Any]

COLUMNS = {
    "mse.mean": "MSE of cell / E (1e-5)",
    "separation.cell_130": "cell 130 (1e-3)",
    "separation.cell_210": "cell 210 (1e-3)",
    "separation.cells_mean": "all cells (1e-3)",
    "response.mean_deviation": "response (%)",
    "resolution.mean_deviation": "resolution (%)",
    "classifier.auc_low": "AUC, cells",
    "classifier.auc_high": "AUC, observables",
}
SCALES = {"(1e-5)": 1e5, "(1e-3)": 1e3, "(%)": 1e2}
"""What a value is multiplied by, told by the end of its title."""


def read() -> dict[str, Any]:
    """Read the system's outcome."""
    content: dict[str, Any] = json.loads((RESULTS / "zdc_system.json").read_text())
    return content


def recipes() -> str:
    """Return every entry of the studies with its metrics and, in a last row a study, their floor."""
    table = [["entry", "seeds", "showers", "CPU min", *COLUMNS.values()]]
    rows = read()["rows"]
    for study in dict.fromkeys(row["study"] for row in rows):
        own = [row for row in rows if row["study"] == study]
        table.append([f"**{study}**, {own[0]['judged_on']}", *[""] * (len(table[0]) - 1)])
        for row in own:
            cells = [_value(row, metric, title) for metric, title in COLUMNS.items()]
            counts = [str(row["seeds"]), f"{row['showers']:,}", f"{row['cpu_minutes']:.1f}"]
            table.append([row["label"], *counts, *cells])
        floors = [_value(own[0], metric, title, floor=True) for metric, title in COLUMNS.items()]
        table.append(["truth against truth", "", "", "", *floors])
    return markdown(table)


def bins() -> str:
    """Return response and resolution over truth's in bins of the incident energy, for every entry."""
    rows = [row for row in read()["rows"] if "response" in row["curves"]]
    if not rows:
        return "No row has been measured yet."
    edges = rows[0]["curves"]["response"]["edges_gev"]
    titles = [f"{low:.3g} to {high:.3g} GeV" for low, high in pairwise(edges)]
    table = [["entry, response / resolution over truth's", *titles]]
    for row in rows:
        curves = [row["curves"][name] for name in ("response", "resolution")]
        ratios = [_ratios(curve["value"], curve["reference"]) for curve in curves]
        table.append([row["label"], *[" / ".join(pair) for pair in zip(*ratios, strict=True)]])
    return markdown(table)


def findings() -> str:
    """Return which of the reports' findings hold."""
    table = [["the reports", "metric", "first", "second", "difference", "here"]]
    table += [
        [
            one["statement"].replace("|", "\\|"),
            one["metric"],
            f"{one['better'][0]}: {_rounded(*one['better'][1:])}",
            f"{one['worse'][0]}: {_rounded(*one['worse'][1:])}",
            f"{one['sigma']:+.1f} σ",
            one["verdict"],
        ]
        for one in read()["settings"]["findings"]
    ]
    return markdown(table)


def shipped() -> str:
    """Return the scorecards of the shipped bundles."""
    table = [["bundle", "presentations", "CPU min", "judged on", *COLUMNS.values()]]
    for one in read()["settings"]["shipped"]:
        card = one["scorecard"]
        if card is None:
            continue
        row = {"metrics": card["measurements"]}
        cells = [_value(row, metric, title) for metric, title in COLUMNS.items()]
        made = [f"{one['presentations']:,}", f"{one['cpu_minutes']:.0f}"]
        judged = f"{card['test_showers']:,} of {card['test_file']}"
        table.append([f"`{one['bundle']}`", *made, judged, *cells])
    return markdown(table)


def speed() -> str:
    """Return the generation times beside Geant4's."""
    settings = read()["settings"]
    if not settings["speed"]:
        return NOT_YET
    table = [["bundle", "batch", "ms a shower", "ms of processor time"]]
    table += [
        [row["bundle"], f"{row['batch']:,}", f"{row['ms/shower']:.3g}", f"{row['processor ms/shower']:.3g}"]
        for row in settings["speed"]
    ]
    geant4 = settings["geant4"]
    if geant4:
        times = [f"{geant4[name]:.3g}" for name in ("ms_per_shower", "processor_ms_per_shower")]
        table.append(["Geant4, the same particles", "1", *times])
    return markdown(table)


def _value(row: Row, metric: str, title: str, floor: bool = False) -> str:
    found = row["metrics"].get(metric)
    if found is None:
        return ""
    scale = SCALES.get(title.split()[-1], 1.0)
    value, error = found[2:] if floor else found[:2]
    return _rounded(scale * value, scale * error)


def _rounded(value: float, error: float) -> str:
    return round_to_error(value, error).plain()


def _ratios(values: Sequence[float | None], references: Sequence[float | None]) -> list[str]:
    pairs = zip(values, references, strict=True)
    return ["-" if value is None or not truth else f"{value / truth:.2f}" for value, truth in pairs]


def learning() -> str:
    """Return the regression over its number of training showers."""
    rows = [row for row in read()["rows"] if row["label"] == LEARNED["zdc_learning"]]
    rows += [row for row in read()["rows"] if row["label"] == LEARNED["zdc_system"]]
    if len(rows) < 2:
        return NOT_YET
    shown = ("mse.mean", "separation.cells_mean", "response.mean_deviation", "resolution.mean_deviation")
    table = [["showers", "seeds", *[COLUMNS[metric] for metric in shown]]]
    for row in sorted(rows, key=lambda one: int(one["showers"])):
        cells = [_value(row, metric, COLUMNS[metric]) for metric in shown]
        table.append([f"{row['showers']:,}", str(row["seeds"]), *cells])
    return markdown(table)


def centres() -> str:
    """Return how far generated shower centres lie from true ones, and the cells by ring."""
    found = result("zdc_diagnostics")
    if found is None:
        return NOT_YET
    rings = ("inner", "outer")
    titles = [f"separation of {ring} cells (1e-3)" for ring in rings]
    table = [["network", "distance of centres (mm)", "median (mm)", "empty (%)", *titles]]
    table += [
        [
            row["bundle"],
            _rounded(row["centre (mm)"], row["its error"]),
            f"{row['median (mm)']:.1f}",
            f"{100 * row['empty']:.1f}",
            *[f"{1e3 * row[f'separation, {ring} cells']:.2f}" for ring in rings],
        ]
        for row in found["rows"]
    ]
    least, first = found["settings"]["centre_floor_mm"], found["rows"][0]
    floors = [f"{1e3 * first[f'floor, {ring} cells']:.2f}" for ring in rings]
    table.append(["truth against truth", "-" if least is None else _rounded(*least), "", "", *floors])
    return markdown(table)


def neutrons() -> str:
    """Return the scorecard of the neutrons' bundle."""
    found = result("zdc_neutrons")
    if found is None:
        return NOT_YET
    table = [["measurement", "generated", "truth against truth"]]
    table += [
        [
            f"`{row['metric']}`",
            _rounded(row["value"], row["error"]),
            _rounded(row["floor"], row["its error"]),
        ]
        for row in found["rows"]
        if row["metric"].startswith(NEUTRON_METRICS)
    ]
    facts = found["settings"]
    words = (
        f"Judged on {facts['test_showers']} showers of another seed, cells above "
        f"{facts['threshold_mev']:g} MeV; "
        f"{facts['milliseconds_per_shower']:.0f} ms a shower ({facts['timing_note']})."
    )
    return markdown(table) + "\n\n" + words


TABLES: dict[str, Callable[[], str]] = {
    "recipes": recipes,
    "bins": bins,
    "findings": findings,
    "shipped": shipped,
    "speed": speed,
    "learning": learning,
    "centres": centres,
    "neutrons": neutrons,
}


if __name__ == "__main__":
    PAGE.write_text(fill(PAGE.read_text(), TABLES))
