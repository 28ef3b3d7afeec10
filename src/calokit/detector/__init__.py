"""Calorimeters described as data: geometry, materials, readout cells, presets."""

from calokit.detector.cells import Cells
from calokit.detector.library import detector_yaml, list_detectors, load_detector
from calokit.detector.materials import Material
from calokit.detector.readout import CartesianReadout, CylindricalReadout, RingReadout
from calokit.detector.schema import Detector, Section, Slab
from calokit.detector.summary import describe_detector, describe_shape
from calokit.detector.tiles import HexagonalTiles

__all__ = [
    "CartesianReadout",
    "Cells",
    "CylindricalReadout",
    "Detector",
    "HexagonalTiles",
    "Material",
    "RingReadout",
    "Section",
    "Slab",
    "describe_detector",
    "describe_shape",
    "detector_yaml",
    "list_detectors",
    "load_detector",
]
