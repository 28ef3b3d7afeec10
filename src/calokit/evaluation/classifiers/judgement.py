"""The strong judge's verdict on three samples: areas beside their floors, by group, and what tells most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calokit.arrays import Float64
from calokit.evaluation.classifiers.boosted_judge import (
    FOLDS,
    Area,
    FeatureTable,
    areas_by_group,
    judge_by_trees,
)
from calokit.evaluation.metrics.distances import (
    Distance,
    Histogram,
    histogram_of,
    integer_edges,
    linear_edges,
    separation_power,
)
from calokit.evaluation.samples.truth_memory import TruthMemory
from calokit.evaluation.scorecard import Measurement, Spectrum

TOPIC = "topology"
"""Page of a report."""
MOST_TELLING = 6
SHOWN = (
    "isolated_hits",
    "isolated_hits_in_space",
    "pair_correlation_along_x",
    "pair_correlation_around",
    "holes",
    "clusters",
    "largest_cluster_hits",
    "local_maxima",
    "hot_cell_2",
    "log_energy_mean",
    "mean_radius_of_hits",
    "azimuth_2_energy",
    "profile_roughness",
    "front_back_centres",
)
"""Observables whose distributions are compared, where the detector has them, beside the spectral lines'."""
SHARPNESS = "_sharpness"


@dataclass(frozen=True)
class JudgedTables:
    """What the judge sees of reference, generated sample and floor, the same number of showers each."""

    reference: FeatureTable
    generated: FeatureTable
    floor: FeatureTable


class TreeJudge:
    """Judges samples by boosted trees.

    Args:
        seed: Of parts and trees.
        by_group: Judge by each group of observables alone, too.
    """

    def __init__(self, seed: int, by_group: bool = True) -> None:
        self.seed, self.by_group = seed, by_group

    def judge(
        self, tables: JudgedTables, memory: TruthMemory, prefix: str, words: str
    ) -> tuple[list[Measurement], tuple[str, ...]]:
        """Return the areas of the generated sample, and the most telling observables.

        Args:
            tables: The samples.
            memory: Where the floor is kept.
            prefix: Beginning of the keys: `classifier`, or `readout` for samples behind a readout.
            words: Ending of the titles, such as `, read out`; may be empty.

        Returns:
            Measurements `PREFIX.auc_boosted` and `PREFIX_group.GROUP`, and names of observables.
        """
        showers = len(tables.reference.values)
        value = self._areas(tables.reference, tables.generated, MOST_TELLING)
        floor = memory.within(showers).recall(
            f"{prefix}.auc_boosted", lambda: self._areas(tables.reference, tables.floor)
        )
        told = ", ".join(words_of(name) for name, _ in value.whole.telling[:3])
        note = f"{len(value.whole.trees)} of {FOLDS} parts tested"
        note += f"; most telling: {told}" if told else ""
        title = f"classifier AUC, boosted trees{words}"
        measurements = [
            Measurement.of(
                "classifiers", f"{prefix}.auc_boosted", title, value.whole, floor.whole, showers, note=note
            )
        ]
        for group, area in value.groups.items():
            measurements.append(
                Measurement.of(
                    TOPIC,
                    f"{prefix}_group.{group.replace(' ', '_')}",
                    f"classifier AUC, {group} alone{words}",
                    area,
                    floor.groups[group],
                    showers,
                    note="conditions and this group of observables",
                )
            )
        return measurements, tuple(name for name, _ in value.whole.telling)

    def _areas(self, reference: FeatureTable, other: FeatureTable, telling: int = 0) -> _Areas:
        whole = judge_by_trees(reference, other, self.seed, telling=telling)
        return _Areas(whole, areas_by_group(reference, other, self.seed) if self.by_group else {})


@dataclass(frozen=True)
class _Areas:
    """The area of all observables and of each group."""

    whole: Area
    groups: dict[str, Area]


def compare_observables(
    tables: JudgedTables, telling: Sequence[str]
) -> tuple[list[Measurement], list[Spectrum]]:
    """Return separation powers and distributions of observables of topology.

    Args:
        tables: The samples.
        telling: Names of further observables to show; chosen for their differences, they are not measured.
    """
    names = tables.reference.names
    fixed = [name for name in names if name in SHOWN or name.endswith(SHARPNESS)]
    spectra = [_spectrum(tables, name) for name in dict.fromkeys([*fixed, *telling])]
    measurements = [
        Measurement.of(
            TOPIC,
            f"separation.{spectrum.name}",
            f"separation, {spectrum.title}",
            Distance(spectrum.separation, spectrum.separation_error),
            Distance(spectrum.separation_floor, spectrum.separation_floor_error),
            len(tables.reference.values),
        )
        for spectrum in spectra[: len(fixed)]
    ]
    return measurements, spectra


def words_of(name: str) -> str:
    """Return the name of an observable in words.

    Example:
        >>> words_of("line_511_keV_sharpness"), words_of("impact_cell_0_-1")
        ('511 keV line, sharpness', 'impact cell 0 −1')
    """
    words = name.replace("_", " ").replace(" -", " −")
    if name.startswith("line_"):
        number, unit, *rest = words.removeprefix("line ").split(" ")
        return f"{number} {unit} line, {' '.join(rest)}"
    return words


def _spectrum(tables: JudgedTables, name: str) -> Spectrum:
    column = tables.reference.names.index(name)
    values = [
        table.values[:, column].astype(np.float64)
        for table in (tables.reference, tables.generated, tables.floor)
    ]
    edges = _edges(values[0])
    reference, generated, floor = (histogram_of(sample, edges) for sample in values)
    distance, least = separation_power(reference, generated), separation_power(reference, floor)
    return Spectrum(
        name=f"topology_{name}",
        title=words_of(name),
        x_label=words_of(name),
        edges=edges.tolist(),
        **_densities(reference, generated),
        separation=distance.value,
        separation_error=distance.error,
        separation_floor=least.value,
        separation_floor_error=least.error,
        topic=TOPIC,
    )


def _densities(reference: Histogram, generated: Histogram) -> dict[str, list[float]]:
    return {
        "reference": reference.densities.tolist(),
        "reference_error": reference.density_errors.tolist(),
        "generated": generated.densities.tolist(),
        "generated_error": generated.density_errors.tolist(),
    }


def _edges(reference: Float64) -> Float64:
    """Return bins for whole numbers or for others, as the reference's values are."""
    whole = bool((reference == np.round(reference)).all())
    return integer_edges(reference) if whole else linear_edges(reference)
