"""What a detector is, in words and numbers for a person."""

from __future__ import annotations

import math

from calokit.detector.readout import CartesianReadout, CylindricalReadout, RingReadout
from calokit.detector.schema import Detector, Section, Slab
from calokit.errors import DetectorError


def describe_detector(detector: Detector) -> list[tuple[str, str]]:
    """Return what a detector is as rows of a label and a text, in the order to show them.

    Example:
        >>> from calokit.detector import load_detector
        >>> dict(describe_detector(load_detector("clic_ecal")))["cells"]
        '15625'
    """
    rows = [("name", detector.name), ("title", detector.title)]
    if detector.source:
        rows.append(("source", detector.source))
    rows += [
        ("cells", str(detector.number_of_cells)),
        ("readout layers", str(detector.number_of_layers)),
        ("depth", describe_depth(detector)),
    ]
    if detector.front_mm:
        rows.append(("front face", f"{detector.front_mm:g} mm from the interaction point"))
    for section, front in zip(detector.sections, detector.section_fronts, strict=True):
        rows += _describe_section(section, float(front))
    for material in detector.materials:
        length = material.radiation_length_mm
        rows.append((f"material {material.name}", f"{material.density_g_cm3:g} g/cm³, X0 = {length:.3g} mm"))
    rows.append(("digest", detector.digest()))
    return rows


def describe_depth(detector: Detector) -> str:
    """Return the depth in mm and in radiation lengths up to the back of the last readout layer."""
    millimetres = float(detector.layer_edges[-1, 1])
    depth = "unknown" if math.isnan(millimetres) else f"{millimetres:g} mm"
    try:
        return f"{depth}, {detector.cumulated_radiation_lengths[-1]:.1f} X0"
    except DetectorError:
        return depth


def describe_shape(detector: Detector) -> str:
    """Return the shape of every section, such as `1 x 20 x 20 + 64 x 40 x 40`; uneven layers are counted."""
    shapes = [
        " x ".join(map(str, section.shape)) if section.shape else f"{section.number_of_layers} uneven layers"
        for section in detector.sections
    ]
    return " + ".join(shapes)


def _describe_section(section: Section, front_mm: float) -> list[tuple[str, str]]:
    """Return the rows of one section."""
    label = f"section {section.name}"
    layers = (
        "1 readout layer" if section.number_of_layers == 1 else f"{section.number_of_layers} readout layers"
    )
    rows = [(label, f"{section.number_of_cells} cells in {layers}")]
    rows.append((f"{label}: readout", _describe_readout(section)))
    if section.slabs:
        stack = " + ".join(_describe_slab(slab) for slab in section.slabs)
        rows.append((f"{label}: stack", f"{section.repeats} x ({stack})" if section.repeats > 1 else stack))
        if section.layers_per_readout > 1:
            rows.append((f"{label}: grouping", f"{section.layers_per_readout} repeats in one readout layer"))
    else:
        rows.append((f"{label}: stack", "not described"))
    if section.back_plates:
        rows.append((f"{label}: back", " + ".join(_describe_slab(slab) for slab in section.back_plates)))
    if section.gap_before_mm:
        rows.append((f"{label}: begins", f"{front_mm:g} mm behind the front face"))
    if section.tiles is not None:
        tiles = section.tiles
        area = f"{tiles.area_mm2 / 100:.1f} cm²"
        text = f"hexagons of side {tiles.side_mm:g} mm ({area}), stagger {tiles.stagger}"
        rows.append((f"{label}: tiles", text))
    return rows


def _describe_slab(slab: Slab) -> str:
    """Return thickness and material of a slab, and whether it is read out."""
    return f"{slab.thickness_mm:g} mm {slab.material}{' (sensitive)' if slab.sensitive else ''}"


def _describe_readout(section: Section) -> str:
    """Return the division of a layer into cells."""
    readout = section.readout
    if isinstance(readout, CartesianReadout):
        gap = f", {section.cell_gap_mm:g} mm of air between" if section.cell_gap_mm else ""
        pitch = f"{readout.row_pitch_mm:g} x {readout.column_pitch_mm:g} mm"
        return f"{readout.rows} rows (x) x {readout.columns} columns (y) at a pitch of {pitch}{gap}"
    if isinstance(readout, CylindricalReadout):
        bins, edges = len(readout.r_edges) - 1, readout.r_edges
        return f"{readout.phi_bins} phi x {bins} r, out to r = {edges[-1]:g} mm"
    if isinstance(readout, RingReadout):
        layers = (f"{layer.id}: {layer.alpha_bins} x {len(layer.r_edges_mm) - 1}" for layer in readout.layers)
        return f"alpha x r by layer id: {', '.join(layers)}"
    raise TypeError(type(readout))
