"""The strong judge's verdict on three samples: areas beside their floors, by group, and what tells most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from calokit.arrays import Float64
from calokit.evaluation.classifiers.boosted_judge import Area, FeatureTable, areas_by_group, judge_by_trees
from calokit.evaluation.metrics.distances import (
    Histogram,
    histogram_of,
    integer_edges,
    linear_edges,
    separation_power,
)
from calokit.evaluation.scorecard import Measurement, Spectrum

Progress = Callable[[str, float], None]

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


@dataclass(frozen=True)
class JudgeFloor:
    """The areas that truth against truth has, which no generated sample changes."""

    whole: Area
    groups: dict[str, Area]


def judge_floor(tables: JudgedTables, seed: int) -> JudgeFloor:
    """Return the areas of the floor against the reference."""
    return JudgeFloor(
        judge_by_trees(tables.reference, tables.floor, seed),
        areas_by_group(tables.reference, tables.floor, seed),
    )


def judge_samples(
    tables: JudgedTables, floor: JudgeFloor, seed: int, prefix: str, words: str
) -> tuple[list[Measurement], tuple[str, ...]]:
    """Return the areas of the generated sample, and the most telling observables.

    Args:
        tables: The samples.
        floor: Their floor, by `judge_floor`.
        seed: Of parts and trees.
        prefix: Beginning of the keys: `classifier`, or `readout` for samples behind a readout.
        words: Ending of the titles, such as `, read out`; may be empty.

    Returns:
        Measurements `PREFIX.auc_boosted` and `PREFIX_group.GROUP`, and names of observables.
    """
    whole = judge_by_trees(tables.reference, tables.generated, seed, telling=MOST_TELLING)
    groups = areas_by_group(tables.reference, tables.generated, seed)
    showers = len(tables.reference.values)
    told = ", ".join(words_of(name) for name, _ in whole.telling[:3])
    note = f"{len(whole.trees)} of 5 parts tested" + (f"; most telling: {told}" if told else "")
    rows = [(f"{prefix}.auc_boosted", f"classifier AUC, boosted trees{words}", whole, floor.whole, note, "")]
    rows += [
        (
            f"{prefix}_group.{group.replace(' ', '_')}",
            f"classifier AUC, {group} alone{words}",
            area,
            floor.groups[group],
            "conditions and this group of observables",
            TOPIC,
        )
        for group, area in groups.items()
    ]
    measurements = [
        Measurement(
            name=name,
            title=title,
            value=area.value,
            error=area.error,
            floor=least.value,
            floor_error=least.error,
            showers_per_class=showers,
            note=remark,
            topic=topic,
        )
        for name, title, area, least, remark, topic in rows
    ]
    return measurements, tuple(name for name, _ in whole.telling)


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
        Measurement(
            name=f"separation.{spectrum.name}",
            title=f"separation, {spectrum.title}",
            value=spectrum.separation,
            error=spectrum.separation_error,
            floor=spectrum.separation_floor,
            floor_error=spectrum.separation_floor_error,
            showers_per_class=len(tables.reference.values),
            topic=TOPIC,
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
