"""The high-level features of CaloChallenge 2022: energies, centres, widths and sparsity of every layer."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from calokit.arrays import Float64
from calokit.detector import Detector
from calokit.detector.readout import CartesianReadout, RingReadout
from calokit.errors import CalokitError
from calokit.showers import Showers
from calokit.showers.hits import Hits

LENGTH_SCALE_MM = 100.0
"""Lengths enter the feature matrix in units of this, as in CaloChallenge."""
SMALLEST_ENERGY_MEV = 1e-8
"""Added to energies before their logarithm, as in CaloChallenge, so that an empty layer has one."""


@dataclass(frozen=True)
class ChallengeFeatures:
    """The high-level features of a batch of showers.

    Attributes:
        incident_energies: (event,) MeV.
        total_energies: (event,) MeV, over all cells not below the threshold.
        layers: Number of each layer: the experiment's own in a readout of rings, else counted from 0.
        layer_energies: (event, layer) MeV.
        sparsity: (event, layer) part of the layer's cells without energy.
        centre_r: (event, layer) energy-weighted mean distance from the axis in mm; 0 in an empty layer.
        width_r: (event, layer) energy-weighted standard deviation of the distance in mm.
        divided: Columns of `layers` whose cells have different places; full rings have not.
        centre_x: (event, divided layer) energy-weighted mean in mm, "eta" in CaloChallenge.
        centre_y: (event, divided layer) the same across, "phi" in CaloChallenge.
        width_x: (event, divided layer) energy-weighted standard deviation in mm.
        width_y: (event, divided layer) the same across.
        axes: Names of the two directions: eta and phi in polar readouts, x and y in others.
    """

    incident_energies: Float64
    total_energies: Float64
    layers: tuple[int, ...]
    layer_energies: Float64
    sparsity: Float64
    centre_r: Float64
    width_r: Float64
    divided: tuple[int, ...]
    centre_x: Float64
    centre_y: Float64
    width_x: Float64
    width_y: Float64
    axes: tuple[str, str]

    def __len__(self) -> int:
        return len(self.incident_energies)

    @property
    def divided_layers(self) -> tuple[int, ...]:
        """Numbers of the layers that have a centre and a width in both directions."""
        return tuple(self.layers[column] for column in self.divided)

    def matrix(self) -> tuple[Float64, tuple[str, ...]]:
        """Return all features in the form and order that CaloChallenge's classifier and FPD take.

        Returns:
            (event, k) and the k names: log10 of the incident energy, of the layer energies, centres and
            widths in both directions in units of 100 mm, log10 of the total energy, sparsity, centre and
            width in r in units of 100 mm. Energies are in MeV, with 1e-8 MeV added to all but the incident.
        """
        first, second = self.axes
        divided, layers = self.divided_layers, self.layers
        blocks: list[tuple[str, tuple[int, ...], Float64]] = [
            ("log10_incident_energy", (), _logarithm(self.incident_energies, 0.0)),
            ("log10_energy", layers, _logarithm(self.layer_energies, SMALLEST_ENERGY_MEV)),
            (f"centre_{first}", divided, self.centre_x / LENGTH_SCALE_MM),
            (f"centre_{second}", divided, self.centre_y / LENGTH_SCALE_MM),
            (f"width_{first}", divided, self.width_x / LENGTH_SCALE_MM),
            (f"width_{second}", divided, self.width_y / LENGTH_SCALE_MM),
            ("log10_total_energy", (), _logarithm(self.total_energies, SMALLEST_ENERGY_MEV)),
            ("sparsity", layers, self.sparsity),
            ("centre_r", layers, self.centre_r / LENGTH_SCALE_MM),
            ("width_r", layers, self.width_r / LENGTH_SCALE_MM),
        ]
        names: list[str] = []
        for name, numbers, values in blocks:
            names += [f"{name}_layer_{number}" for number in numbers] if values.ndim == 2 else [name]
        columns = [values if values.ndim == 2 else values[:, None] for _, _, values in blocks]
        return np.concatenate(columns, axis=1), tuple(names)


def challenge_features(showers: Showers, threshold: float) -> ChallengeFeatures:
    """Compute the high-level features of CaloChallenge (code/HighLevelFeatures.py) of any detector.

    With weights e of the cells of a layer, a centre is <x> = sum e x / sum e and a width
    sqrt(sum e (x - <x>)^2 / sum e), in x, y and the distance from the axis. In a polar readout places are
    those of the middle of a bin, about the detector's axis, with the first angular bin beginning at -pi as in
    code/XMLHandler.py: where a detector's own angles begin at 0 (Par04) its centres have the other sign. In a
    Cartesian readout they are about the impact where that is known.

    Args:
        showers: The showers.
        threshold: MeV; cells below it count as empty (1 in CaloChallenge's data set 1, 0.5e-3 / 0.033 in
            2 and 3). Unlike elsewhere in calokit, a cell at the threshold counts, as it does there.

    Raises:
        CalokitError: The threshold is negative, or an energy is not a number.

    Example:
        >>> from calokit.detector import load_detector
        >>> detector = load_detector("zdc_ecal")
        >>> energies = np.zeros((1, 400), np.float32)
        >>> energies[0, :2] = 5.0
        >>> features = challenge_features(Showers(energies, np.array([50.0], np.float32), detector), 0.1)
        >>> float(features.total_energies[0]), features.width_x.item(), round(features.width_y.item(), 2)
        (10.0, 0.0, 15.15)
    """
    hits = _find_cells(showers, threshold)
    detector = showers.detector
    cells, layers = detector.cells, detector.number_of_layers
    place = hits.event * layers + cells.layer[hits.cell]
    x, y, radius = (places[hits.cell] for places in (*_places(detector), cells.radius))
    polar = [not isinstance(section.readout, CartesianReadout) for section in detector.sections]
    if showers.positions is not None and not any(polar):
        impact = showers.positions.astype(np.float64)
        x, y = x - impact[hits.event, 0], y - impact[hits.event, 1]
        radius = np.hypot(x, y)

    def by_layer(weights: Float64 | None) -> Float64:
        sums = np.bincount(place, weights=weights, minlength=len(showers) * layers)
        return sums.astype(np.float64).reshape(len(showers), layers)

    energy = by_layer(hits.energy)

    def centre_and_width(values: Float64) -> tuple[Float64, Float64]:
        centre = _ratio(by_layer(hits.energy * values), energy)
        offset = values - centre.ravel()[place]
        return centre, np.sqrt(_ratio(by_layer(hits.energy * offset**2), energy))

    divided = _divided_layers(detector)
    centre_x, width_x = centre_and_width(x)
    centre_y, width_y = centre_and_width(y)
    centre_r, width_r = centre_and_width(radius)
    return ChallengeFeatures(
        incident_energies=showers.incident_energies.astype(np.float64),
        total_energies=hits.sum_by_event(hits.energy),
        layers=layer_numbers(detector),
        layer_energies=energy,
        sparsity=1.0 - by_layer(None) / np.bincount(cells.layer, minlength=layers),
        centre_r=centre_r,
        width_r=width_r,
        divided=divided,
        centre_x=centre_x[:, divided],
        centre_y=centre_y[:, divided],
        width_x=width_x[:, divided],
        width_y=width_y[:, divided],
        axes=("eta", "phi") if all(polar) else ("x", "y"),
    )


def layer_numbers(detector: Detector) -> tuple[int, ...]:
    """Return the number of each layer: the experiment's in a readout of rings alone, else from 0."""
    section = detector.sections[0]
    if len(detector.sections) == 1 and isinstance(section.readout, RingReadout):
        return tuple(layer.id for layer in section.readout.layers)
    return tuple(range(detector.number_of_layers))


def _find_cells(showers: Showers, threshold: float) -> Hits:
    """Return the cells that are not below the threshold and hold energy."""
    if threshold < 0:
        raise CalokitError(f"a threshold of {threshold} MeV was given; it must be 0 or more.")
    energies = showers.energies
    if not np.isfinite(energies).all():
        event = int(np.flatnonzero(~np.isfinite(energies).all(axis=1))[0])
        raise CalokitError(
            f"shower {event} holds an energy that is not a finite number; leave such showers out and say so."
        )
    flat = np.flatnonzero((energies >= threshold).ravel() & (energies > 0).ravel())
    event, cell = flat // energies.shape[1], flat % energies.shape[1]
    return Hits(event, cell, energies.ravel()[flat].astype(np.float64), len(showers))


def _places(detector: Detector) -> tuple[Float64, Float64]:
    """Return x and y of every cell (cell,) in mm, polar readouts turned so that their angles begin at -pi."""
    starts = []
    for section in detector.sections:
        readout = section.readout
        if isinstance(readout, CartesianReadout):
            starts.append(-math.pi)
        else:
            starts.append(
                readout.alpha_start_rad if isinstance(readout, RingReadout) else readout.phi_start_rad
            )
    cells = detector.cells
    turn = np.exp(-1j * (math.pi + np.array(starts)))[cells.section]
    turned = (cells.x + 1j * cells.y) * turn
    return turned.real, turned.imag


def _divided_layers(detector: Detector) -> tuple[int, ...]:
    """Return the layers in which not all cells have the same centre."""
    cells = detector.cells
    divided = []
    for layer in range(detector.number_of_layers):
        inside = cells.layer == layer
        if np.ptp(cells.x[inside]) > 0 or np.ptp(cells.y[inside]) > 0:
            divided.append(layer)
    return tuple(divided)


def _logarithm(energies: Float64, added: float) -> Float64:
    logarithm: Float64 = np.log10(energies + added)
    return logarithm


def _ratio(numerator: Float64, denominator: Float64) -> Float64:
    """Divide, with 0 where the denominator is 0 (an empty layer)."""
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)
