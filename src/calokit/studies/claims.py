"""The claims of studies, decided together: Holm over all, seed-to-seed variances pooled over a group."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from calokit.errors import ConfigurationError, suggest_near_miss
from calokit.evaluation.significance import FAMILY_WISE_RATE, Pooled, holm, pooled_difference
from calokit.studies.description import Claim, StudyFile
from calokit.studies.table import read_table


@dataclass(frozen=True)
class Entry:
    """The seeds of one entry at one data size.

    Attributes:
        name: Its label, with the number of showers where a study has several sizes.
        group: Entries of one group share their variance from seed to seed.
        rows: One a seed.
        complete: Whether there is one for each seed that its study names.
    """

    name: str
    group: str
    rows: list[dict[str, Any]]
    complete: bool = True

    def values(self, claim: Claim) -> list[float] | None:
        """Return what a claim compares, a value a seed; None where a row does not have it."""
        if claim.energy_bin is None:
            found = [row["metrics"].get(claim.metric, [None])[0] for row in self.rows]
        else:
            curves = [row["curves"].get(claim.metric, {"value": None})["value"] for row in self.rows]
            found = [None if curve is None else curve[claim.energy_bin] for curve in curves]
        return None if None in found else [float(value) for value in found]


@dataclass(frozen=True)
class Decision:
    """What became of a claim.

    Attributes:
        claim: The claim.
        study: Name of the study that made it.
        better: Values of the entry that should have the smaller ones, one a seed; empty before it was run.
        worse: Values of the other.
        deviations: Difference of the mean logarithms in standard errors, positive where the claim is right.
        probability: Of so large a difference by chance, either way; None before both were run.
        verdict: `holds`, `falls` (the opposite holds), `undecided` or `not run`.
    """

    claim: Claim
    study: str
    better: list[float]
    worse: list[float]
    deviations: float | None
    probability: float | None
    verdict: str


def read_entries(files: Sequence[StudyFile]) -> dict[str, Entry]:
    """Return the entries of studies by name, each with the newest row of each seed that its study names.

    Where two studies have an entry of one name, the later one counts.
    """
    entries: dict[str, Entry] = {}
    for file in files:
        rows = read_table(file.table_path)
        for entry in file.study.recipes:
            seeds = entry.seeds or file.study.seeds
            own = [row for row in rows if row["label"] == entry.label and row["seed"] in seeds]
            for size in sorted({row["showers"] for row in own}):
                name = entry.label if len(file.study.showers) == 1 else f"{entry.label}, {size} showers"
                newest = {row["seed"]: row for row in own if row["showers"] == size}
                complete = len(newest) == len(set(seeds))
                entries[name] = Entry(name, entry.group or entry.recipe, [*newest.values()], complete)
    return entries


def decide_claims(
    files: Sequence[StudyFile], rate: float = FAMILY_WISE_RATE, all_seeds: bool = False
) -> list[Decision]:
    """Decide every claim of some studies, so that with a chance of `rate` at most any of them is wrong.

    Values are compared as logarithms, because the spread from seed to seed grows with the value; its variance
    is pooled over all entries of a group (`pooled_difference`), and the probabilities of all claims go
    through Holm's test together. Claims that are not decided count in Holm's test all the same, so that what
    comes later takes nothing back.

    Args:
        files: The studies whose entries and claims count.
        rate: Chance that any claim is called true or false where there is no difference.
        all_seeds: Decide a claim only when every seed of its entries is there.

    Raises:
        ConfigurationError: A claim names an entry that no study has.
    """
    entries = read_entries(files)
    known = {entry.label for file in files for entry in file.study.recipes} | set(entries)
    claims = [(claim, file.study.name) for file in files for claim in file.study.claims]
    tested: list[tuple[list[float], list[float], tuple[float, float] | None]] = []
    for claim, study in claims:
        for label in (claim.better, claim.worse):
            if label not in known:
                raise ConfigurationError(
                    f"{study}: the claim {claim.statement!r} names {label!r}, which no study has. "
                    f"{suggest_near_miss(label, sorted(known))}"
                )
        tested.append(_test(claim, entries, all_seeds))
    clear = holm([1.0 if found is None else found[1] for _, _, found in tested], rate)
    return [
        Decision(claim, study, better, worse, None, None, "not run")
        if found is None
        else Decision(claim, study, better, worse, *found, _verdict(found[0], sure))
        for (claim, study), (better, worse, found), sure in zip(claims, tested, clear, strict=True)
    ]


def _test(
    claim: Claim, entries: Mapping[str, Entry], all_seeds: bool
) -> tuple[list[float], list[float], tuple[float, float] | None]:
    """Return the values of both entries, and deviations and probability where both were run."""
    pair = [entries.get(label) for label in (claim.better, claim.worse)]
    values = [None if entry is None else entry.values(claim) for entry in pair]
    better, worse = values
    if better is None or worse is None or pair[0] is None or pair[1] is None:
        return better or [], worse or [], None
    if all_seeds and not (pair[0].complete and pair[1].complete):
        return better, worse, None
    pools = [_pool(claim, entries, entry.group) for entry in pair if entry is not None]
    found = pooled_difference(_logarithms(worse), _logarithms(better), pools[1], pools[0])
    return better, worse, found


def _pool(claim: Claim, entries: Mapping[str, Entry], group: str) -> Pooled:
    """Pool the variances from seed to seed of all entries of a group that have what a claim compares."""
    found = [entry.values(claim) for entry in entries.values() if entry.group == group]
    return Pooled.of([_logarithms(values) for values in found if values is not None])


def _logarithms(values: Sequence[float]) -> list[float]:
    return [math.log(value) for value in values]


def _verdict(deviations: float, clear: bool) -> str:
    if not clear:
        return "undecided"
    return "holds" if deviations > 0 else "falls"
