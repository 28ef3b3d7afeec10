"""Units inside calokit are MeV, mm, ns and rad; borders convert, and their names carry the unit."""

from __future__ import annotations

MEV_PER_GEV = 1000.0
"""Energies are kept in MeV; users write and read GeV."""

MM_PER_CM = 10.0
"""Lengths are kept in mm; radiation lengths are tabulated in cm."""
