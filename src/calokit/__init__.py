"""calokit: describe a calorimeter, read its showers, train a surrogate, and know whether to trust it.

The journey: `simulate` or `open_showers`, `train`, `read_bundle`, `generate` or `reconstruct`, `evaluate`,
`write_report` and `plot`. Paths may be strings; long work shows a bar, which `progress=no_progress` silences.
The names below are loaded when first used, so that reading and judging showers never loads torch.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from calokit.detector import Detector, list_detectors, load_detector
    from calokit.evaluation import EvaluationSettings, evaluate_showers
    from calokit.inference import ShowerGenerator, read_bundle
    from calokit.journey import (
        evaluate,
        generate,
        likelihood,
        plot,
        reconstruct,
        simulate,
        train,
        write_report,
        write_showers,
    )
    from calokit.progress import no_progress
    from calokit.recipes import list_recipes, load_recipe
    from calokit.showers import Incidents, Showers, open_showers

__version__ = version("calokit")

_HOMES = {
    "Detector": "calokit.detector",
    "EvaluationSettings": "calokit.evaluation",
    "Incidents": "calokit.showers",
    "ShowerGenerator": "calokit.inference",
    "Showers": "calokit.showers",
    "evaluate": "calokit.journey",
    "evaluate_showers": "calokit.evaluation",
    "generate": "calokit.journey",
    "likelihood": "calokit.journey",
    "list_detectors": "calokit.detector",
    "list_recipes": "calokit.recipes",
    "load_detector": "calokit.detector",
    "load_recipe": "calokit.recipes",
    "no_progress": "calokit.progress",
    "open_showers": "calokit.showers",
    "plot": "calokit.journey",
    "read_bundle": "calokit.inference",
    "reconstruct": "calokit.journey",
    "simulate": "calokit.journey",
    "train": "calokit.journey",
    "write_report": "calokit.journey",
    "write_showers": "calokit.journey",
}

__all__ = [
    "Detector",
    "EvaluationSettings",
    "Incidents",
    "ShowerGenerator",
    "Showers",
    "evaluate",
    "evaluate_showers",
    "generate",
    "likelihood",
    "list_detectors",
    "list_recipes",
    "load_detector",
    "load_recipe",
    "no_progress",
    "open_showers",
    "plot",
    "read_bundle",
    "reconstruct",
    "simulate",
    "train",
    "write_report",
    "write_showers",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'calokit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
