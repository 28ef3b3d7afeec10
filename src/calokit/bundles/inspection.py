"""What a bundle is, where it comes from and what was measured of it, as a table."""

from __future__ import annotations

from calokit.bundles.bundle import Bundle
from calokit.bundles.legs import Leg, cpu_minutes_in_all, presentations_in_all
from calokit.bundles.ranges import describe_ranges
from calokit.bundles.standing import standing_of
from calokit.report.rounding import round_to_error

HEADLINES = (
    "classifier.auc_boosted",
    "readout.auc_boosted",
    "classifier.auc_high",
    "classifier.auc_low",
    "energy.rms_ratio",
    "position.rms_ratio_x",
    "angle.rms_ratio_x",
)
"""Measurements shown where a scorecard has them."""


def inspect_bundle(bundle: Bundle) -> list[tuple[str, str]]:
    """Return pairs of label and text: recipe, detector, ranges, every leg of the training, the scorecard."""
    made, legs = bundle.provenance, bundle.legs
    rows = [
        ("recipe", f"{bundle.name}: {bundle.recipe.title}"),
        ("family", bundle.recipe.model.kind),
        ("detector", bundle.detector.name),
        ("trained for", describe_ranges(bundle.ranges)),
        ("showers", f"{made['data_showers']:,} of {made['data_file']}, {made['data_generator']}"),
        *[(f"leg {number}", _describe(leg)) for number, leg in enumerate(legs, start=1)],
    ]
    if len(legs) > 1:
        total = f"{presentations_in_all(legs):,} presentations, {cpu_minutes_in_all(legs):.1f} CPU min"
        rows.append(("in all", total))
    return rows + _judged(bundle)


def _describe(leg: Leg) -> str:
    seed = "seed not recorded" if leg.seed is None else f"seed {leg.seed}"
    counts = f"{leg.steps:,} steps, {leg.presentations:,} presentations, {leg.cpu_minutes:.1f} CPU min"
    return f"{leg.recipe}, {seed}: {counts}" + (f" ({leg.note})" if leg.note else "")


def _judged(bundle: Bundle) -> list[tuple[str, str]]:
    """Return what the scorecard says, where the bundle carries one."""
    card = bundle.scorecard
    if not card:
        return [("scorecard", "none")]
    measured = card.get("measurements") or card.get("metrics", {})
    rows = [("scorecard", f"{len(measured)} measurements")]
    if "test_file" in card:
        rows.append(("judged on", f"{card['test_showers']:,} showers of {card['test_file']}"))
    standing = standing_of(card)
    if standing is not None:
        rows.append(("standing", standing.words))
    for name in HEADLINES:
        if name in measured:
            value, error, floor, floor_error = measured[name]
            own, least = round_to_error(value, error).plain(), round_to_error(floor, floor_error).plain()
            rows.append((name, f"{own}; floor {least}"))
    return rows
