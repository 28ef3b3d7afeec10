"""Judge generated showers against reference showers: every number beside its floor and its error."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from calokit.config import Description
from calokit.detector import Detector
from calokit.errors import ConfigurationError
from calokit.evaluation.accumulators import KeptShowers, SideSums, spread_positions
from calokit.evaluation.images import frame_of
from calokit.evaluation.measurements import (
    Sides,
    draw_curves,
    draw_energy_curve,
    draw_images,
    draw_spectra,
    measure_response,
    measure_separations,
    overall_mean,
)
from calokit.evaluation.observables import ObservableCalculator
from calokit.evaluation.response import BinnedMoments, match_incidents, same_incidents, squared_errors
from calokit.evaluation.scorecard import Curve, EventPair, Measurement, Sample, Scorecard
from calokit.evaluation.streams import Comparison, plan_comparison
from calokit.evaluation.survey import Bins, survey_reference
from calokit.showers import ShowerFile
from calokit.units import MEV_PER_GEV

Float64 = NDArray[np.float64]
Progress = Callable[[str, float], None]

LEAST_KEPT = 2000
"""So many showers are kept for the gallery and the matching of incidents even where no classifier is trained."""
KEPT_BYTES = 512 * 2**20
"""The showers kept of one sample take at most about so much memory; big detectors keep fewer showers."""
HIT_BYTES = 12
STREAMING_PART = 0.2
"""Part of the progress that going through the files makes; the classifiers make the rest."""


class EvaluationSettings(Description):
    """What a comparison is made with; the defaults are those of a full evaluation.

    Attributes:
        threshold_mev: Cells at or below it count as empty in all samples.
        energy_bins: Bins of equal width in the logarithm of the incident energy, over the reference's range.
        classifier_showers: At most so many showers of each class, evenly spread, are given to the classifiers.
        classifier_seeds: Classifiers trained for each number; 0 leaves the classifiers out.
        classifier_epochs: Passes over the training part.
        cells: Flat cells whose spectra are shown; None chooses them from the reference.
        gallery_events: Showers shown side by side, spread over the energies.
        seed: Fixes the splits and initial weights of the classifiers.
    """

    threshold_mev: float = Field(default=0.1, ge=0.0)
    energy_bins: int = Field(default=8, ge=1)
    classifier_showers: int = Field(default=60_000, ge=0)
    classifier_seeds: int = Field(default=3, ge=0)
    classifier_epochs: int = Field(default=12, ge=1)
    cells: tuple[int, ...] | None = None
    gallery_events: int = Field(default=6, ge=0)
    seed: int = Field(default=0, ge=0)


def evaluate_showers(
    reference: ShowerFile,
    generated: ShowerFile,
    *,
    floor: ShowerFile | None = None,
    settings: EvaluationSettings | None = None,
    progress: Progress | None = None,
) -> Scorecard:
    """Compare generated showers with reference showers, going once through the files in bounded memory.

    Where both files hold showers of the same incidents in the same order (as `calokit generate --like` makes
    them) the squared error and a gallery of matched showers are given too. All bins are fixed by the reference.

    Args:
        reference: The truth.
        generated: The showers to judge.
        floor: Truth of other seeds, judged as the generated showers are; None splits the reference in two.
        settings: Default `EvaluationSettings()`.
        progress: Called with a text and the part done (0 to 1).

    Raises:
        DetectorError: The files belong to different detectors.
        ShowerFileError: A file holds values that no shower has.
        ConfigurationError: A named cell does not exist.
        CalokitError: The floor holds showers of the reference, or there is too little to compare.
    """
    settings = settings or EvaluationSettings()
    comparison = plan_comparison(reference, generated, floor)
    _check_cells(comparison.detector, settings)
    tell = progress or _be_silent
    tell("survey of the reference", 0.0)
    calculator = ObservableCalculator(comparison.detector, settings.threshold_mev)
    bins = survey_reference(comparison, calculator, settings.energy_bins, settings.cells)
    passage = _Passage(comparison, calculator, bins, settings, tell)
    warnings = list(comparison.warnings)
    sides = passage.sides
    measurements = _judge_by_classifiers(passage, settings, warnings, tell)
    measurements += measure_response(sides)
    curves = draw_curves(sides)
    if passage.paired:
        floor_errors, note = passage.floor_squared_errors()
        measurements.append(_measure_squared_error(passage.squared, floor_errors, sides, note))
        curves.append(_draw_squared_error(passage.squared, floor_errors))
    else:
        warnings.append(
            "the generated showers are not of the same incidents as the reference's, in the same order: squared "
            "error and matched showers are left out."
        )
    measurements += measure_separations(sides)
    tell("done", 1.0)
    return Scorecard(
        detector=comparison.detector.name,
        threshold_mev=settings.threshold_mev,
        seed=settings.seed,
        reference=_describe(reference, comparison.showers, ""),
        generated=_describe(generated, comparison.showers, _label(reference)),
        floor_sample=comparison.floor_sample,
        measurements=measurements,
        curves=curves,
        spectra=draw_spectra(sides),
        images=draw_images(sides),
        events=_draw_gallery(passage, settings.gallery_events) if passage.paired else [],
        warnings=warnings,
    )


class _Passage:
    """One passage through the three samples, side by side, and what it left."""

    def __init__(
        self,
        comparison: Comparison,
        calculator: ObservableCalculator,
        bins: Bins,
        settings: EvaluationSettings,
        tell: Progress,
    ) -> None:
        self.comparison, self.calculator, self.bins = comparison, calculator, bins
        wanted = max(settings.classifier_showers, LEAST_KEPT)
        affordable = int(KEPT_BYTES / (HIT_BYTES * max(bins.mean_hits, 1.0)))
        kept = spread_positions(comparison.showers, min(wanted, max(affordable, 100)))
        self.sides = Sides(*(SideSums(calculator, bins, kept) for _ in range(3)))
        self.squared, self._floor_squared = BinnedMoments(bins.energy), BinnedMoments(bins.energy)
        self.paired, self._floor_paired = True, True
        for start, stop in comparison.blocks():
            self._add_block(start, stop)
            tell("going through the showers", STREAMING_PART * stop / comparison.showers)
        self.kept = Sides_of_kept(*(side.kept_showers() for side in self._all_sides()))

    def _all_sides(self) -> tuple[SideSums, SideSums, SideSums]:
        return self.sides.reference, self.sides.generated, self.sides.floor
