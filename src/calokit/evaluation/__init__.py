"""How alike two samples of showers are, with every number beside its floor and its error."""

from calokit.evaluation.comparison import Evaluation, evaluate_showers
from calokit.evaluation.samples.observables import Observables, high_level_features
from calokit.evaluation.scorecard import Scorecard, read_scorecard
from calokit.evaluation.settings import EvaluationSettings

__all__ = [
    "Evaluation",
    "EvaluationSettings",
    "Observables",
    "Scorecard",
    "evaluate_showers",
    "high_level_features",
    "read_scorecard",
]
