"""Materials in Geant4: its own NIST list, or the description's composition."""

from __future__ import annotations

from typing import Any

import geant4_pybind as g4

from calokit.detector import Detector

_BUILT: dict[str, Any] = {}


def build_material(detector: Detector, name: str) -> Any:
    """Return Geant4's material for the name that a slab gives; each is built once a process.

    Raises:
        DetectorError: Neither the detector nor calokit describes it.
    """
    if name not in _BUILT:
        nist = g4.G4NistManager.Instance()
        described = detector.material(name)
        if name.startswith("G4_"):
            _BUILT[name] = nist.FindOrBuildMaterial(name)
        else:
            weights = described.weights
            density = described.density_g_cm3 * g4.g / g4.cm3
            material = g4.G4Material(name, density, len(weights))
            for symbol, weight in weights.items():
                material.AddElement(nist.FindOrBuildElement(symbol), weight)
            _BUILT[name] = material
    return _BUILT[name]
