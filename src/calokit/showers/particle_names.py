"""Names, PDG numbers and masses of incident particles."""

from __future__ import annotations

PDG_NUMBERS = {
    "e-": 11,
    "e+": -11,
    "gamma": 22,
    "mu-": 13,
    "mu+": -13,
    "pi+": 211,
    "pi-": -211,
    "pi0": 111,
    "kaon+": 321,
    "kaon-": -321,
    "kaon0L": 130,
    "kaon0S": 310,
    "proton": 2212,
    "neutron": 2112,
    "anti_proton": -2212,
    "anti_neutron": -2112,
}
"""PDG number of each particle, by Geant4's name."""

MASSES_MEV = {
    11: 0.51099895,
    13: 105.6583755,
    22: 0.0,
    111: 134.9768,
    211: 139.57039,
    130: 497.611,
    310: 497.611,
    321: 493.677,
    2112: 939.56542,
    2212: 938.27209,
}
"""Mass in MeV by the absolute PDG number (Review of Particle Physics 2024)."""

PARTICLE_WORDS = {
    "electron": "e-",
    "positron": "e+",
    "photon": "gamma",
    "muon": "mu-",
    "antimuon": "mu+",
    "pion": "pi+",
    "pion+": "pi+",
    "pion-": "pi-",
    "pion0": "pi0",
    "k+": "kaon+",
    "k-": "kaon-",
    "k0l": "kaon0L",
    "k0s": "kaon0S",
    "klong": "kaon0L",
    "kshort": "kaon0S",
    "p": "proton",
    "n": "neutron",
    "antiproton": "anti_proton",
    "antineutron": "anti_neutron",
}
"""Geant4's name by other words that are understood, in small letters without `_` and blanks."""

_NAMES = {number: name for name, number in PDG_NUMBERS.items()}


def plain_particle(word: str) -> str:
    """Return Geant4's name of a particle that goes by another word, or the word as it is.

    Example:
        >>> [plain_particle(word) for word in ("Electron", "photon", "pi-", "-211", "K_L0", "quark")]
        ['e-', 'gamma', 'pi-', 'pi-', 'kaon0L', 'quark']
    """
    if word in PDG_NUMBERS:
        return word
    plain = word.strip().lower().replace("_", "").replace(" ", "")
    if plain.lstrip("+-").isdigit() and int(plain) in _NAMES:
        return _NAMES[int(plain)]
    plain = {"kl0": "k0l", "ks0": "k0s"}.get(plain, plain)
    named = {name.lower().replace("_", ""): name for name in PDG_NUMBERS}
    return PARTICLE_WORDS.get(plain) or named.get(plain) or word


def name_of(number: int) -> str:
    """Return Geant4's name of a PDG number, or the number in words."""
    return _NAMES.get(number, f"PDG {number}")
