"""The squared error of the ZDC regression in the course of its training, in bins of the energy, seed by seed.

    python -m benchmarks.systems.zdc_iterations RUN...

RUN are folders of runs with `training.monitor_showers`, finished or not, as of studies/zdc_iterations.yaml;
the result is benchmarks/results/zdc_iterations.json, which docs/update_zdc.py lays out.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from benchmarks.diagnostics.training_figures import read_history
from benchmarks.record import Row, describe_circumstances, print_rows, write_record


def read_run_history(folder: Path) -> tuple[list[Row], list[float], int]:
    """Return a row for each validation of a run, the edges of its bins in GeV, and its planned steps."""
    training = json.loads((folder / "run.json").read_text())["recipe"]["training"]
    history = read_history(folder)
    rows: list[Row] = [
        {
            "seed": training["seed"],
            "presentations": int(step) * training["batch_size"],
            "all": float(whole),
            "mse": [float(value) for value in by_bin],
        }
        for step, whole, by_bin in zip(history.steps, history.overall, history.squared_errors, strict=True)
    ]
    return rows, history.edges_gev.tolist(), training["steps"] * training["batch_size"]


def main() -> None:
    """Read, print and record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path, nargs="+")
    arguments = parser.parse_args()
    circumstances = describe_circumstances(1)
    found = [read_run_history(folder) for folder in sorted(arguments.runs)]
    rows = [row for one, _, _ in found for row in one]
    print_rows("Squared error over training", rows, circumstances)
    write_record("zdc_iterations", rows, circumstances, edges_gev=found[0][1], planned=found[0][2])


if __name__ == "__main__":
    main()
