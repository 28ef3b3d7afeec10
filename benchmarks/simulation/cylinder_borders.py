"""Showers of a cylinder whose cells are volumes of their own, so that Geant4 ends its steps at their borders.

`calokit simulate` makes each layer of a cylinder one disc and shares a step among the cells that it passes.
Other programs divide the disc into volumes (wedges, and rings of them), so that steps end between cells and
each part of one fluctuates by itself. This makes showers in the second way, all else as `calokit simulate`
has it, to tell what of a difference comes from it (FOLDER/par04_electrons.h5 is the output's name):

    python -m benchmarks.simulation.cylinder_borders par04_electrons -n 2560 --seed 7401 -o OUTPUT
    python -m benchmarks.simulation.simulated_samples REFERENCES FOLDER --only par04_electrons --words WORDS
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import numpy as np

from calokit.detector.grids import PolarGrid
from calokit.progress import show_progress
from calokit.showers import Showers, ShowerWriter
from calokit.simulation.backends import event_seed
from calokit.simulation.data_sets import find_data_sets
from calokit.simulation.sample import load_sample

CHUNK = 64


def divide_discs() -> None:
    """Let the discs of this process be divided into volumes, as wedges of rings."""
    import geant4_pybind as g4

    from calokit.simulation.geant4.geometry import CellVolume, SlabBuilder

    whole = SlabBuilder._disc

    def divided(self: Any, mother: Any, name: str, slab: Any, layer: int) -> None:
        whole(self, mother, name, slab, layer)
        keep = self.geometry.keep
        disc = self.geometry.cells.pop()
        grid = disc.grids[layer]
        assert isinstance(grid, PolarGrid)
        rows, columns = grid.shape
        if grid.angle_edges[0] != 0.0 or not np.allclose(
            grid.radius_edges, np.arange(columns + 1) * grid.radius_edges[1]
        ):
            raise SystemExit(
                "only equal rings from the axis on, and angles from 0 on, can be made volumes here."
            )
        half, turn, radius = slab.thickness_mm / 2, 2 * np.pi / rows, float(grid.radius_edges[-1])
        volumes = []
        for label, outer in (("wedge", radius), ("cell", radius / columns)):
            solid = keep(g4.G4Tubs(label, 0.0, outer, half, 0.0, turn))
            volumes.append(keep(g4.G4LogicalVolume(solid, disc.volume.GetMaterial(), label)))
        wedge, cell = volumes
        keep(g4.G4PVReplica("wedge", wedge, disc.volume, g4.kPhi, rows, turn))
        keep(g4.G4PVReplica("cell", cell, wedge, g4.kRho, columns, radius / columns))
        self.geometry.cells.append(CellVolume(cell, disc.section, disc.shape, (3, 1, 0)))

    SlabBuilder._disc = divided  # type: ignore[method-assign]


def main() -> None:
    """Simulate and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sample")
    parser.add_argument("-n", "--count", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    sample = load_sample(arguments.sample)
    detector = sample.load_detector()
    found = find_data_sets(sample.physics, detector)
    os.environ.update(found.environment)
    divide_discs()
    from calokit.simulation.geant4.run import Event, Geant4Run
    from calokit.simulation.geant4.scoring import ScorerDeposits

    run = Geant4Run(detector, sample.physics, found.environment, ScorerDeposits())
    generator = f"Geant4 (geant4-pybind), {sample.physics.description}, cells as volumes"
    attributes = {"seed": arguments.seed}
    with (
        ShowerWriter(arguments.output, detector, sample.particle, generator, attributes) as writer,
        show_progress(arguments.count, "simulating", "showers") as advance,
    ):
        for first in range(0, arguments.count, CHUNK):
            last = min(first + CHUNK, arguments.count)
            shot = sample.draw(arguments.seed, first, last, detector)
            events = [
                Event(shot[k : k + 1], event_seed(arguments.seed, first + k)) for k in range(last - first)
            ]
            deposits = run.simulate(events).energies
            energies, places, flights = shot.energies[:, 0], shot.positions[:, 0], shot.directions[:, 0]
            writer.write(Showers(deposits, energies, detector, places, flights))
            advance(last - first)


if __name__ == "__main__":
    main()
