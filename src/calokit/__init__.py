"""calokit: describe a calorimeter, read its showers, train a surrogate, and know whether to trust it.

The names below are loaded when first used, so that reading and judging showers never loads torch.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from calokit.detector import Detector, list_detectors, load_detector
    from calokit.evaluation import evaluate_showers
    from calokit.inference import ShowerGenerator, read_bundle
    from calokit.recipes import list_recipes, load_recipe
    from calokit.showers import Showers, open_showers

__version__ = version("calokit")

_HOMES = {
    "Detector": "calokit.detector",
    "list_detectors": "calokit.detector",
    "load_detector": "calokit.detector",
    "Showers": "calokit.showers",
    "open_showers": "calokit.showers",
    "evaluate_showers": "calokit.evaluation",
    "list_recipes": "calokit.recipes",
    "load_recipe": "calokit.recipes",
    "ShowerGenerator": "calokit.inference",
    "read_bundle": "calokit.inference",
}

__all__ = [
    "Detector",
    "ShowerGenerator",
    "Showers",
    "evaluate_showers",
    "list_detectors",
    "list_recipes",
    "load_detector",
    "load_recipe",
    "open_showers",
    "read_bundle",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'calokit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
