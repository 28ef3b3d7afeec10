"""Radiation lengths of the elements, from their atomic number and atomic mass."""

from __future__ import annotations

import math

from calokit.errors import DetectorError, suggest_near_miss

FINE_STRUCTURE_CONSTANT = 1.0 / 137.035999
AVOGADRO_RADIUS_FACTOR = 716.408
"""A / (4 alpha r_e^2 N_A) for A = 1 g/mol, in g/cm^2 (PDG, Passage of particles through matter)."""

# Standard atomic weights (g/mol) in the order of the atomic number, from hydrogen to uranium.
_TABLE = """
H 1.008 He 4.0026 Li 6.94 Be 9.0122 B 10.81 C 12.011 N 14.007 O 15.999 F 18.998 Ne 20.180
Na 22.990 Mg 24.305 Al 26.982 Si 28.085 P 30.974 S 32.06 Cl 35.45 Ar 39.948 K 39.098 Ca 40.078
Sc 44.956 Ti 47.867 V 50.942 Cr 51.996 Mn 54.938 Fe 55.845 Co 58.933 Ni 58.693 Cu 63.546 Zn 65.38
Ga 69.723 Ge 72.630 As 74.922 Se 78.971 Br 79.904 Kr 83.798 Rb 85.468 Sr 87.62 Y 88.906 Zr 91.224
Nb 92.906 Mo 95.95 Tc 98. Ru 101.07 Rh 102.91 Pd 106.42 Ag 107.87 Cd 112.41 In 114.82 Sn 118.71
Sb 121.76 Te 127.60 I 126.90 Xe 131.29 Cs 132.91 Ba 137.33 La 138.91 Ce 140.12 Pr 140.91 Nd 144.24
Pm 145. Sm 150.36 Eu 151.96 Gd 157.25 Tb 158.93 Dy 162.50 Ho 164.93 Er 167.26 Tm 168.93 Yb 173.05
Lu 174.97 Hf 178.49 Ta 180.95 W 183.84 Re 186.21 Os 190.23 Ir 192.22 Pt 195.08 Au 196.97 Hg 200.59
Tl 204.38 Pb 207.2 Bi 208.98 Po 209. At 210. Rn 222. Fr 223. Ra 226. Ac 227. Th 232.04 Pa 231.04 U 238.03
"""
_ATOMIC_WEIGHTS = _TABLE.split()

ATOMIC_NUMBERS = {symbol: number for number, symbol in enumerate(_ATOMIC_WEIGHTS[::2], start=1)}
"""Atomic number of every element, by its symbol."""

ATOMIC_MASSES = dict(zip(_ATOMIC_WEIGHTS[::2], map(float, _ATOMIC_WEIGHTS[1::2]), strict=True))
"""Atomic mass of every element in g/mol, by its symbol."""

# Tsai's radiation logarithms (elastic, inelastic) of the four lightest elements.
_LIGHT_LOGARITHMS = {1: (5.31, 6.144), 2: (4.79, 5.621), 3: (4.74, 5.805), 4: (4.71, 5.924)}


def require_element(symbol: str) -> str:
    """Return the symbol of a known element unchanged.

    Raises:
        DetectorError: No element has this symbol.
    """
    if symbol not in ATOMIC_NUMBERS:
        raise DetectorError(f"unknown element {symbol!r}. {suggest_near_miss(symbol, ATOMIC_NUMBERS)}")
    return symbol


def element_radiation_length(symbol: str) -> float:
    """Return the radiation length of an element in g/cm^2.

    1/X0 = 4 alpha r_e^2 N_A / A {Z^2 [L_rad - f(Z)] + Z L'_rad} (Y.S. Tsai, Rev. Mod. Phys. 46 (1974) 815;
    PDG, Passage of particles through matter, section Photon and electron interactions).

    Args:
        symbol: The element's symbol, such as `"W"`.

    Raises:
        DetectorError: No element has this symbol.

    Example:
        >>> round(element_radiation_length("W"), 2)
        6.76
    """
    number = ATOMIC_NUMBERS[require_element(symbol)]
    squared = (number * FINE_STRUCTURE_CONSTANT) ** 2
    coulomb = squared * (
        1 / (1 + squared) + 0.20206 - 0.0369 * squared + 0.0083 * squared**2 - 0.002 * squared**3
    )
    elastic, inelastic = _LIGHT_LOGARITHMS.get(
        number, (math.log(184.15 * number ** (-1 / 3)), math.log(1194 * number ** (-2 / 3)))
    )
    strength = number**2 * (elastic - coulomb) + number * inelastic
    return AVOGADRO_RADIUS_FACTOR * ATOMIC_MASSES[symbol] / strength
