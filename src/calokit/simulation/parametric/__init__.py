"""Showers by formulas: no Geant4, no data, any detector, to try things fast, not to be trusted."""

from calokit.simulation.parametric.simulator import ParametricSimulator

__all__ = ["ParametricSimulator"]
