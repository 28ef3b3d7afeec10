"""Using trained bundles."""

from calokit.inference.generate import ShowerGenerator, generate_file, incidents_at, incidents_like
from calokit.training.bundle import Bundle, read_bundle, write_bundle

__all__ = [
    "Bundle",
    "ShowerGenerator",
    "generate_file",
    "incidents_at",
    "incidents_like",
    "read_bundle",
    "write_bundle",
]
