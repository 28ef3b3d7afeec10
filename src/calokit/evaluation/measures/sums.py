"""From the sums of three samples to the measurements, curves, spectra and images of a scorecard."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from calokit.arrays import Float64
from calokit.detector.images import CellImage, cell_images
from calokit.evaluation.metrics.binned import (
    BinnedMoments,
    BinnedValues,
    largest_deviation,
    mean_deviation,
    overall_deviation,
    plain_values,
    ratio_of,
)
from calokit.evaluation.metrics.cells import (
    mean_cell_separation,
    mean_occupancy_deviation,
    worst_cell_deviation,
)
from calokit.evaluation.metrics.distances import Distance, Histogram, separation_power, wasserstein_distance
from calokit.evaluation.samples.shown import SHOWN_OBSERVABLES
from calokit.evaluation.samples.sums import Judge, Sides, SideSums
from calokit.evaluation.scorecard import Curve, ImagePair, Measurement, Spectrum
from calokit.units import MEV_PER_GEV


def measure_response(sides: Sides) -> list[Measurement]:
    """Return the deviations of response, resolution and number of hits in bins of the incident energy."""

    def response(side: SideSums) -> BinnedValues:
        return side.visible_fraction.mean()

    def resolution(side: SideSums) -> BinnedValues:
        return side.visible_fraction.relative_spread()

    def judge(
        curve: Callable[[SideSums], BinnedValues], reduce: Callable[[BinnedValues], tuple[float, float]]
    ) -> Judge:
        return lambda reference, other: Distance(*reduce(ratio_of(curve(other), curve(reference))))

    def hits(reference: SideSums, other: SideSums) -> Distance:
        ratio = ratio_of(_overall(other.hits), _overall(reference.hits))
        return Distance(*mean_deviation(ratio))

    return [
        sides.measure(
            "response",
            "response.scale",
            "response, |weighted mean ratio - 1|",
            judge(response, overall_deviation),
        ),
        sides.measure(
            "response",
            "response.max_deviation",
            "response, largest |ratio - 1| over energies",
            judge(response, largest_deviation),
        ),
        sides.measure(
            "response",
            "response.mean_deviation",
            "response, mean |ratio - 1| over energies",
            judge(response, mean_deviation),
        ),
        sides.measure(
            "response",
            "resolution.mean_deviation",
            "resolution, mean |ratio - 1| over energies",
            judge(resolution, mean_deviation),
        ),
        sides.measure("cells", "hits.mean_ratio", "mean number of hits, |ratio - 1|", hits),
    ]


def measure_separations(sides: Sides) -> list[Measurement]:
    """Return the separation powers of the spectra and the deviations cell by cell."""

    def of(*names: str) -> Judge:
        return lambda one, two: _average(
            separation_power(one.histogram(name), two.histogram(name)) for name in names
        )

    def wasserstein(one: SideSums, two: SideSums) -> Distance:
        return wasserstein_distance(one.histogram("visible_fraction"), two.histogram("visible_fraction"))

    def of_cell(cell: int) -> Judge:
        return lambda one, two: separation_power(one.named_spectrum(cell), two.named_spectrum(cell))

    found = [
        sides.measure(
            "cells",
            "separation.cell_spectrum",
            "separation, energies of all cells",
            lambda one, two: separation_power(one.cell_spectrum(), two.cell_spectrum()),
        ),
        sides.measure(
            "response",
            "separation.visible_energy",
            "separation, visible / incident energy",
            of("visible_fraction"),
        ),
        sides.measure(
            "response",
            "wasserstein.visible_energy",
            "Wasserstein distance, visible / incident energy",
            wasserstein,
        ),
        sides.measure("cells", "separation.hits", "separation, hits in a shower", of("hits")),
        sides.measure(
            "lateral", "separation.width", "separation, widths (mean of x and y)", of("width_x", "width_y")
        ),
        sides.measure(
            "lateral", "separation.centre", "separation, centre (mean of x and y)", of("centre_x", "centre_y")
        ),
        sides.measure(
            "cells", "separation.hottest_cell", "separation, fraction in the hottest cell", of("hottest_1")
        ),
    ]
    if "depth" in sides.reference.observables:
        found.append(sides.measure("longitudinal", "separation.depth", "separation, mean depth", of("depth")))
        found.append(
            sides.measure(
                "longitudinal", "separation.length", "separation, spread in depth", of("depth_width")
            )
        )
    if "asymmetry_along" in sides.reference.observables:
        found.append(
            sides.measure(
                "lateral",
                "separation.asymmetry",
                "separation, asymmetries along and across (mean)",
                of("asymmetry_along", "asymmetry_across"),
            )
        )
        found.append(
            sides.measure(
                "lateral",
                "separation.width_along",
                "separation, widths along and across (mean)",
                of("width_along", "width_across"),
            )
        )
    found += [
        sides.measure("cells", f"separation.cell_{cell}", f"separation, energy in cell {cell}", of_cell(cell))
        for cell in sides.reference.named_cells
    ]
    found.append(
        sides.measure(
            "cells",
            "separation.cells_mean",
            "separation of each cell's spectrum, mean over cells",
            lambda one, two: mean_cell_separation(one.cell_histograms, two.cell_histograms),
        )
    )
    found.append(
        sides.measure(
            "cells",
            "occupancy.mean_deviation",
            "hit probability, mean deviation over cells",
            lambda one, two: mean_occupancy_deviation(one.cells, two.cells),
            unit="standard errors",
            note="sqrt(2 / pi) = 0.80 is expected of samples of the same law",
        )
    )
    found.append(
        sides.measure(
            "cells",
            "occupancy.worst_cell",
            "hit probability, deviation of the worst cell",
            lambda one, two: worst_cell_deviation(one.cells, two.cells),
            unit="standard errors",
        )
    )
    return found


def make_curves(sides: Sides) -> list[Curve]:
    """Return response, resolution and mean hits against the incident energy, and the profile in depth."""
    edges = sides.reference.bins.energy

    def curve(
        topic: str, name: str, title: str, label: str, values: Callable[[SideSums], BinnedValues]
    ) -> Curve:
        return make_energy_curve(topic, name, title, label, edges, _each(sides, values))

    curves = [
        curve(
            "response",
            "response",
            "response",
            "visible / incident energy",
            lambda s: s.visible_fraction.mean(),
        ),
        curve(
            "response",
            "resolution",
            "resolution",
            "RMS / mean of visible / incident energy",
            lambda s: s.visible_fraction.relative_spread(),
        ),
        curve("cells", "hits", "mean number of hits", "hits", lambda s: s.hits.mean()),
    ]
    layers = sides.reference.layers.shape[1]
    if layers > 1:
        labels = ("layer", "mean energy (MeV)")
        middle = np.arange(layers + 1) - 0.5
        profile = _each(sides, _profile)
        curves.append(
            make_curve(
                "longitudinal",
                "longitudinal_profile",
                "longitudinal profile",
                labels,
                middle,
                False,
                profile,
                log_y=True,
            )
        )
    return curves + _lateral_profiles(sides)


def _lateral_profiles(sides: Sides) -> list[Curve]:
    """Return the average shower across the beam, along x and along y, of each section on a grid."""
    curves = []
    images = cell_images(sides.reference.calculator.detector)
    for image in images:
        if not image.is_regular or image.slow.periodic:
            continue
        words, ending = (f" in {image.section}", f".{image.section}") if len(images) > 1 else ("", "")
        for name, axis, other in (("x", image.slow, 1), ("y", image.fast, 0)):
            curves.append(
                make_curve(
                    "lateral",
                    f"lateral_profile_{name}{ending}",
                    f"average shower along {name}{words}",
                    (axis.label, "mean energy (MeV)"),
                    axis.edges,
                    False,
                    [_across(side, image, other) for side in (sides.reference, sides.generated, sides.floor)],
                    log_y=True,
                )
            )
    return curves


def _across(side: SideSums, image: CellImage, other: int) -> BinnedValues:
    """Return the mean energy in slices, summed over layers and another axis of the image.

    In the errors the cells of a slice are independent.
    """
    mean, variance = (
        image.sum_layers(values).sum(other) for values in (side.cells.mean, side.cells.variance_of_mean)
    )
    return BinnedValues(mean, np.sqrt(variance), np.full(len(mean), float(side.showers)))


def make_energy_curve(
    topic: str,
    name: str,
    title: str,
    y_label: str,
    edges: Float64,
    values: Sequence[BinnedValues],
) -> Curve:
    """Return a curve over the incident energy.

    Args:
        topic: Page of a report that it belongs on (`report/topics.py`).
        name: Key.
        title: Words.
        y_label: Axis label.
        edges: Energy bins in MeV; the curve has them in GeV.
        values: Those of the reference, of the generated sample and of the floor.
    """
    return make_curve(
        topic, name, title, ("incident energy (GeV)", y_label), edges / MEV_PER_GEV, True, values
    )


def make_spectra(sides: Sides) -> list[Spectrum]:
    """Return the distributions of the observables, of all cells and of the named cells."""
    spectra = []
    for one in SHOWN_OBSERVABLES:
        if one.name in sides.reference.observables:
            of = operator.methodcaller("histogram", one.name)
            spectra.append(_spectrum(sides, one.topic, one.name, one.title, one.label, of))
    spectra.append(
        _spectrum(
            sides,
            "cells",
            "cell_energy",
            "energies of all hits",
            "cell energy (MeV)",
            SideSums.cell_spectrum,
            log=True,
        )
    )
    spectra += [
        _spectrum(
            sides,
            "cells",
            f"cell_{cell}",
            f"energy in cell {cell}",
            "cell energy (MeV)",
            lambda s, cell=cell: s.named_spectrum(cell),  # type: ignore[misc]
            log=True,
            skipped=1,
        )
        for cell in sides.reference.named_cells
    ]
    return spectra


def make_images(sides: Sides) -> list[ImagePair]:
    """Return the mean image of each section, summed over its layers."""
    images = cell_images(sides.reference.calculator.detector)
    return [_image(sides, image) for image in images if image.is_regular]


def _image(sides: Sides, image: CellImage) -> ImagePair:
    one, two = sides.reference.cells, sides.generated.cells
    reference, generated = image.sum_layers(one.mean), image.sum_layers(two.mean)
    errors = [np.sqrt(image.sum_layers(sums.variance_of_mean)) for sums in (one, two)]
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.hypot(errors[1] / reference, generated * errors[0] / reference**2)
    return ImagePair(
        topic="lateral",
        name=f"mean_image.{image.section}",
        title=f"mean shower in {image.section}",
        row_label=image.slow.label,
        column_label=image.fast.label,
        row_edges=image.slow.edges.tolist(),
        column_edges=image.fast.edges.tolist(),
        reference=reference.tolist(),
        generated=generated.tolist(),
        ratio_error=[plain_values(row) for row in error],
    )


def _spectrum(
    sides: Sides,
    topic: str,
    name: str,
    title: str,
    label: str,
    histogram: Callable[[SideSums], Histogram],
    log: bool = False,
    skipped: int = 0,
) -> Spectrum:
    """Return a spectrum; the first `skipped` bins count in the separation but are not shown."""
    reference, generated, floor = (histogram(s) for s in (sides.reference, sides.generated, sides.floor))
    distance, least = separation_power(reference, generated), separation_power(reference, floor)
    return Spectrum(
        topic=topic,
        name=name,
        title=title,
        x_label=label,
        log_x=log,
        log_y=log,
        edges=reference.edges[skipped:].tolist(),
        reference=reference.densities[skipped:].tolist(),
        reference_error=reference.density_errors[skipped:].tolist(),
        generated=generated.densities[skipped:].tolist(),
        generated_error=generated.density_errors[skipped:].tolist(),
        separation=distance.value,
        separation_error=distance.error,
        separation_floor=least.value,
        separation_floor_error=least.error,
    )


def make_curve(
    topic: str,
    name: str,
    title: str,
    labels: tuple[str, str],
    edges: Float64,
    log_x: bool,
    values: Sequence[BinnedValues],
    log_y: bool = False,
) -> Curve:
    """Return a curve from the values of the reference, of the generated sample and of the floor.

    Args:
        topic: Page of a report that it belongs on (`report/topics.py`).
        name: Key.
        title: Words.
        labels: Of the two axes, with units.
        edges: Bins, in the unit of the first axis.
        log_x: Whether the first axis is logarithmic.
        values: Of the three samples.
        log_y: Whether the second is.
    """
    reference, generated, floor = values
    return Curve(
        topic=topic,
        name=name,
        title=title,
        x_label=labels[0],
        y_label=labels[1],
        log_x=log_x,
        log_y=log_y,
        edges=edges.tolist(),
        reference=plain_values(reference.values),
        reference_error=plain_values(reference.errors),
        generated=plain_values(generated.values),
        generated_error=plain_values(generated.errors),
        floor=plain_values(floor.values),
        floor_error=plain_values(floor.errors),
    )


def _each(sides: Sides, values: Callable[[SideSums], BinnedValues]) -> list[BinnedValues]:
    return [values(side) for side in (sides.reference, sides.generated, sides.floor)]


def _profile(side: SideSums) -> BinnedValues:
    mean = side.layers[0] / side.showers
    variance = np.maximum(side.layers[1] / side.showers - mean**2, 0.0)
    return BinnedValues(mean, np.sqrt(variance / side.showers), np.full(len(mean), float(side.showers)))


def _overall(moments: BinnedMoments) -> BinnedValues:
    """Return the mean over all energies as a single bin."""
    whole = BinnedMoments(moments.edges[[0, -1]])
    whole.sums = moments.sums.sum(axis=1, keepdims=True)
    return whole.mean()


def overall_mean(moments: BinnedMoments) -> Distance:
    """Return the mean over all energies and its error."""
    mean = _overall(moments)
    return Distance(float(mean.values[0]), float(mean.errors[0]))


def _average(distances: Iterable[Distance]) -> Distance:
    found = list(distances)
    value = sum(distance.value for distance in found) / len(found)
    return Distance(value, math.sqrt(sum(distance.error**2 for distance in found)) / len(found))
