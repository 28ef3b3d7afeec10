"""Write the tables of docs/zdc.md from the ZDC studies and bundles: `python docs/update_zdc.py`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from page_tables import NOT_YET, fill, markdown, result

from calokit.bundles.bundle import Bundle, read_bundle
from calokit.bundles.legs import cpu_minutes_in_all, presentations_in_all
from calokit.bundles.standing import standing_of
from calokit.evaluation.metrics.binned import BinnedMoments
from calokit.evaluation.samples.pairing import squared_errors
from calokit.report.rounding import round_to_error
from calokit.showers import open_showers
from calokit.studies.claims import Decision, Entry, decide_claims, read_entries
from calokit.studies.description import StudyFile
from calokit.units import MEV_PER_GEV

HOME = Path(__file__).resolve().parent.parent
PAGE = HOME / "docs" / "zdc.md"
STUDIES = ("zdc_system", "zdc_learning", "zdc_iterations", "zdc_findings")
THRESHOLD_MEV = 0.1
NEUTRON_METRICS = (
    "classifier",
    "response.m",
    "resolution.m",
    "hits",
    "readout.auc",
    "separation.visible",
    "separation.depth",
)

COLUMNS = {
    "mse.mean": "MSE of cell / E (1e-5)",
    "separation.cells_mean": "all cells (1e-3)",
    "response.mean_deviation": "response (%)",
    "resolution.mean_deviation": "resolution (%)",
    "classifier.auc_low": "AUC, cells",
    "classifier.auc_high": "AUC, observables",
    "classifier.auc_boosted": "AUC, trees",
}
SCALES = {"(1e-5)": 1e5, "(1e-3)": 1e3, "(%)": 1e2}
"""What a value is multiplied by, told by the end of its title."""
CLAIMED = {**COLUMNS, "mse": "MSE of cell / E, highest energies (1e-5)"}


def study(name: str) -> StudyFile:
    """Read one of the studies."""
    return StudyFile.read(HOME / "studies" / f"{name}.yaml")


def claims() -> str:
    """Return every claim of the studies and what became of it."""
    decisions = decide_claims([study(name) for name in STUDIES])
    table = [["claim", "measured by", "first", "second", "σ", "chance", "here"]]
    for one in decisions:
        title = CLAIMED[one.claim.metric]
        told = [
            one.claim.statement.replace("|", "\\|"),
            title,
            _seeds(one.better, title),
            _seeds(one.worse, title),
        ]
        table.append([*told, *_decided(one)])
    return markdown(table)


def _decided(one: Decision) -> list[str]:
    if one.deviations is None or one.probability is None:
        return ["", "", one.verdict]
    verdict = one.verdict if one.verdict == "undecided" else f"**{one.verdict}**"
    return [f"{one.deviations:+.1f}", f"{one.probability:.1g}", verdict]


def _seeds(values: Sequence[float], title: str) -> str:
    """Return mean and standard error over seeds."""
    if not values:
        return ""
    scaled = _scale(title) * np.array(values)
    error = scaled.std(ddof=1) / math.sqrt(len(scaled)) if len(scaled) > 1 else 0.0
    return _rounded(float(scaled.mean()), float(error))


def entries_of(name: str) -> str:
    """Return the entries of a study, mean over the seeds, and truth against truth."""
    entries = list(read_entries([study(name)]).values())
    if not entries:
        return NOT_YET
    known = [name for name in COLUMNS if all(name in row["metrics"] for one in entries for row in one.rows)]
    table = [["entry", "seeds", "presentations", "CPU min", *[COLUMNS[name] for name in known]]]
    for one in entries:
        shown, minutes = _made(one)
        table.append([one.name, str(len(one.rows)), f"{shown:,}", f"{minutes:.1f}", *_cells(one, known)])
    floor = [_floor(entries[0], name) for name in known]
    return markdown([*table, ["truth against truth", "", "", "", *floor]])


def _made(entry: Entry) -> tuple[int, float]:
    """Return presentations and processor minutes of a seed, from the first step of the first stage."""
    legs = entry.rows[0].get("legs")
    shown = sum(leg["presentations"] for leg in legs) if legs else entry.rows[0]["presentations"]
    minutes = [sum(leg["cpu_minutes"] for leg in row.get("legs", [row])) for row in entry.rows]
    return shown, float(np.mean(minutes))


def _cells(entry: Entry, metrics: Sequence[str]) -> list[str]:
    """Return an entry's means over seeds, with the error of the seeds or, where larger, of the sample."""
    cells = []
    for name in metrics:
        found = np.array([row["metrics"][name][:2] for row in entry.rows])
        spread = found[:, 0].std(ddof=1) / math.sqrt(len(found)) if len(found) > 1 else 0.0
        scale = _scale(COLUMNS[name])
        cells.append(_rounded(scale * found[:, 0].mean(), scale * max(spread, found[:, 1].mean())))
    return cells


def _floor(entry: Entry, metric: str) -> str:
    if metric == "mse.mean":
        return f"{_twins([1.0, 200.0])[0]} (twins)"
    scale, found = _scale(COLUMNS[metric]), entry.rows[0]["metrics"][metric]
    return _rounded(scale * found[2], scale * found[3])


def _twins(edges_gev: Sequence[float]) -> list[str]:
    """Return the MSE (1e-5) between two true showers of one particle, in bins of its energy."""
    first, second = (
        open_showers(HOME / "samples" / f"zdc_ecal_positrons_{name}.h5").read_all()
        for name in ("test", "twins")
    )
    moments = BinnedMoments(
        MEV_PER_GEV * np.array(edges_gev) * np.array([0.99, *[1.0] * (len(edges_gev) - 2), 1.01])
    )
    moments.add(first.incident_energies.astype(np.float64), squared_errors(first, second, THRESHOLD_MEV))
    found = moments.mean()
    return [
        _rounded(1e5 * value, 1e5 * error) for value, error in zip(found.values, found.errors, strict=True)
    ]


def iterations() -> str:
    """Return the squared error on validation showers in bins of the energy over the presentations."""
    found = result("zdc_iterations")
    if found is None:
        return NOT_YET
    edges = found["settings"]["edges_gev"]
    table = [["presentations", "all", *[f"{low:.3g} to {high:.3g} GeV" for low, high in pairwise(edges)]]]
    for shown in sorted({row["presentations"] for row in found["rows"]}):
        own = [[row["all"], *row["mse"]] for row in found["rows"] if row["presentations"] == shown]
        table.append([f"{shown:,}", *[_seeds(column.tolist(), "(1e-5)") for column in np.array(own).T]])
    return markdown([*table, ["twins", _twins([1.0, 200.0])[0], *_twins(edges)]])


def ends() -> str:
    """Return the squared error on the test split in bins of the energy at the end of both lengths."""
    names = {"zdc_system": "regression-h16-128k", "zdc_iterations": "regression-h16-256k"}
    found = read_entries([study(name) for name in names])
    known = [found[name] for name in names.values() if name in found]
    edges = known[0].rows[0]["curves"]["mse"]["edges_gev"]
    table = [["entry", *[f"{low:.3g} to {high:.3g}" for low, high in pairwise(edges)]]]
    for one in known:
        values = np.array([row["curves"]["mse"]["value"] for row in one.rows])
        table.append([one.name, *[_seeds(column.tolist(), "(1e-5)") for column in values.T]])
    return markdown([*table, ["twins", *_twins(edges)]])


def bins() -> str:
    """Return response and resolution over truth's in bins of the incident energy, first seeds."""
    entries = read_entries([study("zdc_system"), study("zdc_findings")])
    shown = [one for name, one in entries.items() if name.startswith(("regression", "gan", "no-adv", "log"))]
    edges = shown[0].rows[0]["curves"]["response"]["edges_gev"]
    table = [["response / resolution", *[f"{low:.3g} to {high:.3g} GeV" for low, high in pairwise(edges)]]]
    for one in shown:
        curves = [one.rows[0]["curves"][name] for name in ("response", "resolution")]
        ratios = [_ratios(curve["value"], curve["reference"]) for curve in curves]
        table.append([one.name, *[" / ".join(pair) for pair in zip(*ratios, strict=True)]])
    return markdown(table)


def learning() -> str:
    """Return the regression over its number of training showers."""
    entries = list(read_entries([study("zdc_learning")]).values())
    entries.append(read_entries([study("zdc_system")])["regression-h16-128k"])
    shown = ("mse.mean", "separation.cells_mean", "response.mean_deviation", "resolution.mean_deviation")
    table = [["showers", "epochs", *[COLUMNS[metric] for metric in shown]]]
    for one in entries:
        showers, presentations = one.rows[0]["showers"], one.rows[0]["presentations"]
        epochs = round_to_error(presentations / showers, 0.05 * presentations / showers).value
        table.append([f"{showers:,}", epochs, *_cells(one, shown)])
    return markdown(table)


def shipped() -> str:
    """Return what the shipped bundles are, how they were made and what was measured of them."""
    known = ("classifier.auc_boosted", "classifier.auc_high", "classifier.auc_low", "mse.mean")
    titles = [COLUMNS[name] for name in known]
    table = [
        [
            "bundle",
            "is a",
            "response, worst bin (%)",
            "resolution (%)",
            *titles,
            "judged on",
            "presentations",
            "CPU min",
        ]
    ]
    for path in sorted((HOME / "zoo").glob("zdc_*.calokit")):
        bundle = read_bundle(path)
        standing = standing_of(bundle.scorecard)
        if bundle.scorecard is None or standing is None:
            continue
        kind = "generator" if standing.is_generator else "**baseline**"
        measured = bundle.scorecard["measurements"]
        deviations = [
            _measured(measured, name, "(%)")
            for name in ("response.max_deviation", "resolution.mean_deviation")
        ]
        cells = [_measured(measured, name, COLUMNS[name]) for name in known]
        judged = f"{bundle.scorecard['test_showers']:,}"
        made = [f"{presentations_in_all(bundle.legs):,}", f"{cpu_minutes_in_all(bundle.legs):.0f}"]
        table.append([f"`{path.stem}`", kind, *deviations, *cells, judged, *made])
    return markdown(table)


def legs() -> str:
    """Return the legs of the shipped bundles that were not trained in one."""
    table = [["bundle", "leg", "recipe", "seed", "steps", "presentations", "CPU min", "note"]]
    for path in sorted((HOME / "zoo").glob("zdc_*.calokit")):
        bundle: Bundle = read_bundle(path)
        for number, leg in enumerate(bundle.legs, start=1):
            if len(bundle.legs) > 1:
                seed = "not recorded" if leg.seed is None else str(leg.seed)
                counts = [f"{leg.steps:,}", f"{leg.presentations:,}", f"{leg.cpu_minutes:.1f}"]
                table.append([f"`{path.stem}`", str(number), leg.recipe, seed, *counts, leg.note])
    return markdown(table)


def speed() -> str:
    """Return the generation times beside Geant4's."""
    found = result("zdc_speed")
    if found is None:
        return NOT_YET
    table = [["bundle", "batch", "ms a shower", "ms of processor time"]]
    table += [
        [row["bundle"], f"{row['batch']:,}", f"{row['ms/shower']:.3g}", f"{row['processor ms/shower']:.3g}"]
        for row in found["rows"]
    ]
    geant4 = found["settings"]["geant4"]
    if geant4:
        times = [f"{geant4[name]:.3g}" for name in ("ms_per_shower", "processor_ms_per_shower")]
        table.append(["Geant4, the same particles", "1", *times])
    return markdown(table)


def centres() -> str:
    """Return how far generated shower centres lie from true ones."""
    found = result("zdc_diagnostics")
    if found is None:
        return NOT_YET
    table = [["network", "distance of centres (mm)", "median (mm)"]]
    table += [
        [row["bundle"], _rounded(row["centre (mm)"], row["its error"]), f"{row['median (mm)']:.1f}"]
        for row in found["rows"]
    ]
    least = found["settings"]["centre_floor_mm"]
    table.append(["truth against truth", "-" if least is None else _rounded(*least), ""])
    return markdown(table)


def neutrons() -> str:
    """Return the scorecards of the neutrons' bundles, each above its own threshold."""
    network = result("zdc_neutrons")
    cards = {
        "zdc_neutrons": None if network is None else network["settings"],
        "zdc_neutrons_cascade": result("scorecard_zdc_neutrons_cascade"),
    }
    found = [_judged_neutrons(name, card) for name, card in cards.items() if card is not None]
    return "\n\n".join(found) or NOT_YET


def _judged_neutrons(name: str, card: dict[str, Any]) -> str:
    table = [["measurement", f"`zoo/{name}.calokit`", "truth against truth"]]
    table += [
        [f"`{metric}`", _rounded(value, error), _rounded(floor, floor_error)]
        for metric, (value, error, floor, floor_error) in card["measurements"].items()
        if metric.startswith(NEUTRON_METRICS)
    ]
    words = f"Judged on {card['test_showers']:,} showers of another seed"
    return f"{markdown(table)}\n\n{words}, cells above {card['threshold_mev']:g} MeV."


def _measured(measured: dict[str, Any], metric: str, title: str) -> str:
    if metric not in measured:
        return ""
    value, error = measured[metric][:2]
    return _rounded(_scale(title) * value, _scale(title) * error)


def _scale(title: str) -> float:
    return SCALES.get(title.split()[-1], 1.0)


def _rounded(value: float, error: float) -> str:
    return round_to_error(value, error).plain()


def _ratios(values: Sequence[float | None], references: Sequence[float | None]) -> list[str]:
    pairs = zip(values, references, strict=True)
    return ["-" if value is None or not truth else f"{value / truth:.2f}" for value, truth in pairs]


TABLES: dict[str, Callable[[], str]] = {
    "claims": claims,
    "variants": lambda: entries_of("zdc_system"),
    "findings": lambda: entries_of("zdc_findings"),
    "iterations": iterations,
    "ends": ends,
    "bins": bins,
    "learning": learning,
    "shipped": shipped,
    "legs": legs,
    "speed": speed,
    "centres": centres,
    "neutrons": neutrons,
}


if __name__ == "__main__":
    PAGE.write_text(fill(PAGE.read_text(), TABLES))
