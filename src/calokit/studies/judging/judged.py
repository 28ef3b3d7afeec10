"""What judging a trained bundle leaves in a study's row."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Judged:
    """The figures of one bundle.

    Attributes:
        milliseconds_per_shower: Time of the model.
        metrics: By name: value, its error, floor, its error. The floor of a surrogate is truth against truth,
            that of a reconstruction the best classical method on the same showers.
        curves: Figures by incident energy.
        path: The file that holds the result.
    """

    milliseconds_per_shower: float
    metrics: dict[str, list[float]]
    curves: dict[str, dict[str, Any]]
    path: Path
