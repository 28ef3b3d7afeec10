"""The likelihood of showers as one page: parts, calibration of every kind of draw, outliers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calokit.evaluation.calibration import CalibrationRow
from calokit.evaluation.outliers import Outlier, ShowerLikelihoods
from calokit.files import check_folder_writable, write_json, write_text
from calokit.report.figures.calibration import (
    draw_cumulative_values,
    draw_deviations,
    draw_likelihoods,
    draw_together,
)
from calokit.report.figures.style import figure_style
from calokit.report.likelihood_table import (
    CALIBRATION_HEAD,
    OUTLIER_HEAD,
    PART_HEAD,
    calibration_cells,
    outlier_cells,
    part_cells,
)
from calokit.report.pages.sections import render_sections, save_section_figure

HOW = (
    "Where in its distribution each draw of a shower lies must be uniform between 0 and 1 if the model is "
    "right, whatever else a shower did; in distributions of whole numbers, at a random place on the step. "
    "The deviation is the largest between both cumulative distributions; the floor is what as many uniform "
    "numbers give on average, p their probability of a chi-squared over 20 bins as large."
)
SUMS = (
    "Variance of a shower's sums: normal scores of its draws, summed and divided by the root of their "
    "number; 1 if draws are independent as the model draws them, more if what is left over in one goes with "
    "the others."
)
SCORES = (
    "Scores are distances from the median of the 201 showers next in energy, in robust standard deviations. "
    "Listed are by turns the least likely as a whole and in each part."
)
AXIS_TITLES = {"level": "By level of the tree", "layer": "By layer", "energy": "By incident energy"}


@dataclass(frozen=True)
class LikelihoodContent:
    """What a page shows.

    Attributes:
        title: The bundle in words.
        facts: Lines below it: the showers first.
        showers: Log-likelihoods.
        calibration: The calibration test.
        outliers: The showers that are listed.
    """

    title: str
    facts: tuple[str, ...]
    showers: ShowerLikelihoods
    calibration: Sequence[CalibrationRow]
    outliers: Sequence[Outlier]


def write_likelihood_page(content: LikelihoodContent, folder: Path) -> Path:
    """Write `likelihood.html` (self-contained), `likelihood.json` and `figures/*.pdf` and `*.svg`.

    Args:
        content: What is shown.
        folder: Where; made where it is missing.

    Returns:
        The path of the page.
    """
    check_folder_writable(folder)
    with figure_style():
        sections = [_parts_section(content, folder), *_calibration_sections(content, folder)]
    sections.append(
        {
            "title": "The most unlikely showers",
            "text": SCORES,
            "head": OUTLIER_HEAD,
            "rows": [outlier_cells(one) for one in content.outliers],
            "figures": [],
        }
    )
    title = f"{content.title}: likelihood"
    note = "Log-likelihoods: nats, of densities in the energies (MeV) of the hits. Numbers: likelihood.json."
    write_json(folder / "likelihood.json", describe_likelihood(content))
    path = folder / "likelihood.html"
    write_text(path, render_sections(title, title, content.facts, sections, note))
    return path


def describe_likelihood(content: LikelihoodContent) -> dict[str, Any]:
    """Return what a page says as plain data."""
    return {
        "title": content.title,
        "facts": list(content.facts),
        "mean_log_likelihood": float(content.showers.totals.mean()),
        "parts": {
            name: float(part.reshape(len(part), -1).sum(1).mean())
            for name, part in content.showers.parts.items()
        },
        "calibration": [
            {
                "part": row.part,
                "kind": row.kind,
                "by": row.axis,
                "label": row.label,
                **{key: _plain(value) for key, value in vars(row.uniformity).items()},
                "together": None if row.together is None else [float(one) for one in row.together],
                "counts": row.counts.tolist(),
            }
            for row in content.calibration
        ],
        "outliers": [vars(one) for one in content.outliers],
    }


def _parts_section(content: LikelihoodContent, folder: Path) -> dict[str, Any]:
    return {
        "title": "Log-likelihood of a shower",
        "head": PART_HEAD,
        "rows": part_cells(content.showers),
        "figures": [
            save_section_figure(draw_likelihoods(content.showers, content.outliers), "likelihoods", folder)
        ],
    }


def _calibration_sections(content: LikelihoodContent, folder: Path) -> list[dict[str, Any]]:
    rows = content.calibration
    together = draw_together(rows)
    figures = [save_section_figure(draw_cumulative_values(rows), "cumulative_values", folder)]
    sections: list[dict[str, Any]] = [
        {
            "title": "Calibration of the draws",
            "text": HOW,
            "head": CALIBRATION_HEAD,
            "rows": [calibration_cells(row) for row in rows if row.axis == "all"],
            "figures": figures,
        }
    ]
    if together is not None:
        sections.append(
            {
                "title": "Draws of one shower together",
                "text": SUMS,
                "head": (),
                "rows": [],
                "figures": [save_section_figure(together, "together", folder)],
            }
        )
    for axis, title in AXIS_TITLES.items():
        here = [row for row in rows if row.axis == axis]
        if here:
            drawn = save_section_figure(draw_deviations(rows, axis), f"deviation_by_{axis}", folder)
            cells = [calibration_cells(row) for row in here]
            sections.append({"title": title, "head": CALIBRATION_HEAD, "rows": cells, "figures": [drawn]})
    return sections


def _plain(value: float) -> float | None:
    return None if value != value else float(value)
