"""What a comparison of showers is made with."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from calokit.config import Description
from calokit.errors import ConfigurationError
from calokit.showers.digitisation import Digitisation

LEAST_KEPT = 2000
"""So many showers are kept for the gallery and the matching of incidents even without classifiers."""
MEASURED_SHOWERS = 10_000
"""So many are kept for boosted trees and distances where no neural classifier asks for more."""
CLASSIFIER_SHARE = 3.0
"""Time of the classifiers beside that of going through the files, about; for the progress alone."""


class EvaluationSettings(Description):
    """What a comparison is made with; the defaults are those of a full evaluation.

    Attributes:
        threshold_mev: Cells at or below it count as empty in all samples; None takes the detector's, or
            chooses it from the reference (`showers/threshold.py`).
        energy_bins: Bins of equal width in the logarithm of the incident energy, over the reference's range.
        classifier_showers: At most so many showers of each class, evenly spread, train and test the
            classifiers.
        classifier_seeds: Classifiers trained for each number; 0 leaves the classifiers out.
        classifier_epochs: Passes over the training part.
        cells: Flat cells whose spectra are shown; None chooses them from the reference.
        challenge_seeds: Trainings of CaloChallenge's own classifiers, on cells, on observables and, where all
            layers are alike, on images; 0 leaves them out.
        challenge_patience: They stop after so many epochs without a better one; None goes through all 50, as
            CaloChallenge does.
        kept_metrics: Measure what needs whole showers: boosted trees on all observables, Frechet and kernel
            distances, precision and recall.
        readout: Judge by boosted trees once more, with all samples behind this readout; None does not.
        group_areas: Judge by each group of observables alone, too.
        frechet_topology: Measure the Frechet distance of all observables, those of topology with them, too.
        gallery_events: Showers shown side by side, spread over the energies.
        seed: Fixes the splits and initial weights of the classifiers.
    """

    threshold_mev: float | None = Field(default=None, ge=0.0)
    energy_bins: int = Field(default=8, ge=1)
    classifier_showers: int = Field(default=60_000, ge=0)
    classifier_seeds: int = Field(default=3, ge=0)
    classifier_epochs: int = Field(default=12, ge=1)
    cells: tuple[int, ...] | None = None
    challenge_seeds: int = Field(default=0, ge=0)
    challenge_patience: int | None = Field(default=None, ge=1)
    kept_metrics: bool = True
    readout: Digitisation | None = None
    group_areas: bool = True
    frechet_topology: bool = False
    gallery_events: int = Field(default=6, ge=0)
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _check_readout(self) -> Self:
        """Refuse a readout that cuts nothing."""
        if self.readout is not None and self.readout.threshold == 0:
            raise ConfigurationError("readout: its threshold must be above 0; what is below it is no hit.")
        return self

    @property
    def kept_showers(self) -> int:
        """How many showers of each sample what is asked for needs at most."""
        trained = self.classifier_seeds + self.challenge_seeds > 0
        return max(
            LEAST_KEPT,
            self.classifier_showers if trained else 0,
            min(MEASURED_SHOWERS, self.classifier_showers) if self.kept_metrics else 0,
        )

    @property
    def passage_part(self) -> float:
        """Part of the progress that going through the files makes."""
        return 1.0 / (1.0 + self.kept_metrics + CLASSIFIER_SHARE * (self.classifier_seeds > 0))

    @property
    def kept_part(self) -> float:
        """Part of the progress that the distances of the kept showers make; the classifiers make the rest."""
        return self.passage_part * self.kept_metrics
