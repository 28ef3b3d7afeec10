"""Cut the samples of this folder from the full reference sets: `python samples/cut_samples.py FOLDER`.

FOLDER holds zdc_ecal_positrons.h5 (171,000 showers to train on) and zdc_ecal_positrons_test.h5 (54,000 of
other seeds). The first showers of each are copied bit for bit; the sources' attributes and SHA-256 go along.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from calokit.showers import ShowerWriter, Split, open_showers

CUTS = {"zdc_ecal_positrons.h5": 24_000, "zdc_ecal_positrons_test.h5": 11_000}
CARRIED = ("energy_law", "incidence_law", "precision", "sample", "seeds", "split")


def cut(source: Path, showers: int, target: Path) -> None:
    """Copy the first showers of a file with their provenance."""
    view = open_showers(source, Split.ALL)
    attributes = {name: view.attributes[name] for name in CARRIED if name in view.attributes}
    attributes |= {"cut_from": source.name, "cut_from_sha256": view.sha256, "cut_showers": showers}
    made_by = (view.particle, view.generator)
    with ShowerWriter(target, view.detector, *made_by, attributes, compression=9) as writer:
        for start in range(0, showers, 4096):
            writer.write(view.read(start, min(start + 4096, showers)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    for name, showers in CUTS.items():
        cut(folder / name, showers, Path(__file__).parent / name)
