"""The PRD areas of images and of shapes along the momentum, in single cells and in groups of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from calokit.evaluation.metrics.distances import Distance
from calokit.evaluation.metrics.precision_recall import ImageAndPhysicsScore, PrecisionRecallSettings
from calokit.evaluation.samples.momentum_score import momentum_score, published_momentum_score
from calokit.showers import ShowerFile, Showers
from calokit.showers.regrouping import regroup

SETTINGS = PrecisionRecallSettings(clusters=20, runs=5)
"""Clusters of Sajjadi et al.; the scatter of so many clusterings is part of each error."""
_FLOORS: dict[tuple[Any, ...], dict[str, Distance]] = {}


@dataclass(frozen=True)
class ScoreByGroup:
    """Scores generated showers by their PRD areas.

    Attributes:
        reference: Test showers.
        floor: As many true showers of other incidents; None knows no floor.
        threshold_mev: Cells at or below it count as empty, before they are grouped.
    """

    reference: ShowerFile
    floor: ShowerFile | None
    threshold_mev: float

    @classmethod
    def of(cls, reference: ShowerFile, floor: ShowerFile | None, threshold_mev: float | None) -> ScoreByGroup:
        """Return the judge of a study, its floor cut to the reference's number."""
        cut = None if floor is None else floor.head(min(len(floor), len(reference)))
        return cls(reference, cut, threshold_mev or 0.0)

    def metrics(self, generated: ShowerFile, groups: Iterable[int]) -> dict[str, list[float]]:
        """Return value, error, floor and its error by name.

        `prd_2.images`, `prd_2.physics` and `prd_2.smaller` are of groups of 2 x 2 cells, and
        `prd_1.published` is the score with the published scorer's faults.
        """
        found: dict[str, list[float]] = {}
        truth, made = (_read(view, self.threshold_mev) for view in (self.reference, generated))
        for group in groups:
            own = _areas(truth, made, group)
            floor = _floor_of(self, group)
            for name, area in own.items():
                least = floor[name] if floor else Distance(float("nan"), float("nan"))
                found[f"prd_{group}.{name}"] = [area.value, area.error, least.value, least.error]
        return found


def _floor_of(judge: ScoreByGroup, group: int) -> dict[str, Distance] | None:
    """Return the areas of truth against truth, found once for all rows of a study."""
    if judge.floor is None:
        return None
    both = (judge.reference, judge.floor)
    key = (*((view.sha256, len(view)) for view in both), judge.threshold_mev, group)
    if key not in _FLOORS:
        truth, other = (_read(view, judge.threshold_mev) for view in both)
        _FLOORS[key] = _areas(truth, other, group)
    return _FLOORS[key]


def _areas(reference: Showers, made: Showers, group: int) -> dict[str, Distance]:
    """Return the three areas of groups of cells, and for single cells the published score."""
    one, other = (regroup(sample, group, group) for sample in (reference, made))
    score: ImageAndPhysicsScore = momentum_score(one, other, settings=SETTINGS)
    areas = {"images": score.images, "physics": score.physics, "smaller": score.value}
    if group == 1:
        areas["published"] = published_momentum_score(one, other, settings=SETTINGS).value
    return areas


def _read(view: ShowerFile, threshold_mev: float) -> Showers:
    return view.read(0, len(view)).with_threshold(threshold_mev)
