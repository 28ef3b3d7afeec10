"""The figures of the EIC ZDC reports for one or several trained bundles, on the same incidents.

    python -m benchmarks.systems.zdc_diagnostics TRUTH [NAME=]BUNDLE... [--floor OTHER] [--run FOLDER...]
        -o FIGURES

For every bundle showers are generated for the incidents of TRUTH: the map of separation power over cells,
the distances of generated from true shower centres beside those of truth from truth, mask values laid over
the true ones, and the numbers in benchmarks/results/zdc_diagnostics.json. --run names run folders whose
error against training is drawn. Hits of cells 130 and 210 against energy, event images and mask classes
stand in the page of `calokit evaluate`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from benchmarks.diagnostics.cell_map import map_cells
from benchmarks.diagnostics.centres import centre_distances, true_centre_distances
from benchmarks.diagnostics.mask_values import mask_values
from benchmarks.diagnostics.paired_figures import draw_cell_map, draw_centre_distances, draw_mask_values
from benchmarks.diagnostics.training_figures import draw_history, read_history
from benchmarks.record import Row, describe_circumstances, print_rows, write_record
from benchmarks.systems.scorecard import threshold_of
from calokit.inference import generate_like, read_bundle
from calokit.report.figures.style import save_figure
from calokit.showers import open_showers

MASKED = ("regression", "gan")
"""Families whose masks have values."""
MASK_SHOWERS = 2000
RINGS = {"inner": (0.0, 4.0), "outer": (7.0, 30.0)}
"""Distances from the middle in crystals, inside which cells are averaged."""


def ring_means(values: Any, detector: Any) -> dict[str, float]:
    """Return the mean of a number over the inner and the outer cells."""
    cells = detector.cells
    radius = (cells.x**2 + cells.y**2) ** 0.5 / detector.sections[0].readout.row_pitch_mm
    found = {}
    for name, (low, high) in RINGS.items():
        inside = (radius >= low) & (radius < high) & (values == values)
        found[name] = float(values[inside].mean()) if inside.any() else float("nan")
    return found


def main() -> None:
    """Generate, compare, draw and keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("truth", type=Path)
    parser.add_argument("bundles", nargs="+", metavar="[NAME=]BUNDLE")
    parser.add_argument("--split", default="all", help="of the truth")
    parser.add_argument("--floor", type=Path, default=None)
    parser.add_argument("--floor-split", default="all")
    parser.add_argument("--showers", type=int, default=20_000)
    parser.add_argument("--run", type=Path, nargs="*", default=[])
    parser.add_argument("--output", "-o", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    truth = open_showers(arguments.truth, arguments.split).head(arguments.showers)
    floor = None
    if arguments.floor is not None:
        floor = open_showers(arguments.floor, arguments.floor_split).head(arguments.showers)
    arguments.output.mkdir(parents=True, exist_ok=True)
    circumstances = describe_circumstances(1)
    rows: list[Row] = []
    centres, masks, hits = {}, {}, None
    for words in arguments.bundles:
        label, _, name = words.rpartition("=")
        bundle, label = read_bundle(Path(name)), label or Path(name).stem
        threshold = threshold_of(bundle)
        made = arguments.output / f"{label}.h5"
        generate_like(bundle, truth, made, 1)
        generated = open_showers(made)
        found = map_cells(truth, generated, threshold, floor)
        save_figure(draw_cell_map(found, truth.detector), arguments.output / f"cell_map_{label}.svg")
        centres[label] = centre_distances(truth, generated, threshold)
        if bundle.recipe.model.kind in MASKED:
            values = mask_values(bundle, truth, MASK_SHOWERS)
            masks[label], hits = values.probabilities, values.hits
        own, floors = (ring_means(one, truth.detector) for one in (found.separations, found.floor))
        mean = centres[label].mean()
        rows.append(
            {
                "bundle": label,
                "recipe": bundle.name,
                "centre (mm)": mean.value,
                "its error": mean.error,
                "median (mm)": centres[label].quantile(0.5),
                "empty": centres[label].empty,
                **{f"separation, {ring} cells": value for ring, value in own.items()},
                **{f"floor, {ring} cells": value for ring, value in floors.items()},
            }
        )
    least = None
    if floor is not None:
        least = true_centre_distances(truth.read_all(), floor.read_all(), threshold)
    save_figure(draw_centre_distances(centres, least), arguments.output / "centres.svg")
    if hits is not None:
        save_figure(draw_mask_values(hits, masks), arguments.output / "mask_values.svg")
    if arguments.run:
        histories = {folder.name: read_history(folder) for folder in arguments.run}
        sizes = {
            folder.name: json.loads((folder / "run.json").read_text())["recipe"]["training"]["batch_size"]
            for folder in arguments.run
        }
        save_figure(draw_history(histories, sizes), arguments.output / "training.svg")
    print_rows("Centres and cells", rows, circumstances)
    floor_words = None if least is None else [least.mean().value, least.mean().error]
    facts = {"truth": truth.path.name, "showers": len(truth), "centre_floor_mm": floor_words}
    write_record("zdc_diagnostics", rows, circumstances, **facts)


if __name__ == "__main__":
    main()
