"""Write the tables of docs/lhcb.md from the rows of its study: `python docs/update_lhcb.py`."""

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
    result,
    times_by_batch,
)

from calokit.bundles.bundle import read_bundle
from calokit.bundles.legs import presentations_in_all
from calokit.studies.description import StudyFile
from calokit.studies.table import read_table

HOME = Path(__file__).resolve().parent.parent
PAGE = HOME / "docs" / "lhcb.md"
STUDY = HOME / "studies" / "lhcb_system.yaml"
LONGER = HOME / "studies" / "lhcb_longer.jsonl"
SCALE = "-c64-96k"
"""What every label of the study ends with."""
SCANNED = {"wgan-gp": 0.0, "wgan-gp-asymmetry-weight-0.1": 0.1, "wgan-gp-asymmetry": 1.0}
SCANNED |= {"wgan-gp-asymmetry-weight-10": 10.0}
"""Weight of the regressor's loss, by label."""

COLUMNS = {
    "prd_1.images": "PRD area, images",
    "prd_1.physics": "PRD area, shapes",
    "prd_1.smaller": "the smaller",
    "separation.asymmetry": "asymmetries (1e-3)",
    "separation.width_along": "widths (1e-3)",
    "response.max_deviation": "response, worst bin (%)",
    "resolution.mean_deviation": "resolution (%)",
    "classifier.auc_low": "AUC, cells",
    "classifier.auc_high": "AUC, observables",
    "classifier.auc_boosted": "AUC, trees",
    "readout.auc_boosted": "trees, read out",
}
BESIDE = {name: title for name, title in COLUMNS.items() if not name.startswith(("prd", "separation"))}
"""What the shipped bundles' scorecards and the studies' rows both tell."""
GROUPS = {"prd_1": "20 mm", "prd_2": "40 mm", "prd_3": "60 mm"}
SCALES = {"(1e-3)": 1e3, "(%)": 1e2}


def entries() -> dict[str, list[Row]]:
    """Return the rows of each entry, in the order in which they were made."""
    found: dict[str, list[Row]] = {}
    for row in read_table(STUDY.with_suffix(".jsonl")):
        found.setdefault(row["label"].removesuffix(SCALE), []).append(row)
    return found


def architectures() -> str:
    """Return every entry with its metrics, the mean over its seeds, and in a last row their floor."""
    known = entries()
    if not known:
        return NOT_YET
    table = [["entry", "seeds", "CPU min", *COLUMNS.values()]]
    for label, rows in known.items():
        minutes = f"{np.mean([row['cpu_minutes'] for row in rows]):.1f}"
        cells = [_mean(rows, metric, title) for metric, title in COLUMNS.items()]
        table.append([label, str(len(rows)), minutes, *cells])
    first = next(iter(known.values()))[:1]
    floors = [_mean(first, metric, title, floor=True) for metric, title in COLUMNS.items()]
    table.append(["truth against truth", "", "", *floors])
    planned = sum(1 for _ in StudyFile.read(STUDY).runs())
    done = sum(len(rows) for rows in known.values())
    return f"{markdown(table)}\n\n{done} of the study's {planned} runs are in this table."


def claims() -> str:
    """Return the claims and what became of them; nothing before every seed of every entry is there."""
    return decided(StudyFile.read(STUDY)) or NOT_DECIDED


def groups() -> str:
    """Return the smaller PRD area in cells of 20, 40 and 60 mm, and the published score beside it."""
    known = entries() | {row["label"]: [row] for row in read_table(LONGER)}
    if not known:
        return NOT_YET
    titles = [f"{size}, {what}" for size in GROUPS.values() for what in ("images", "shapes")]
    table = [["entry", *titles, "20 mm, published scorer"]]
    names = [f"{group}.{what}" for group in GROUPS for what in ("images", "physics")] + ["prd_1.published"]
    for label, rows in known.items():
        table.append([label, *[_mean(rows, name, "") for name in names]])
    first = next(iter(known.values()))[:1]
    table.append(["truth against truth", *[_mean(first, name, "", floor=True) for name in names]])
    return markdown(table)


def weights() -> str:
    """Return how good the regressor and the generated asymmetries are against the weight of its loss."""
    known = entries()
    table = [["weight", "seeds", "variance of the asymmetries that the regressor explains (%)"]]
    table[0] += ["asymmetries (1e-3)", "PRD area, shapes", "the smaller"]
    for label, weight in sorted(SCANNED.items(), key=lambda pair: pair[1]):
        rows = known.get(label, [])
        if rows:
            errors = [row["validation"]["regressor"] for row in rows if "regressor" in row["validation"]]
            explained = f"{100 * (1 - float(np.mean(errors))):.1f}" if errors else "-"
            cells = [
                _mean(rows, metric, COLUMNS[metric])
                for metric in ("separation.asymmetry", "prd_1.physics", "prd_1.smaller")
            ]
            table.append([f"{weight:g}", str(len(rows)), explained, *cells])
    return markdown(table) if len(table) > 1 else NOT_YET


def bins() -> str:
    """Return response and resolution over truth's in bins of the incident energy, of each entry's seeds."""
    known = entries()
    if not known:
        return NOT_YET
    edges = next(iter(known.values()))[0]["curves"]["response"]["edges_gev"]
    titles = [f"{low:.3g} to {high:.3g} GeV" for low, high in pairwise(edges)]
    table = [["entry, response / resolution over truth's", *titles]]
    for label, rows in known.items():
        pair = [_ratios(rows, curve) for curve in ("response", "resolution")]
        table.append([label, *[f"{one:.3f} / {two:.2f}" for one, two in zip(*pair, strict=True)]])
    return markdown(table)


def speed() -> str:
    """Return the time of a shower of every recipe at full size, and of what ships."""
    found = result("lhcb_speed")
    if found is None:
        return NOT_YET
    table = [["recipe", "weights of the generator", "batch", "ms of processor time a shower"]]
    table += [
        [
            f"`{row['recipe']}`",
            f"{row['generator weights']:,}",
            f"{row['batch']:,}",
            f"{row['processor ms a shower']:.2g}",
        ]
        for row in found["rows"]
    ]
    for name in ("lhcb_gan", "lhcb_cascade"):
        table += [
            [f"`zoo/{name}.calokit`", "", f"{batch:,}", told] for batch, told in times_by_batch(name).items()
        ]
    return markdown(table)


def beside() -> str:
    """Return the longer GAN, that of the ZDC's kind, the shipped one and the cascade, on one test file."""
    table = [["surrogate", "presentations", "PRD area, images", "PRD area, shapes", *BESIDE.values()]]
    for row in read_table(LONGER):
        cells = [_mean([row], name, title) for name, title in COLUMNS.items() if name in BESIDE]
        areas = [_mean([row], f"prd_1.{what}", "") for what in ("images", "physics")]
        shown = sum(leg["presentations"] for leg in row["legs"])
        table.append([row["label"], f"{shown:,}", *areas, *cells])
    areas_known = {row["bundle"]: row for row in (result("lhcb_prd") or {"rows": []})["rows"]}
    for name in ("lhcb_gan", "lhcb_cascade", "lhcb_flow"):
        card = result(f"scorecard_{name}")
        if card is None:
            continue
        path = HOME / "zoo" / f"{name}.calokit"
        ships = path.is_file()
        shown = presentations_in_all(read_bundle(path).legs) if ships else card["presentations"]
        own = [{"metrics": card["measurements"] | areas_known.get(name, {})}]
        cells = [_mean(own, metric, title) for metric, title in BESIDE.items()]
        areas = [_mean(own, f"prd_1.{what}", "") for what in ("images", "physics")]
        title = f"`zoo/{name}.calokit`" if ships else f"{name}, does not ship"
        table.append([title, f"{shown:,}", *areas, *cells])
    return markdown(table)


def _mean(rows: Sequence[Row], metric: str, title: str, floor: bool = False) -> str:
    """Return the mean over seeds in the unit of a column's title."""
    return mean_over_seeds(rows, metric, SCALES.get(title.split()[-1] if title else "", 1.0), floor)


def _ratios(rows: list[Row], curve: str) -> list[float]:
    """Return the mean over seeds of a curve over truth's."""
    pairs = [row["curves"][curve] for row in rows]
    return [
        float(np.mean([one["value"][place] / one["reference"][place] for one in pairs]))
        for place in range(len(pairs[0]["value"]))
    ]


TABLES: dict[str, Callable[[], str]] = {
    "architectures": architectures,
    "claims": claims,
    "groups": groups,
    "weights": weights,
    "bins": bins,
    "beside": beside,
    "speed": speed,
}


if __name__ == "__main__":
    PAGE.write_text(fill(PAGE.read_text(), TABLES))
