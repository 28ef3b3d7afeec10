"""Showers in memory and in files."""

from calokit.showers.batch import Showers, concatenate, direction_components
from calokit.showers.files import ShowerFile, ShowerWriter, open_showers
from calokit.showers.splits import Split

__all__ = [
    "ShowerFile",
    "ShowerWriter",
    "Showers",
    "Split",
    "concatenate",
    "direction_components",
    "open_showers",
]
