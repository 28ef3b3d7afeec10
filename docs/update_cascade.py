"""Write the tables of docs/cascade.md from what the benchmarks measured: `python docs/update_cascade.py`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from page_tables import (
    NETWORKS,
    NOT_YET,
    READ_OUT,
    TREES,
    beside_floor,
    fill,
    markdown,
    plain,
    processor_time,
    result,
    times_by_batch,
)

from calokit.bundles.ranges import describe_ranges
from calokit.inference import read_bundle
from calokit.inference.generate import need_surrogate

HOME = Path(__file__).resolve().parent.parent
PAGE = HOME / "docs" / "cascade.md"
AREAS = (TREES, READ_OUT, *NETWORKS)
TITLES = ("showers a class", "trees", "trees, read out", "network, cells", "network, observables")


def shipped() -> str:
    """Return the shipped cascades on their whole test files, each beside its floor."""
    table = [["bundle", *TITLES, "ms a shower", "Geant4, ms", "on"]]
    for path in sorted((HOME / "zoo").glob("*_cascade.calokit")):
        card = result(f"scorecard_{path.stem}")
        if card is None:
            continue
        machine = (result(f"generation_speed_{path.stem}") or {}).get("processor", "")
        times = [*processor_time(path.stem), machine.replace("(R)", "").replace(" Processor", "")]
        table.append([f"`zoo/{path.name}`", *_areas(card), *times])
    return markdown(table) if len(table) > 1 else NOT_YET


def ranges() -> str:
    """Return what the shipped cascades were trained on, and their thresholds."""
    table = [["bundle", "particle", "incident energies, impacts, directions", "threshold (MeV)"]]
    for path in sorted((HOME / "zoo").glob("*_cascade.calokit")):
        bundle = read_bundle(path)
        known = describe_ranges(bundle.ranges)
        threshold = f"{need_surrogate(bundle).threshold_mev:.2g}"
        table.append([f"`zoo/{path.name}`", bundle.provenance["particle"], known, threshold])
    return markdown(table)


def seeds() -> str:
    """Return cascades trained alike from several seeds: mean area, its spread over seeds and the floor."""
    table = [["bundle", "seeds", *TITLES]]
    for path in sorted((HOME / "zoo").glob("*_cascade.calokit")):
        own = f"scorecard_{path.stem}"
        others = sorted((HOME / "benchmarks" / "results").glob(f"{own}_seed_*.json"))
        names = [one.stem for one in others]
        if f"{own}_seed_1" not in names:  # what ships was judged on the same showers
            names.insert(0, own)
        cards = [card for name in names if (card := result(name))]
        if len(cards) > 1:
            table.append([f"`{path.stem}`", str(len(cards)), f"{cards[0]['test_showers']:,}"])
            table[-1] += [_over_seeds([card["measurements"][name] for card in cards]) for name in AREAS]
    return markdown(table) if len(table) > 1 else NOT_YET


def _over_seeds(areas: list[list[float]]) -> str:
    """Return the mean of areas (value, error, floor, floor's error) over seeds, their spread, and floor."""
    values, _, floors, floor_errors = zip(*areas, strict=True)
    return beside_floor(fmean(values), stdev(values), fmean(floors), fmean(floor_errors))


def spectrum() -> str:
    """Return how the spectrum of hits near the threshold differs from Geant4's."""

    def cells(row: dict[str, Any]) -> list[str]:
        squares = [f"{row[key]:.2f}" for key in ("chi-square / bin", "chi-square / bin, floor")]
        worst = plain(1 + row["worst (%)"] / 100, row["its error (%)"] / 100)
        return [f"{row['showers']:,}", *squares, f"{row['worst, from']:.2f}", worst]

    head = ["showers", "χ² a bin", "floor", "worst bin, thresholds", "generated / Geant4 there"]
    return _by_bundle("hit_spectrum", head, cells)


def broken() -> str:
    """Return how many showers have layers without a hit in their middle, generated and Geant4's."""

    def cells(row: dict[str, Any]) -> list[str]:
        counts = [str(row[f"{who}, {how}"]) for who in ("generated", "Geant4") for how in ("one", "more")]
        return [f"{row['generated']:,}", *counts]

    head = ["showers", "one such layer", "two and more", "Geant4: one", "two and more"]
    return _by_bundle("broken_showers", head, cells)


def core() -> str:
    """Return how visible energy and core go together, Geant4's and generated."""

    def cells(row: dict[str, Any]) -> list[str]:
        return [
            f"{row['showers']:,}",
            *(plain(row[who], row[f"{who}, error"]) for who in ("Geant4", "generated")),
        ]

    return _by_bundle("core_correlation", ["showers", "Geant4", "generated"], cells)


def _by_bundle(name: str, head: list[str], cells: Callable[[dict[str, Any]], list[str]]) -> str:
    """Return a record's rows as a table in order of the bundles, whose names stand in front."""
    record = result(name)
    if record is None:
        return NOT_YET
    rows = sorted(record["rows"], key=lambda row: str(row["bundle"]))
    return markdown([["bundle", *head], *([row["bundle"], *cells(row)] for row in rows)])


def rings() -> str:
    """Return the cascade on rings that differ by layer, trained and judged on showers by formulas."""
    card = result("scorecard_calochallenge_photons_parametric")
    return NOT_YET if card is None else markdown([["", *TITLES], ["CaloChallenge's rings", *_areas(card)]])


def peer() -> str:
    """Return the time of another group's generator of as many cells, beside the cascade's."""
    record = result("peer_speed")
    if record is None:
        return NOT_YET
    own, theirs = (row["processor ms a shower"] for row in record["rows"])
    table = [["generator", "ms a shower"]]
    table += [["`zoo/par04_cascade.calokit`", f"{own:.2g}"], ["CaloDiffusion, 400 steps", f"{theirs:,.0f}"]]
    return markdown(table)


def _areas(card: dict[str, Any]) -> list[str]:
    """Return how many showers judged, and the areas beside their floors."""
    known = card["measurements"]
    return [
        f"{card['test_showers']:,}",
        *[beside_floor(*known[name]) if name in known else "" for name in AREAS],
    ]


def steps() -> str:
    """Return every step on the way: likelihood and strong judge on validation showers."""
    record = result("cascade_steps")
    if record is None:
        return NOT_YET
    table = [["detector", "step", "CPU min", "ln likelihood a shower", "a class", "trees"]]
    table[0] += ["trees, read out", "CPU ms"]
    for row in sorted(record["rows"], key=lambda row: str(row["detector"])):
        areas = [plain(row[f"auc_{kind}"], row[f"auc_{kind}_error"]) for kind in ("raw", "read_out")]
        likelihood = plain(row["log_likelihood"], row["log_likelihood_error"])
        minutes, time = f"{row['training_cpu_minutes']:.1f}", f"{row['cpu_ms_a_shower']:.2g}"
        table.append([row["detector"], row["step"], minutes, likelihood])
        table[-1] += [f"{row['showers_per_class']:,}", *areas, time]
    return markdown(table)


def compiled() -> str:
    """Return the times of compiled loops and of torch, and how far their showers differ."""
    record = result("compiled_cascade")
    if record is None:
        return NOT_YET
    table = [["bundle", "torch, ms a shower", "compiled", "torch / compiled", "one shower alone, ms"]]
    table[0] += ["showers", "same hits (%)", "energies equal to 1e-5 (%)"]
    for row in record["rows"]:
        times = [f"{row[key]:.2g}" for key in ("torch ms", "compiled ms", "torch / compiled")]
        table.append([f"`zoo/{row['bundle']}.calokit`", *times, f"{row['one shower alone ms']:.2g}"])
        shares = [100 * row[key] for key in ("same hits", "hits equal to 1e-5")]
        table[-1] += [f"{row['showers']:,}", f"{shares[0]:.1f}", f"{shares[1]:.2f}"]
    return markdown(table)


def batches() -> str:
    """Return the processor times of a shower by batch on one core, and what all cores gain."""
    together = {row["bundle"]: row for row in (result("generation_threads") or {"rows": []})["rows"]}
    every = sorted((HOME / "zoo").glob("*_cascade.calokit"))
    measured = {path.stem: times for path in every if (times := times_by_batch(path.stem))}
    sizes = sorted({batch for times in measured.values() for batch in times})
    table = [["bundle", *[f"{batch:,}" for batch in sizes], "one core / two"]]
    for name, times in measured.items():
        gain = f"{together[name]['one / all']:.2f}" if name in together else ""
        table.append([f"`zoo/{name}.calokit`", *[times.get(batch, "") for batch in sizes], gain])
    return markdown(table)


def training() -> str:
    """Return the times of a step of training by compiled loops and by torch alone."""
    record = result("training_steps")
    if record is None:
        return NOT_YET
    table = [["bundle", "showers a step", "torch, ms a step", "with loops", "torch / loops"]]
    table[0].append("gradients differ by")
    for row in record["rows"]:
        times = [f"{row[key]:.3g}" for key in ("torch ms", "compiled ms", "torch / compiled")]
        differ = f"{row['gradients differ by']:.0e}"
        table.append([f"`zoo/{row['bundle']}.calokit`", f"{row['showers a step']}", *times, differ])
    return markdown(table)


def few() -> str:
    """Return what starting from a trained cascade is worth with few showers."""
    record = result("adapting")
    if record is None:
        return NOT_YET
    facts = record["settings"]
    table = [["showers in hand", "start", "ln likelihood a shower"]]
    table += [
        [f"{row['showers']:,}", row["start"], plain(row["log_likelihood"], row["log_likelihood_error"])]
        for row in record["rows"]
    ]
    words = (
        f"Positrons in the ZDC crystals: the base was trained below {facts['below_gev']:g} GeV, the showers "
        f"in hand and {facts['judged_on']:,} others that judge are above {facts['above_gev']:g} GeV; "
        f"{facts['steps']:,} steps of {facts['batch']} at most, the weights of the best validation kept."
    )
    return f"{words}\n\n{markdown(table)}"


def calibration() -> str:
    """Return the calibration of all draws of a kind, of each cascade whose likelihood was measured."""
    record = result("cascade_likelihood")
    if record is None:
        return NOT_YET
    table = [["bundle", "draws of", "number", "largest deviation (%)", "floor (%)", "p", "variance of sums"]]
    for row in record["rows"]:
        for one in row["calibration"]:
            words = [f"{100 * one[key]:.2f}" for key in ("deviation", "floor")]
            p_value = "< 0.0001" if one["p_value"] < 1e-4 else f"{one['p_value']:.2g}"
            p_value = "" if one["p_value"] != one["p_value"] else p_value
            together = "" if one["together"] is None else plain(*one["together"])
            name = f"{one['kind']}, {one['part']}"
            table.append([row["bundle"], name, f"{one['draws']:,}", *words, p_value, together])
    return markdown(table)


def found() -> str:
    """Return incident particles found by the likelihood beside other methods, on the same showers."""
    record = result("cascade_likelihood")
    if record is None:
        return NOT_YET
    table = [["test file", "quantity", "method", "RMS", "68 % within", "bias", "truth within 1 sigma (%)"]]
    table[0] += ["before widening (%)", "RMS of the likelihood / its own"]
    for row in record["rows"]:
        for one in sorted(row["methods"], key=lambda one: str(one["quantity"])):
            numbers = [f"{one[key]:.3g}" for key in ("rms", "half_width_68", "bias")]
            shares = [one.get(f"within_one_sigma{ending}") for ending in ("", "_as_it_says")]
            covered = ["" if share is None else f"{100 * share:.0f}" for share in shares]
            mine = one["method"] == "likelihood"
            ratio = "1" if mine else plain(*one["likelihood_over_it"])
            name = f"`{row['test']}`, {row['showers']:,}"
            table.append([name, one["quantity"], one["method"], *numbers, *covered, ratio])
    return markdown(table)


TABLES: dict[str, Callable[[], str]] = {
    "shipped": shipped,
    "ranges": ranges,
    "seeds": seeds,
    "spectrum": spectrum,
    "broken": broken,
    "core": core,
    "rings": rings,
    "peer": peer,
    "steps": steps,
    "compiled": compiled,
    "batches": batches,
    "training": training,
    "few": few,
    "calibration": calibration,
    "found": found,
}


if __name__ == "__main__":
    PAGE.write_text(fill(PAGE.read_text(), TABLES))
