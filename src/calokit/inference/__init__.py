"""Using trained bundles."""

from calokit.bundles.bundle import Bundle, read_bundle, write_bundle
from calokit.inference.complete import complete_showers
from calokit.inference.generate import (
    ShowerGenerator,
    generate_file,
    generate_like,
    incidents_at,
    incidents_like,
)
from calokit.inference.likelihood import Likelihood, measure_likelihood
from calokit.inference.reconstruct import Reconstruction, reconstruct_showers

__all__ = [
    "Bundle",
    "Likelihood",
    "Reconstruction",
    "ShowerGenerator",
    "complete_showers",
    "generate_file",
    "generate_like",
    "incidents_at",
    "incidents_like",
    "measure_likelihood",
    "read_bundle",
    "reconstruct_showers",
    "write_bundle",
]
