"""Response and resolution of the LUXE ECAL-P against Geant4's production cut, and what each cut costs.

The silicon is 0.32 mm thick; the usual cut of 0.7 mm makes no electron of a shorter range in it. The same
incident electrons (seeds) are simulated with every cut and kept in a folder, so that the program can be
stopped and started again.

    python -m benchmarks.simulation.luxe_cuts FOLDER --events 600 --workers 2
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np

from benchmarks.record import Row, describe_circumstances, print_rows, write_record
from benchmarks.simulation.simulation_validation import Simulations, mean_of, resolution_of
from calokit.detector import load_detector

CUTS_MM = (0.7, 0.1, 0.02)
ENERGIES_GEV = (3.0, 10.0)


def main() -> None:
    """Simulate with every cut and compare with the first."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--events", type=int, default=600)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    circumstances = describe_circumstances(1)
    simulations = Simulations(arguments.folder, arguments.workers)
    detector = load_detector("luxe_ecal")
    rows: list[Row] = []
    for energy in ENERGIES_GEV:
        first = 0.0
        for cut in CUTS_MM:
            gun = {"particle": "e-", "energy": {"kind": "fixed", "energy_gev": energy}}
            showers = simulations.shoot(detector, gun, arguments.events, seed=3, cut_mm=cut)
            visible = showers.visible_energies
            mean, error = mean_of(visible)
            first = first or mean
            resolution = [100 * math.sqrt(energy) * one for one in resolution_of(visible)]
            rows.append(
                {
                    "e- (GeV)": energy,
                    "cut (mm)": cut,
                    "visible (MeV)": mean,
                    "error": error,
                    "beside 0.7 mm": mean / first,
                    "resolution x sqrt(E) (%)": resolution[0],
                    "its error": resolution[1],
                    "hits above 10 keV": float((showers.energies > 0.01).sum(axis=1).mean()),
                    "ms a shower": simulations.processor_milliseconds,
                }
            )
    print_rows("LUXE ECAL-P against the production cut", rows, circumstances)
    spread = np.ptp([row["beside 0.7 mm"] for row in rows])
    print(f"largest change of the response: {100 * spread:.2f} %")
    write_record("luxe_cuts", rows, circumstances, events=arguments.events)


if __name__ == "__main__":
    main()
