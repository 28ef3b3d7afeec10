"""The CaloChallenge's binning files (XML) as detectors: rings that differ from layer to layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from calokit.detector.schema import Detector
from calokit.errors import DetectorError


def read_binning(path: Path, particle: str | None = None) -> Detector:
    """Read a binning file: `<Bins>` with a `<Particle>` of `<Layer id r_edges n_bin_alpha>`.

    Layers without radii hold no cells and are left out. Angles begin at -pi, as in the challenge's own
    reader; nothing is known of the material.

    Args:
        path: The XML file.
        particle: Name of the particle, for a file that describes several.

    Raises:
        DetectorError: The file is not of this form, or holds several particles and none is named.
    """
    try:
        root = ET.fromstring(path.read_text(encoding="utf-8"))
    except (ET.ParseError, UnicodeDecodeError) as error:
        raise DetectorError(f"{path}: not readable as XML ({error}).") from None
    particles = {str(one.get("name")): one for one in root.iter("Particle")}
    if particle is None and len(particles) != 1:
        raise DetectorError(
            f"{path}: the file has the binnings of {len(particles)} particles "
            f"({', '.join(particles) or 'none'}); leave one of them in a copy of it."
        )
    chosen = particles.get(particle or next(iter(particles)))
    if chosen is None:
        raise DetectorError(f"{path}: no particle {particle!r}; it has {', '.join(particles)}.")
    layers = [layer for one in chosen.iter("Layer") if (layer := _read_layer(path, one)) is not None]
    if not layers:
        raise DetectorError(f"{path}: no layer has radii (r_edges).")
    name = "".join(letter if letter.isalnum() or letter in "_-." else "_" for letter in path.stem)
    section = {"name": "ECAL", "readout": {"kind": "rings", "layers": layers}}
    description = {"name": name, "title": f"Binning of {path.name}", "sections": [section]}
    return Detector.from_mapping(description, str(path))


def _read_layer(path: Path, layer: ET.Element) -> dict[str, Any] | None:
    """Return the rings of a layer; None for one without cells."""
    try:
        edges = [float(word) for word in (layer.get("r_edges") or "").replace(",", " ").split()]
        if len(edges) < 2:
            return None
        number, angles = int(layer.get("id") or 0), int(layer.get("n_bin_alpha") or 1)
    except ValueError:
        raise DetectorError(
            f"{path}: a layer has {dict(layer.attrib)}; r_edges must be numbers with commas between, id and "
            "n_bin_alpha whole numbers."
        ) from None
    return {"id": number, "alpha_bins": angles, "r_edges_mm": edges}
