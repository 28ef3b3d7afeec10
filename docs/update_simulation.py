"""Write the tables of docs/simulation.md from benchmarks/results: `python docs/update_simulation.py`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from page_tables import fill, markdown

HOME = Path(__file__).resolve().parent.parent
RESULTS = HOME / "benchmarks" / "results"
PAGE = HOME / "docs" / "simulation.md"

Row = dict[str, Any]


def read(name: str) -> dict[str, Any]:
    """Read one result."""
    content: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return content


def validation() -> str:
    """Return independent figures beside ours, without the single layers of the profile."""
    rows = read("simulation_validation")["rows"]
    pulls = [row["pull"] for row in rows]
    root = (sum(pull**2 for pull in pulls) / len(pulls)) ** 0.5
    table = [["figure", "reference", "calokit", "ratio", "pull", "source"]]
    table += [
        [
            row["figure"],
            f"{row['reference']:.4g} {row['unit']}",
            f"{row['measured']:.4g} ± {row['error']:.2g}",
            f"{row['ratio']:.3f}",
            f"{row['pull']:+.1f}",
            row["source"],
        ]
        for row in rows
    ]
    mean = sum(pulls) / len(pulls)
    words = f"{len(rows)} figures, mean pull {mean:+.2f}, their root mean square {root:.2f}."
    return markdown(table) + "\n\n" + words


def samples() -> str:
    """Return how the shipped samples stand against independent reference sets."""
    rows = read("simulated_samples")["rows"]
    kinds = {"low": "AUC, cells (floor)", "high": "AUC, observables (floor)"}
    if any(row["figure"] == "classifier.auc_boosted" for row in rows):
        kinds["boosted"] = "AUC, boosted trees (floor)"
    table = [["sample", "showers", *kinds.values(), "farthest from its floor"]]
    for name in dict.fromkeys(row["sample"] for row in rows):
        own = {row["figure"]: row for row in rows if row["sample"] == name}
        worst = max(own.values(), key=lambda row: float(row["sigma from floor"]))
        areas = [own.get(f"classifier.auc_{kind}") for kind in kinds]
        table.append(
            [
                name,
                f"{own['classifier.auc_low']['showers']:,}",
                *(
                    f"{one['value']:.3f} ± {one['error']:.3f} ({one['floor']:.3f})" if one else ""
                    for one in areas
                ),
                f"{worst['figure']}, {worst['sigma from floor']:+.1f} σ",
            ]
        )
    beyond = sum(float(row["sigma from floor"]) > 3 for row in rows)
    words = f"{len(rows)} figures, {beyond} of them more than 3 σ worse than their floor."
    return markdown(table) + "\n\n" + words


def cuts() -> str:
    """Return response, resolution and time of LUXE against the production cut."""
    table = [["energy (GeV)", "cut (mm)", "visible (MeV)", "resolution x √E (%)", "ms a shower"]]
    table += [
        [
            f"{row['e- (GeV)']:g}",
            f"{row['cut (mm)']:g}",
            f"{row['visible (MeV)']:.2f} ± {row['error']:.2f}",
            f"{row['resolution x sqrt(E) (%)']:.1f} ± {row['its error']:.1f}",
            f"{row['ms a shower']:.1f}",
        ]
        for row in read("luxe_cuts")["rows"]
    ]
    return markdown(table)


def parametric() -> str:
    """Return parametric over Geant4 for every sample, with the parametric speed."""
    found = read("parametric_against_geant4")
    speeds = {row["sample"]: row for row in read("simulation_speed_parametric")["rows"]}
    titles = ["sample", "cells", "response", "spread, low E", "spread, high E"]
    table = [[*titles, "mean layer", "R90", "hits", "worst layer's share", "showers/s and core"]]
    for row in found["settings"]["ratios"]:
        speed = speeds.get(row["sample"])
        layers = row["mean layer"]
        shares = f"{row['by formulas (%)']:.1f} for {row['its share by Geant4 (%)']:.1f} %"
        share = f"layer {row['worst layer']}: {shares}"
        table.append(
            [
                row["sample"],
                f"{speed['cells']:,}" if speed else "",
                f"{row['visible / incident (%)']:.2f}",
                f"{row['spread x sqrt(E), low (%)']:.2f}",
                f"{row['high (%)']:.2f}",
                "" if layers is None else f"{layers:.2f}",
                f"{row['R90 (mm)']:.2f}",
                f"{row['hits above 10 keV']:.2f}",
                "" if layers is None else share,
                f"{speed['showers a second and core']:,.0f}" if speed else "",
            ]
        )
    return markdown(table)


def scoring() -> str:
    """Return what scoring costs, and how two processes share the work."""
    table = [["sample", "scoring", "ms a GeV and core", "beside no scorer"]]
    table += [
        [row["sample"], row["scoring"], f"{row['ms a GeV']:.3g}", f"{row['beside none (best of each)']:.2f}"]
        for row in read("simulation_speed_scoring")["rows"]
    ]
    one, two = read("simulation_speed_workers")["rows"]
    words = (
        f"Two processes made {two['showers']:,} ZDC showers {two['times as fast as one']:.2f} times as fast "
        f"as one ({one['wall seconds (best)']:.0f} and {two['wall seconds (best)']:.0f} s of wall time, "
        "start-up and joining of the parts included)."
    )
    return markdown(table) + "\n\n" + words


def cylinder() -> str:
    """Return response and hits of Par04 over the reference's, by how the silicon is divided."""
    facts = ("response", "hits", "hits below 20 keV")
    table = [["silicon in Geant4", "showers", *[f"{fact}, over the reference's" for fact in facts]]]
    for row in read("cylinder_response")["rows"]:
        told = [
            f"{row[f'{fact} (%)']:+.2f} ± {row[f'error of {fact}']:.2f} %" if f"{fact} (%)" in row else ""
            for fact in facts
        ]
        table.append([row["cells"], f"{row['showers']:,}", *told])
    return markdown(table)


TABLES: dict[str, Callable[[], str]] = {
    "validation": validation,
    "samples": samples,
    "cylinder": cylinder,
    "cuts": cuts,
    "parametric": parametric,
    "scoring": scoring,
}


if __name__ == "__main__":
    PAGE.write_text(fill(PAGE.read_text(), TABLES))
