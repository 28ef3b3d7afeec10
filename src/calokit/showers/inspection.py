"""What a shower file holds and whether it is sane, found in one pass over the file."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from calokit.arrays import Float64
from calokit.progress import Progress, show_progress
from calokit.showers.batch import Showers
from calokit.showers.files import ShowerFile
from calokit.showers.units_check import LARGEST_RESPONSE, EnergyScale, find_unit_mistakes, states_its_unit
from calokit.units import MEV_PER_GEV, range_words

FAR_BESIDE = 1.5
"""An impact so many times as far from the axis as the outermost cell hardly means what it says."""

NO_SPLIT_NAMED = "none named; the first 60 % train, the next 20 % validate, the last 20 % test"


@dataclass
class Inspection:
    """What was found.

    Attributes:
        rows: Pairs of label and text, for a table.
        findings: Sentences on what looks wrong; empty for a sane file.
    """

    rows: list[tuple[str, str]] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)


@dataclass
class _Tally:
    """Sums over the showers seen so far."""

    events: int = 0
    empty: int = 0
    above_incident: int = 0
    hits: float = 0.0
    fraction: float = 0.0
    fractions: list[Float64] = field(default_factory=list)
    fraction_squared: float = 0.0
    smallest_hit: float = np.inf
    largest_cell: float = 0.0
    low: Float64 | None = None
    high: Float64 | None = None
    names: list[str] = field(default_factory=list)

    def add(self, showers: Showers, threshold: float) -> None:
        hit = showers.energies > threshold
        visible = showers.visible_energies
        fraction = visible / showers.incident_energies
        self.events += len(showers)
        self.empty += int((~hit.any(axis=1)).sum())
        self.above_incident += int((fraction > LARGEST_RESPONSE).sum())
        self.hits += float(hit.sum())
        self.fraction += float(fraction.sum())
        self.fractions.append(fraction)
        self.fraction_squared += float((fraction**2).sum())
        if hit.any():
            self.smallest_hit = min(self.smallest_hit, float(showers.energies[hit].min()))
        self.largest_cell = max(self.largest_cell, float(showers.energies.max()))
        conditions, self.names = showers.conditions()
        low, high = conditions.min(axis=0), conditions.max(axis=0)
        self.low = low if self.low is None else np.minimum(self.low, low)
        self.high = high if self.high is None else np.maximum(self.high, high)


def inspect_showers(
    view: ShowerFile, threshold: float = 0.0, progress: Progress = show_progress
) -> Inspection:
    """Go once through a view of a shower file and describe it.

    NaN, infinite or negative energies, impossible directions and damaged data end the pass with a
    `ShowerFileError` that names the place.

    Args:
        view: The showers.
        threshold: A cell above it counts as hit, MeV.
        progress: Shows how far it is; see `calokit.progress`.

    Raises:
        ShowerFileError: The file holds values that no shower has.
    """
    tally = _Tally()
    with progress(len(view), f"reading {view.path.name}", "showers") as advance:
        for showers in view.chunks():
            tally.add(showers, threshold)
            advance(len(showers))
    return Inspection(_describe(view, tally, threshold), _judge(view, tally))


def _describe(view: ShowerFile, tally: _Tally, threshold: float) -> list[tuple[str, str]]:
    detector = view.detector
    cells = detector.number_of_cells
    mean = tally.fraction / tally.events
    spread = max(0.0, tally.fraction_squared / tally.events - mean**2) ** 0.5
    shapes = " + ".join(
        f"{section.name} {' x '.join(map(str, section.shape)) if section.shape else 'uneven rings'}"
        for section in detector.sections
    )
    rows = [
        ("file", f"{view.path} ({view.path.stat().st_size / 2**20:.1f} MiB)"),
        ("format", f"version {view.attributes.get('format_version', '1 (CaloChallenge form)')}"),
        ("detector", f"{detector.name}: {shapes}, {cells} cells"),
        ("particle", view.particle),
        ("made by", view.generator),
        ("split", str(view.meant_for or NO_SPLIT_NAMED)),
        ("showers", f"{tally.events} in split {view.split}"),
        ("units", "MeV, mm"),
    ]
    if "entries" in view.columns:
        rows.append(("entries", "charged particles that entered each cell, counted"))
    assert tally.low is not None
    assert tally.high is not None
    for name, low, high in zip(tally.names, tally.low, tally.high, strict=True):
        if name == "ln incident energy":
            low, high = np.exp(low) / MEV_PER_GEV, np.exp(high) / MEV_PER_GEV
            rows.append(("incident energy", range_words(low, high, "GeV")))
        else:
            unit = "mm" if name.startswith("impact") else "rad"
            rows.append((name, range_words(low, high, unit)))
    rows += [
        ("visible / incident", f"mean {mean:.4f}, spread {spread:.4f}"),
        ("hits a shower", f"{tally.hits / tally.events:.1f} above {threshold:g} MeV"),
        ("occupancy", f"{100 * tally.hits / tally.events / cells:.2f} % of the cells"),
        ("hit energies", f"{tally.smallest_hit:.3g} to {tally.largest_cell:.4g} MeV" if tally.hits else "-"),
        ("empty showers", f"{tally.empty} ({100 * tally.empty / tally.events:.2f} %)"),
        ("sha256", view.sha256[:16] + " ..."),
    ]
    return rows


def _judge(view: ShowerFile, tally: _Tally) -> list[str]:
    findings = []
    if tally.empty > 0.5 * tally.events:
        findings.append(
            f"{tally.empty} of {tally.events} showers are empty; check threshold and energy unit (MeV)."
        )
    assert tally.low is not None
    assert tally.high is not None
    energies = np.exp(np.array([tally.low[0], tally.high[0]]))
    scale = EnergyScale.from_columns(np.concatenate(tally.fractions), energies)
    mistakes = find_unit_mistakes(scale, view.detector, view.particle, states_its_unit(view))
    if tally.above_incident and not mistakes:
        mistakes.append(
            f"{tally.above_incident} showers hold more than {LARGEST_RESPONSE} times their incident energy; "
            "is the incident energy in GeV, or are the cells calibrated to another scale?"
        )
    return findings + mistakes + _find_far_impacts(view, tally)


def _find_far_impacts(view: ShowerFile, tally: _Tally) -> list[str]:
    """Return sentences on impacts far beside the detector, as those in a wrong unit are."""
    assert tally.low is not None
    assert tally.high is not None
    found = []
    for name, places in (("impact x", view.detector.cells.x), ("impact y", view.detector.cells.y)):
        if name not in tally.names:
            continue
        column, half = tally.names.index(name), float(np.nanmax(np.abs(places), initial=0.0))
        farthest = max(-float(tally.low[column]), float(tally.high[column]))
        if farthest > FAR_BESIDE * half > 0.0:
            found.append(
                f"impacts reach {farthest:.4g} mm from the axis in {name[-1]}, and the cells {half:.4g} mm; "
                "are they in another unit than mm?"
            )
    return found
