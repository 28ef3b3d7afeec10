"""Time of a generated shower of every LHCb recipe at full size, by batch, on one core.

    python -m benchmarks.systems.lhcb_speed TEST.h5

The weights are untrained: the time does not depend on them. Particles are those of the file, repeated. The
published generator takes 4.9 ms on a processor and 0.07 ms on a GPU (arXiv:1812.01319). Writes
benchmarks/results/lhcb_speed.json.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from pathlib import Path

import torch

from benchmarks.record import Row, describe_circumstances, print_rows, write_record
from benchmarks.speed.generation_speed import take_incidents, time_batch
from calokit.bundles.bundle import Bundle, write_bundle
from calokit.errors import ConditionWarning
from calokit.models.families import build_model
from calokit.recipes import load_recipe
from calokit.showers import open_showers

RECIPES = ("lhcb_wgan_gp", "lhcb_hinge", "lhcb_sagan")
"""The regressor is no part of generation, so that each pair of recipes has one time."""
BATCHES = (1, 100, 10_000)


def time_recipes(data: Path, batches: tuple[int, ...], seconds: float) -> list[Row]:
    """Return a row for each recipe and batch.

    Args:
        data: Showers whose particles are generated for.
        batches: Showers drawn at once.
        seconds: Each is repeated at least so long.
    """
    view = open_showers(data)
    showers = view.read(0, min(len(view), max(batches)))
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in RECIPES:
            recipe = load_recipe(name)
            model = build_model(recipe.model, view.detector, 1)
            model.fit_transforms(showers[:2000])
            path = Path(folder) / f"{name}.calokit"
            write_bundle(path, Bundle(model.eval(), recipe, view.detector, [], {}))
            weights = sum(one.numel() for one in model.parts()["generator"].parameters())
            for batch in batches:
                wall, used = time_batch(path, "float32", take_incidents(showers, batch), seconds)
                row = {"recipe": name, "generator weights": weights, "batch": batch}
                rows.append({**row, "ms a shower": wall, "processor ms a shower": used})
    return rows


def main() -> None:
    """Time, print and keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--batches", type=int, nargs="+", default=list(BATCHES))
    parser.add_argument("--seconds", type=float, default=1.0)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConditionWarning)
    torch.set_num_threads(1)
    circumstances = describe_circumstances(1)
    rows = time_recipes(arguments.data, tuple(arguments.batches), arguments.seconds)
    print_rows("LHCb-like ECAL, generation", rows, circumstances)
    write_record("lhcb_speed", rows, circumstances)


if __name__ == "__main__":
    main()
