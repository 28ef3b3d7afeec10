"""Reconstruction without networks: hits, classical energies, straight lines, clusters, bias corrections."""

from calokit.classical.hits import CellGrid, GridHits

__all__ = ["CellGrid", "GridHits"]
