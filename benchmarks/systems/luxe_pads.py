"""What stands between a LUXE energy and perfect counting: the same showers in pads of 1 mm and of 5 mm.

FILES are showers of studies/luxe_samples/luxe_positrons_1mm.yaml, simulated with --entries. Added 5 x 5 they
are showers of luxe_ecal, and are written as such where that is not done: fresh test showers. By layer,
deposits, hit pads and true entries of charged particles are lines to the energy, each fitted on three
quarters of the showers and judged on the fourth; so are hits and deposits in classes of a pad's deposit and
of depth, which is any function of each pad's deposit by itself. A hit is a pad of 0.03 MeV and more.

    calokit simulate studies/luxe_samples/luxe_positrons_1mm.yaml -o FILE -n 4480 --seed 802 --entries
    python -m benchmarks.systems.luxe_pads FILE [FILE ...]
"""

from __future__ import annotations

import argparse
import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from benchmarks.record import Row, describe_circumstances, print_rows, write_record
from benchmarks.systems.luxe_data import JOINED
from calokit.arrays import Float64
from calokit.classical.energy import CalibratedSum, LayerWeightedSum
from calokit.classical.hits import GridHits
from calokit.classical.shower_features import ENERGY_EDGES_MEV
from calokit.detector import load_detector
from calokit.evaluation.estimates.single import paired_rms_ratio
from calokit.progress import show_progress
from calokit.showers import Showers, ShowerWriter, open_showers

DIVIDED = 5
"""Pads of 1 mm along each side of one of 5 mm."""
FOLDS = 4
DEPTHS = 4
"""Groups of five layers."""


@dataclass(frozen=True)
class LayerCounts:
    """What the layers of showers hold, (event, layer) each.

    Attributes:
        deposits: MeV.
        wide: Hit pads of 5 mm.
        narrow: Hit pads of 1 mm.
        entries: Charged particles that entered.
        wide_classes: (event, k) pads of 5 mm and their deposits in classes of deposit and depth.
        narrow_classes: (event, k) the same of pads of 1 mm.
        energies: (event,) true energies, MeV.
    """

    deposits: Float64
    wide: Float64
    narrow: Float64
    entries: Float64
    wide_classes: Float64
    narrow_classes: Float64
    energies: Float64

    @classmethod
    def of(cls, fine: Showers, coarse: Showers) -> Self:
        """Count in the same showers with fine and coarse pads."""
        threshold = fine.detector.threshold_mev
        assert fine.entries is not None
        assert threshold is not None
        wide, narrow = GridHits.of(coarse), GridHits.of(fine)
        entered = fine.entries[narrow.event, narrow.cell]
        return cls(
            wide.sum_by_layer(wide.energy),
            wide.sum_by_layer(wide.energy >= threshold),
            narrow.sum_by_layer(narrow.energy >= threshold),
            narrow.sum_by_layer(entered),
            in_classes(wide),
            in_classes(narrow),
            fine.incident_energies.astype(np.float64),
        )

    @classmethod
    def join(cls, parts: list[Self]) -> Self:
        """Return parts as one."""
        return cls(*(np.concatenate([vars(part)[name] for part in parts]) for name in vars(parts[0])))


def in_classes(hits: GridHits) -> Float64:
    """Return numbers and deposits of pads (event, k) in classes of their deposit and depth."""
    kinds = len(ENERGY_EDGES_MEV) - 1
    depth = hits.layer * DEPTHS // hits.grid.shape[0]
    kind = np.digitize(hits.energy, ENERGY_EDGES_MEV) - 1
    place = (hits.event * DEPTHS + depth) * kinds + kind
    sums = [np.bincount(place, one, hits.events * DEPTHS * kinds) for one in (None, hits.energy)]
    return np.concatenate([one.reshape(hits.events, -1) for one in sums], axis=1).astype(np.float64)


def add_pads(fine: Showers) -> Showers:
    """Return showers in pads of 1 mm as showers of luxe_ecal."""
    detector = load_detector("luxe_ecal")
    _, rows, columns = detector.shape
    hits = GridHits.of(fine)
    cell = (hits.layer * rows + hits.row // DIVIDED) * columns + hits.column // DIVIDED
    place = hits.event * detector.number_of_cells + cell
    summed = np.bincount(place, hits.energy, len(fine) * detector.number_of_cells)
    energies = summed.reshape(len(fine), -1).astype(np.float32)
    return replace(fine, energies=energies, detector=detector, entries=None)


def read(paths: list[Path], target: Path) -> LayerCounts:
    """Count in all showers, and write them in pads of 5 mm where the target is not there."""
    views = [open_showers(path) for path in paths]
    parts = []
    attributes = {"split": "test", "pads": "1 mm, added 5 x 5"}
    total = sum(len(view) for view in views)
    with contextlib.ExitStack() as stack:
        advance = stack.enter_context(show_progress(total, "adding pads", "showers"))
        writer = None
        if not target.is_file():
            opened = ShowerWriter(
                target, load_detector("luxe_ecal"), "e+", views[0].generator, attributes, compression=1
            )
            writer = stack.enter_context(opened)
        for view in views:
            for fine in view.chunks(64):
                coarse = add_pads(fine)
                if writer is not None:
                    writer.write(coarse)
                parts.append(LayerCounts.of(fine, coarse))
                advance(len(fine))
    return LayerCounts.join(parts)


def estimate(columns: Float64, energies: Float64) -> Float64:
    """Return energies (event,) of a line in columns (event, k) that was fitted on other showers."""
    fold = np.arange(len(energies)) // len(np.unique(energies)) % FOLDS
    found = np.zeros(len(energies))
    for one in range(FOLDS):
        found[fold == one] = LayerWeightedSum.fit(columns[fold != one], energies[fold != one])(
            columns[fold == one]
        )
    return found


def main() -> None:
    """Write the showers in pads of 5 mm and the record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", type=Path, nargs="+")
    paths = sorted(parser.parse_args().files)
    JOINED.mkdir(parents=True, exist_ok=True)
    known = read(paths, JOINED / "fresh_test.h5")
    total = known.deposits.sum(axis=1)
    base = CalibratedSum.fit(total, known.energies)(total)
    lines = {
        "deposits of the layers": known.deposits,
        "deposits and hit pads of 5 mm": np.concatenate([known.deposits, known.wide], axis=1),
        "hit pads of 1 mm": known.narrow,
        "deposits and hit pads of 1 mm": np.concatenate([known.deposits, known.narrow], axis=1),
        "classes of pads of 5 mm": known.wide_classes,
        "classes of pads of 1 mm": known.narrow_classes,
        "true entries": known.entries,
    }
    rows: list[Row] = []
    for name, columns in lines.items():
        ratio = paired_rms_ratio(estimate(columns, known.energies), base, known.energies)
        rows.append({"line in": name, "RMS ratio": ratio.mean, "error": ratio.mean_error})
    circumstances = describe_circumstances(1)
    print_rows(f"LUXE energy, {len(base)} showers, RMS over the calibrated sum's", rows, circumstances)
    numbers = {name: float(vars(known)[name].sum(axis=1).mean()) for name in ("wide", "narrow", "entries")}
    write_record("luxe_pads", rows, circumstances, showers=len(base), **numbers)


if __name__ == "__main__":
    main()
