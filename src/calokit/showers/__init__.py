"""Showers in memory and in files."""

from calokit.showers.batch import Showers, concatenate
from calokit.showers.files import ShowerFile, open_showers
from calokit.showers.incidents import Incidents, direction_components
from calokit.showers.particles import Particles
from calokit.showers.splits import Split
from calokit.showers.writer import ShowerWriter

__all__ = [
    "Incidents",
    "Particles",
    "ShowerFile",
    "ShowerWriter",
    "Showers",
    "Split",
    "concatenate",
    "direction_components",
    "open_showers",
]
