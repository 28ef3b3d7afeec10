"""The parametric simulation beside Geant4 on the same incident particles, sample by sample: its faults.

A folder holds Geant4 files named NAME.h5 (`calokit simulate NAME -o NAME.h5`, or the reference sets). The
parametric simulation gets the same particles: energies, impacts, directions.

    python -m benchmarks.simulation.parametric_against_geant4 FOLDER --showers 2000
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np

from benchmarks.record import Row, describe_circumstances, print_rows, write_record
from calokit.arrays import Float64
from calokit.detector import Detector
from calokit.showers import Particles, Showers, open_showers
from calokit.showers.particle_names import PDG_NUMBERS
from calokit.simulation.parametric import ParametricSimulator
from calokit.simulation.sample import list_samples

CHUNK = 64
THRESHOLD_MEV = 0.01
CONTAINED = 0.9


class Sums:
    """What is compared, filled chunk by chunk."""

    def __init__(self, detector: Detector) -> None:
        self.detector = detector
        self.layers: Float64 = np.zeros(detector.number_of_layers)
        self.fractions: list[Float64] = []
        self.energies: list[Float64] = []
        self.hits: list[Float64] = []
        self.rings: Float64 = np.zeros(2000)

    def add(self, showers: Showers) -> None:
        """Add showers; distances are counted from the flight line of the particle."""
        cells, deposits = self.detector.cells, showers.energies.astype(np.float64)
        self.layers += np.bincount(cells.layer, deposits.sum(axis=0), len(self.layers))
        self.fractions.append(deposits.sum(axis=1) / showers.incident_energies)
        self.energies.append(showers.incident_energies.astype(np.float64))
        self.hits.append((deposits > THRESHOLD_MEV).sum(axis=1).astype(np.float64))
        event, cell = np.nonzero(deposits)
        if showers.positions is None or showers.directions is None:
            distance = cells.radius[cell]
        else:
            slopes = showers.directions[:, :2] / showers.directions[:, 2:]
            line = showers.positions[event] + slopes[event] * cells.z[cell, None]
            distance = np.hypot(cells.x[cell] - line[:, 0], cells.y[cell] - line[:, 1])
        place = np.minimum(distance, 1999.0).astype(int)
        self.rings += np.bincount(place, deposits[event, cell], 2000)

    def row(self, name: str, made_by: str) -> Row:
        """Return the figures."""
        fraction, energy = np.concatenate(self.fractions), np.concatenate(self.energies) / 1e3
        groups = np.array_split(np.argsort(energy, kind="stable"), 3)
        resolution = [
            100 * float(fraction[g].std() / fraction[g].mean()) * math.sqrt(float(energy[g].mean()))
            for g in groups
        ]
        profile = self.layers / self.layers.sum()
        number = np.arange(len(profile))
        depth = float((profile * number).sum())
        inside = np.cumsum(self.rings) / self.rings.sum()
        return {
            "sample": name,
            "by": made_by,
            "visible / incident (%)": 100 * float(fraction.mean()),
            "at low energies": 100 * float(fraction[groups[0]].mean()),
            "at high energies": 100 * float(fraction[groups[2]].mean()),
            "spread x sqrt(E), low (%)": resolution[0],
            "high (%)": resolution[2],
            "mean layer": depth,
            "spread in layers": float(np.sqrt((profile * (number - depth) ** 2).sum())),
            "R90 (mm)": float(np.searchsorted(inside, CONTAINED) + 0.5),
            "hits above 10 keV": float(np.concatenate(self.hits).mean()),
            "showers": len(fraction),
        }


def compare(name: str, path: Path, showers: int) -> tuple[list[Row], Row]:
    """Return a row of Geant4, one of the parametric simulation, and the differences in layers."""
    view = open_showers(path).head(showers)
    detector = view.detector
    simulator = ParametricSimulator(detector)
    rng = np.random.default_rng(1)
    geant4, parametric = Sums(detector), Sums(detector)
    for batch in view.chunks(CHUNK):
        geant4.add(batch)
        particles = batch.particles or _single(batch, view.particle)
        parametric.add(
            Showers(
                simulator.simulate(particles, rng),
                batch.incident_energies,
                detector,
                batch.positions,
                batch.directions,
            )
        )
    shares = [one.layers / one.layers.sum() for one in (geant4, parametric)]
    worst = int(np.abs(shares[0] - shares[1]).argmax())
    rows = [geant4.row(name, "Geant4"), parametric.row(name, "formulas")]
    figures = [key for key, value in rows[0].items() if isinstance(value, float)]
    ratio: Row = {"sample": name}
    for key in figures:
        ratio[key] = float(rows[1][key]) / float(rows[0][key]) if rows[0][key] else None
    ratio["worst layer"] = worst
    ratio["its share by Geant4 (%)"] = 100 * float(shares[0][worst])
    ratio["by formulas (%)"] = 100 * float(shares[1][worst])
    return rows, ratio


def _single(batch: Showers, particle: str) -> Particles:
    """Return the particles of events with one each."""
    assert batch.positions is not None
    assert batch.directions is not None
    pdg = np.full((len(batch), 1), PDG_NUMBERS[particle], np.int32)
    return Particles(
        batch.incident_energies[:, None], pdg, batch.positions[:, None], batch.directions[:, None]
    )


def main() -> None:
    """Compare every sample that is there."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--showers", type=int, default=2000)
    arguments = parser.parse_args()
    circumstances = describe_circumstances(1)
    rows: list[Row] = []
    ratios: list[Row] = []
    for name in list_samples():
        path = arguments.folder / f"{name}.h5"
        if not path.is_file():
            print(f"{name}: no Geant4 showers in {arguments.folder}")
            continue
        both, ratio = compare(name, path, arguments.showers)
        rows += both
        ratios.append(ratio)
    print_rows("parametric simulation beside Geant4", rows, circumstances)
    print_rows("formulas / Geant4", ratios, circumstances)
    write_record("parametric_against_geant4", rows, circumstances, ratios=ratios, showers=arguments.showers)


if __name__ == "__main__":
    main()
