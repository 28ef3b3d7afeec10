"""What a likelihood says, as tables in the terminal and on a page."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich import box
from rich.table import Table

from calokit.evaluation.calibration import CalibrationRow
from calokit.evaluation.outliers import Outlier, ShowerLikelihoods
from calokit.report.figures.calibration import name_draw
from calokit.report.plain_text import fit_encoding
from calokit.report.rounding import round_plainly, round_to_error

SMALLEST_P = 1e-4
"""Probabilities below it are not told apart."""
CALIBRATION_HEAD = ("draws", "number", "largest deviation", "floor", "p (chi-squared)", "variance of sums")
OUTLIER_HEAD = ("shower", "E (GeV)", "log-likelihood", "score", "least likely part", "its score")
PART_HEAD = ("part", "mean of a shower (nats)", "its spread")


def calibration_cells(row: CalibrationRow) -> list[str]:
    """Return a row of the calibration test as text, in the order of `CALIBRATION_HEAD`."""
    found = row.uniformity
    p_value = "-" if np.isnan(found.p_value) else f"{found.p_value:.2g}"
    place = {"all": "", "level": "level ", "layer": "layer ", "energy": ""}[row.axis]
    unit = " GeV" if row.axis == "energy" else ""
    label = f", {place}{row.label}{unit}" if row.label else ""
    return [
        f"{name_draw(row)}{label}",
        str(found.values),
        f"{100 * found.deviation:.2f} %",
        f"{100 * found.floor:.2f} %",
        f"< {SMALLEST_P:g}" if found.p_value < SMALLEST_P else p_value,
        "" if row.together is None else round_to_error(*row.together).plain(),
    ]


def outlier_cells(one: Outlier) -> list[str]:
    """Return an outlier as text, in the order of `OUTLIER_HEAD`."""
    return [
        str(one.shower),
        round_plainly(one.energy_gev),
        f"{one.log_likelihood:.1f}",
        f"{one.score:.1f}",
        one.part,
        f"{one.part_score:.1f}",
    ]


def part_cells(showers: ShowerLikelihoods) -> list[list[str]]:
    """Return mean and spread of the log-likelihood and of its parts as text."""
    parts = {name: part.reshape(len(part), -1).sum(1) for name, part in showers.parts.items()}
    return [
        [
            name,
            round_to_error(values.mean(), values.std() / len(values) ** 0.5).plain(),
            f"{values.std():.1f}",
        ]
        for name, values in {**parts, "all": showers.totals}.items()
    ]


def likelihood_tables(
    showers: ShowerLikelihoods,
    calibration: Sequence[CalibrationRow],
    outliers: Sequence[Outlier],
    encoding: str = "utf-8",
) -> list[Table]:
    """Lay out parts, calibration (draws of a kind together) and outliers for a terminal.

    Args:
        showers: The log-likelihoods.
        calibration: The calibration test.
        outliers: The showers that are listed.
        encoding: Of the output; signs that it cannot write are replaced.
    """
    whole = [calibration_cells(row) for row in calibration if row.axis == "all"]
    rows = (
        (PART_HEAD, part_cells(showers)),
        (CALIBRATION_HEAD, whole),
        (OUTLIER_HEAD, [outlier_cells(one) for one in outliers]),
    )
    return [_lay_out(head, cells, encoding) for head, cells in rows]


def _lay_out(head: Sequence[str], rows: Sequence[Sequence[str]], encoding: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for number, word in enumerate(head):
        words = word == "least likely part" or number == 0
        table.add_column(word, justify="left" if words else "right", overflow="fold")
    for row in rows:
        table.add_row(*(fit_encoding(cell, encoding) for cell in row))
    return table
