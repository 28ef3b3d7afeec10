"""Training state on disk: one safetensors file from which training goes on bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from calokit.bundles.tensors import read_tensors, write_tensors
from calokit.errors import RunError

CHECKPOINT_FORMAT_VERSION = 1


@dataclass(frozen=True)
class Checkpoint:
    """Everything that changes during training.

    Attributes:
        tensors: Weights, buffers, moving averages and optimiser moments, by dotted name.
        state: Step, best loss, patience used and elapsed seconds, as plain data.
    """

    tensors: dict[str, Tensor]
    state: dict[str, Any]

    def group(self, name: str) -> dict[str, Tensor]:
        """Return the tensors under `name.`, without that prefix."""
        prefix = name + "."
        return {key[len(prefix) :]: value for key, value in self.tensors.items() if key.startswith(prefix)}


def write_checkpoint(path: Path, groups: Mapping[str, Mapping[str, Tensor]], state: dict[str, Any]) -> None:
    """Write groups of tensors and plain state; the file is replaced in one move."""
    tensors = {
        f"{group}.{name}": tensor.detach().contiguous().clone()
        for group, members in groups.items()
        for name, tensor in members.items()
    }
    write_tensors(path, tensors, {"format_version": CHECKPOINT_FORMAT_VERSION, **state})


def read_checkpoint(path: Path) -> Checkpoint:
    """Read what `write_checkpoint` wrote.

    Raises:
        RunError: The file is damaged or of another format version.
    """
    tensors, state = read_tensors(path)
    if state.get("format_version") != CHECKPOINT_FORMAT_VERSION:
        raise RunError(f"{path}: not a checkpoint of this release (version {state.get('format_version')!r}).")
    return Checkpoint(tensors, state)


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the moments of an optimiser by `parameter number.name`."""
    return {
        f"{number}.{name}": value
        for number, moments in optimiser.state_dict()["state"].items()
        for name, value in moments.items()
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put moments back into an optimiser that holds the same parameters in the same order."""
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        number, name = key.split(".", 1)
        moments.setdefault(int(number), {})[name] = value
    optimiser.load_state_dict({"state": moments, "param_groups": optimiser.state_dict()["param_groups"]})
