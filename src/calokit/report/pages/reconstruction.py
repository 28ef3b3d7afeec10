"""A reconstruction beside the classical methods as one page: tables, figures, and the numbers as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from calokit.arrays import Float64
from calokit.evaluation.estimates.energy_groups import group_by_energy
from calokit.evaluation.estimates.single import (
    EnergyErrors,
    measure_coverage,
    paired_rms_ratio,
    root_mean_square,
)
from calokit.files import check_folder_writable, write_json, write_text
from calokit.report.figures.resolution import (
    draw_bias,
    draw_estimate_against_truth,
    draw_residuals,
    draw_resolution,
)
from calokit.report.figures.style import figure_style
from calokit.report.pages.sections import render_sections, save_section_figure
from calokit.report.rounding import round_to_error

NOTE = (
    "ME, MAE and RMS are of estimate − truth; the core is the width of the Gaussian core. Errors are "
    "statistical; those of ratios come from showers drawn again, both methods together. Numbers: "
    "reconstruction.json."
)


@dataclass(frozen=True)
class Places:
    """Impacts and angles by method, and the truth.

    Attributes:
        baseline: The method that ratios are taken to.
        positions: (event, 2) mm, by method.
        angles: (event, 2) of the projections, rad, by method.
        true_positions: (event, 2) mm.
        true_angles: (event, 2) rad.
    """

    baseline: str
    positions: Mapping[str, Float64]
    angles: Mapping[str, Float64]
    true_positions: Float64
    true_angles: Float64


@dataclass(frozen=True)
class ReconstructionContent:
    """What a page shows.

    Attributes:
        title: What the network is, in words.
        network: Its name among the methods.
        baseline: The method that ratios of energies are taken to.
        sample: Where the showers are from, in words.
        true_energies: (event,) MeV.
        energies: (event,) MeV, by method.
        uncertainties: (event,) MeV of the network, or None.
        places: Impacts and angles, or None.
        facts: Further lines: times, training showers.
    """

    title: str
    network: str
    baseline: str
    sample: str
    true_energies: Float64
    energies: Mapping[str, Float64] = field(default_factory=dict)
    uncertainties: Float64 | None = None
    places: Places | None = None
    facts: tuple[str, ...] = ()


def write_reconstruction_page(content: ReconstructionContent, folder: Path) -> Path:
    """Write `reconstruction.html` (self-contained), `reconstruction.json` and `figures/*.pdf` and `*.svg`.

    Args:
        content: What is shown.
        folder: Where; made where it is missing.

    Returns:
        The path of the page.

    Raises:
        CalokitError: There are fewer than twenty showers.
    """
    check_folder_writable(folder)
    methods = {name: EnergyErrors.of(one, content.true_energies) for name, one in content.energies.items()}
    numbers: dict[str, Any] = {"title": content.title, "sample": content.sample}
    sections: list[dict[str, Any]] = []
    with figure_style():
        if methods:
            sections += _energy_sections(content, methods, folder, numbers)
        if content.places is not None:
            sections.append(_place_section(content, content.places, folder, numbers))
    page = render_sections(
        f"{content.title}: reconstruction", content.title, (content.sample, *content.facts), sections, NOTE
    )
    write_json(folder / "reconstruction.json", numbers)
    path = folder / "reconstruction.html"
    write_text(path, page)
    return path


def _energy_sections(
    content: ReconstructionContent,
    methods: dict[str, EnergyErrors],
    folder: Path,
    numbers: dict[str, Any],
) -> list[dict[str, Any]]:
    base_name, name = content.baseline, content.network
    mine, base = methods[name], content.energies[base_name]
    ratios = {
        other: paired_rms_ratio(one, base, content.true_energies)
        for other, one in content.energies.items()
        if other != base_name
    }
    summary = [
        [
            other,
            _pair(ratios[other].mean, ratios[other].mean_error) if other in ratios else "1",
            _pair(*_largest(found.relative_bias() * 100)),
            str(found.law() or "–"),
        ]
        for other, found in methods.items()
    ]
    numbers["methods"] = {
        other: {
            "energies_gev": found.energies.tolist(),
            "showers": found.showers.tolist(),
            **{key: getattr(found, key).tolist() for key in ("mean", "absolute", "rms", "width", "core")},
            "law": str(found.law() or ""),
            **({"rms_ratio": [ratios[other].mean, ratios[other].mean_error]} if other in ratios else {}),
        }
        for other, found in methods.items()
    }
    rows = [
        [
            f"{energy:.4g}",
            str(int(mine.showers[place])),
            *(_pair(*getattr(mine, key)[place]) for key in ("mean", "absolute", "rms", "core")),
            *(_pair(*methods[base_name].rms[place]),),
            _pair(ratios[name].ratio[place], ratios[name].error[place]) if name in ratios else "1",
        ]
        for place, energy in enumerate(mine.energies)
    ]
    sections: list[dict[str, Any]] = [
        {
            "title": "Energy: the methods side by side",
            "head": ["method", f"RMS / {base_name}", "largest bias (%)", "width / E"],
            "rows": summary,
            "figures": [
                save_section_figure(draw_resolution(methods, base_name), "resolution", folder),
                save_section_figure(draw_bias(methods), "bias", folder),
                save_section_figure(
                    draw_estimate_against_truth(content.energies[name], content.true_energies),
                    "estimate_against_truth",
                    folder,
                ),
            ],
        },
        {
            "title": f"Energy: {name}, {_name_groups(content.true_energies)}",
            "head": [
                "E (GeV)",
                "showers",
                *(f"{word} (GeV)" for word in ("ME", "MAE", "RMS", "core", f"RMS of {base_name}")),
                "RMS ratio",
            ],
            "rows": rows,
            "figures": [],
        },
    ]
    if content.uncertainties is not None:
        covered = measure_coverage(content.energies[name], content.uncertainties, content.true_energies)
        numbers["coverage"] = {"levels": covered.levels.tolist(), "covered": covered.covered.tolist()}
        sections.append(
            {
                "title": "Uncertainty of each energy",
                "head": ["interval of a normal error", "truth inside"],
                "rows": [
                    [f"{100 * level:.1f} %", _pair(100 * part, 100 * error) + " %"]
                    for level, (part, error) in zip(covered.levels, covered.covered, strict=True)
                ]
                + [["width of the pulls", _pair(*covered.pull_width)]],
                "figures": [],
            }
        )
    return sections


def _place_section(
    content: ReconstructionContent, places: Places, folder: Path, numbers: dict[str, Any]
) -> dict[str, Any]:
    base_name, name = places.baseline, content.network
    rows, residuals = [], {}
    for axis, letter in enumerate("xy"):
        for label, unit, scale, estimates, true in (
            (letter, "mm", 1.0, places.positions, places.true_positions),
            (f"angle {letter}", "degrees", 180 / np.pi, places.angles, places.true_angles),
        ):
            off = {other: scale * (one - true)[:, axis] for other, one in estimates.items()}
            residuals[f"{label} ({unit})"] = off
            found = paired_rms_ratio(
                estimates[name][:, axis], estimates[base_name][:, axis], true[:, axis], content.true_energies
            )
            spreads = [root_mean_square(one) for one in off.values()]
            pairs = [*spreads, (found.mean, found.mean_error)]
            rows.append([f"{label} ({unit})", *(_pair(*one) for one in pairs)])
            numbers.setdefault("places", {})[label] = {
                **{other: one for other, (one, _) in zip(off, spreads, strict=True)},
                "ratio": [found.mean, found.mean_error],
            }
    return {
        "title": "Impact and angle: RMS errors",
        "head": ["", *places.positions, f"{name} / {base_name}, mean over energies"],
        "rows": rows,
        "figures": [save_section_figure(draw_residuals(residuals), "residuals", folder)],
    }


def _name_groups(true_mev: Float64) -> str:
    """Return what the rows of a table by energy are."""
    if group_by_energy(true_mev).binned:
        return "in bins of the true energy (E: mean of the bin)"
    return "by true energy"


def _pair(value: float, error: float) -> str:
    return round_to_error(float(value), float(error)).plain()


def _largest(pairs: Float64) -> tuple[float, float]:
    place = int(np.argmax(np.abs(pairs[:, 0])))
    return float(pairs[place, 0]), float(pairs[place, 1])
