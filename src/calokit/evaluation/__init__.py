"""How alike two samples of showers are, with every number beside its floor and its error.

The names below are loaded when first used: training and generating need a metric or two, not the judges.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from calokit.evaluation.comparison import Evaluation, evaluate_showers
    from calokit.evaluation.samples.observables import Observables, high_level_features
    from calokit.evaluation.scorecard import Scorecard, read_scorecard
    from calokit.evaluation.settings import EvaluationSettings

_HOMES = {
    "Evaluation": "calokit.evaluation.comparison",
    "EvaluationSettings": "calokit.evaluation.settings",
    "Observables": "calokit.evaluation.samples.observables",
    "Scorecard": "calokit.evaluation.scorecard",
    "evaluate_showers": "calokit.evaluation.comparison",
    "high_level_features": "calokit.evaluation.samples.observables",
    "read_scorecard": "calokit.evaluation.scorecard",
}

__all__ = [
    "Evaluation",
    "EvaluationSettings",
    "Observables",
    "Scorecard",
    "evaluate_showers",
    "high_level_features",
    "read_scorecard",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'calokit.evaluation' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__]
