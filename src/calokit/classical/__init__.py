"""Reconstruction without networks: hits, classical energies, straight lines, clusters, bias corrections."""

from calokit.classical.hits import Hits, find_hits

__all__ = ["Hits", "find_hits"]
