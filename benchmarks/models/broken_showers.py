"""Showers that break off in their middle, of a cascade's and of Geant4's: no training tells rare from never.

    python -m benchmarks.models.broken_showers BUNDLE --data TEST.h5 [--showers 4000] [--label before]

One shower is generated for each incident particle. Of showers with more than 60 hits those are counted that
have one layer without a hit, or two and more, between the layers before which 15 % and 85 % of their hits
lie. A row takes the place of the one of its name in benchmarks/results/broken_showers.json.
"""

from __future__ import annotations

import numpy as np

from benchmarks.models.bundle_on_file import ask_bundle_on_file
from benchmarks.record import Row, keep_row
from calokit.arrays import Integer
from calokit.inference import ShowerGenerator
from calokit.inference.generate import BLOCK
from calokit.showers import ShowerFile, Showers
from calokit.showers.hits import find_hits

NAME = "broken_showers"
LEAST_HITS = 60
CORE = (0.15, 0.85)


def count_gaps(showers: Showers, threshold: float) -> Integer:
    """Return how many layers without a hit each shower of many hits has in its core (shower,)."""
    layers = showers.detector.number_of_layers
    hits = find_hits(showers, threshold)
    places = hits.event * layers + showers.detector.cells.layer[hits.cell]
    by_layer = np.bincount(places, minlength=len(showers) * layers).reshape(len(showers), layers)
    by_layer = by_layer[by_layer.sum(1) > LEAST_HITS]
    part = by_layer.cumsum(1) / by_layer.sum(1, keepdims=True)
    core = (part > CORE[0]) & (np.roll(part, 1, axis=1) < CORE[1])
    core[:, 0] = part[:, 0] > CORE[0]
    found: Integer = ((by_layer == 0) & core).sum(1)
    return found


def count_all(view: ShowerFile, threshold: float, generator: ShowerGenerator | None) -> Integer:
    """Return the gaps of Geant4's showers, or of those generated for their particles."""
    found = []
    for block, start in enumerate(range(0, len(view), BLOCK)):
        showers = view.read(start, min(start + BLOCK, len(view)))
        if generator is not None:
            showers = generator.draw(showers.incidents, block)
        found.append(count_gaps(showers, threshold))
    return np.concatenate(found)


def main() -> None:
    """Generate, count, print and record."""
    asked = ask_bundle_on_file(__doc__)
    row: Row = {"bundle": asked.name}
    for who, generator in (("generated", ShowerGenerator(asked.bundle, seed=1)), ("Geant4", None)):
        gaps = count_all(asked.view, asked.threshold, generator)
        row |= {who: len(gaps), f"{who}, one": int((gaps == 1).sum()), f"{who}, more": int((gaps > 1).sum())}
    keep_row(NAME, "Showers of which layers in the middle have no hit", row)


if __name__ == "__main__":
    main()
