"""Units inside calokit are MeV, mm, ns and rad; borders convert, and their names carry the unit."""

from __future__ import annotations

MEV_PER_GEV = 1000.0
"""Energies are kept in MeV; users write and read GeV."""

MM_PER_CM = 10.0
"""Lengths are kept in mm; radiation lengths are tabulated in cm."""


def range_words(low: float, high: float, unit: str, digits: int = 4) -> str:
    """Return a range in words; one number where both ends are written alike.

    Example:
        >>> range_words(0.5, 20.0, "GeV"), range_words(20.0, 20.0, "GeV")
        ('0.5 to 20 GeV', '20 GeV')
    """
    ends = (f"{low:.{digits}g}", f"{high:.{digits}g}")
    return " to ".join(dict.fromkeys(ends)) + f" {unit}"
