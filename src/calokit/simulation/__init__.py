"""Simulated showers: samples described as data, made by Geant4 or by formulas."""
