"""Geant4 on the incident particles of a shower file, in the file's detector: milliseconds a shower.

The same Geant4 as `calokit simulate` runs, in this process, with the physics of the file's sample where it
says one (electromagnetic physics elsewhere). The last line of the output is one JSON object.
Geant4's data sets must be found (see docs/simulation.md).

    python -m benchmarks.speed.geant4_same_particles showers.h5 --count 300 --write out.h5
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np

from calokit.showers import Particles, ShowerFile, Showers, ShowerWriter, open_showers
from calokit.showers.particle_names import PDG_NUMBERS
from calokit.simulation.backends import event_seed
from calokit.simulation.data_sets import find_data_sets
from calokit.simulation.physics import Physics
from calokit.simulation.sample import Sample

WARM_UP = 3
"""Showers made before the time counts."""


def physics_of(view: ShowerFile) -> Physics:
    """Return the physics that a file's showers were made with."""
    description = view.attributes.get("sample_description")
    if description is None:
        return Physics()
    return Sample.from_mapping(json.loads(description), str(view.path)).physics


def main() -> None:
    """Simulate, write where asked for, and tell."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="native shower file whose incident particles are taken")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=Path, default=None, help="where the showers shall be written")
    arguments = parser.parse_args()
    view = open_showers(arguments.data)
    like = view.read(0, min(arguments.count, len(view)))
    if like.positions is None or like.directions is None or view.particle not in PDG_NUMBERS:
        raise SystemExit(f"{arguments.data}: needs positions, directions and a known particle.")
    physics = physics_of(view)
    found = find_data_sets(physics, view.detector)
    os.environ.update(found.environment)
    from calokit.simulation.geant4.run import Event, Geant4Run

    run = Geant4Run(view.detector, physics, found.environment)
    particles = Particles(
        like.incident_energies[:, None],
        np.full((len(like), 1), PDG_NUMBERS[view.particle], np.int32),
        like.positions[:, None],
        like.directions[:, None],
    )
    events = [Event(particles[k : k + 1], event_seed(arguments.seed, k)) for k in range(len(like))]
    run.simulate(events[:WARM_UP])
    started, used = time.perf_counter(), time.process_time()
    energies = run.simulate(events).energies
    wall, processor = time.perf_counter() - started, time.process_time() - used
    if arguments.write is not None:
        made = Showers(energies, like.incident_energies, view.detector, like.positions, like.directions)
        generator = f"Geant4 11.4.1 (geant4-pybind), {physics.description}"
        with ShowerWriter(
            arguments.write, view.detector, view.particle, generator, {"seed": arguments.seed}
        ) as writer:
            writer.write(made)
    result = {
        "showers": len(like),
        "ms_per_shower": 1e3 * wall / len(like),
        "processor_ms_per_shower": 1e3 * processor / len(like),
        "processor_ms_per_gev": 1e6 * processor / float(like.incident_energies.sum(dtype=np.float64)),
        "mean_visible_mev": float(energies.sum(axis=1, dtype=np.float64).mean()),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
