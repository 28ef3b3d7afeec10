"""What validation says about the showers themselves: squared error by incident energy, step after step."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from calokit.errors import RunError
from calokit.evaluation.response import BinnedMoments, energy_edges, squared_errors
from calokit.models.protocols import Incidents, Surrogate
from calokit.showers import ShowerFile, Showers
from calokit.units import MEV_PER_GEV

ENERGY_BINS = 4
BLOCK = 256


def squared_error_by_energy(
    model: Surrogate, showers: Showers, generator: torch.Generator
) -> dict[str, Any]:
    """Generate a shower for each incident and compare it with the true one.

    Args:
        model: The surrogate, in evaluation mode.
        showers: Truth.
        generator: The source of every random draw.

    Returns:
        `edges_gev` (bin + 1,), and by bin `mse` and `error` of ((cell - true cell) / incident)^2, averaged
        over cells and showers; `all` and `all_error` over all energies. None stands for an empty bin.
    """
    energies = showers.incident_energies.astype(np.float64)
    edges = energy_edges(float(energies.min()), float(energies.max()), ENERGY_BINS)
    binned, whole = BinnedMoments(edges), BinnedMoments(edges[[0, -1]])
    for start in range(0, len(showers), BLOCK):
        part = showers[start : start + BLOCK]
        made = model.generate(Incidents.of(part), generator).float().numpy()
        drawn = Showers(made, part.incident_energies, part.detector)
        errors = squared_errors(part, drawn, model.threshold_mev)
        for moments in (binned, whole):
            moments.add(part.incident_energies.astype(np.float64), errors)
    by_bin, total = binned.mean(), whole.mean()
    return {
        "edges_gev": (edges / MEV_PER_GEV).tolist(),
        "mse": _finite(by_bin.values),
        "error": _finite(by_bin.errors),
        "all": _finite(total.values)[0],
        "all_error": _finite(total.errors)[0],
    }


def monitored_showers(validation: ShowerFile, count: int) -> Showers | None:
    """Return the validation showers that are monitored, or None where there are none to be."""
    return validation.read(0, min(count, len(validation))) if count > 0 else None


@dataclass(frozen=True)
class TrainingHistory:
    """What a training has logged at its validations.

    Attributes:
        steps: (validation,) steps done.
        losses: By term, (validation,).
        edges_gev: (bin + 1,) of the incident energy; empty where nothing was monitored.
        squared_errors: (validation, bin).
        overall: (validation,) squared error over all energies.
    """

    steps: NDArray[np.int64]
    losses: dict[str, NDArray[np.float64]]
    edges_gev: NDArray[np.float64]
    squared_errors: NDArray[np.float64]
    overall: NDArray[np.float64]


def read_history(folder: Path) -> TrainingHistory:
    """Read the validations from the log of a run folder.

    Raises:
        RunError: There is no log, or no validation in it.
    """
    path = folder / "log.jsonl"
    try:
        lines = [json.loads(line) for line in path.read_text().splitlines()]
    except (OSError, json.JSONDecodeError):
        raise RunError(f"{path}: no readable log of a training.") from None
    found = [line for line in lines if "validation" in line]
    if not found:
        raise RunError(f"{path}: no validation was logged; train on, or lower training.validate_every.")
    monitored = [line["monitor"] for line in found if line.get("monitor")]
    names = found[0]["validation"]
    return TrainingHistory(
        np.array([line["step"] for line in found], np.int64),
        {name: np.array([line["validation"][name] for line in found]) for name in names},
        np.array(monitored[0]["edges_gev"] if monitored else []),
        np.array([one["mse"] for one in monitored], np.float64),
        np.array([one["all"] for one in monitored], np.float64),
    )


def _finite(values: NDArray[np.float64]) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]
