"""Scorecards as an evaluation would fill them, from toy showers in 20 x 20 crystals of 30.3 mm."""

from __future__ import annotations

import numpy as np

from calokit.evaluation.scorecard import (
    Curve,
    EventHits,
    EventPair,
    ImagePair,
    Measurement,
    Sample,
    Scorecard,
    ShowerHits,
    Spectrum,
)
from calokit.evaluation.significance import judge_measurements

CELLS = 20
PITCH = 30.3
EDGES = (np.arange(CELLS + 1) - CELLS / 2) * PITCH
CENTRES = 0.5 * (EDGES[1:] + EDGES[:-1])
THRESHOLD = 0.1
ENERGY_BINS = np.geomspace(1.0, 100.0, 11)


def make_showers(generator, energies_gev, positions, width=1.0):
    """Return toy showers, (event, row, column) in MeV: an exponential core with photon statistics."""
    distance = np.sqrt(
        (CENTRES[:, None] - positions[:, 0, None, None]) ** 2 + (CENTRES - positions[:, 1, None, None]) ** 2
    )
    profile = np.exp(-distance / (17.0 * width)) + 4e-4 * np.exp(-distance / 90.0)
    profile /= profile.sum(axis=(1, 2), keepdims=True)
    visible = energies_gev * 1000.0 * 0.95 * generator.normal(1.0, 0.02 + 0.01 / np.sqrt(energies_gev))
    showers = generator.gamma(profile * visible[:, None, None] / 3.0 + 1e-9, 3.0)
    return np.where(showers > THRESHOLD, showers, 0.0)


def make_scorecard(label="zdc_flow", *, seed=5, showers=1500, width=1.0, data_seed=1, events=6):
    """Return a scorecard of toy showers; `width` other than 1 makes the generated showers too wide."""
    truth, model = np.random.default_rng(data_seed), np.random.default_rng(seed)
    energies = np.exp(truth.uniform(0.0, np.log(100.0), showers))
    positions = truth.uniform(-120.0, 120.0, (showers, 2))
    reference = make_showers(truth, energies, positions)
    generated = make_showers(model, energies, positions, width)
    return assemble_scorecard(label, energies, positions, reference, generated, seed=seed, events=events)


def assemble_scorecard(label, energies, positions, reference, generated, *, seed=5, events=6):
    """Return a scorecard of given showers, (event, row, column) in MeV."""
    showers = len(energies)
    measurements = _measurements(reference, generated, showers)
    return Scorecard(
        detector="zdc_ecal",
        threshold_mev=THRESHOLD,
        seed=seed,
        reference=Sample(
            label="Geant4",
            path="/home/somebody/data/zdc_ecal_positrons_test.h5",
            sha256="0123456789abcdef" * 4,
            split="test",
            showers=showers,
            generator="Geant4 11.4.1",
            milliseconds_per_shower=412.0,
            timing_note="1 core, one shower after the other",
        ),
        generated=Sample(
            label=label,
            path=f"/home/somebody/runs/{label}.h5",
            sha256="fedcba9876543210" * 4,
            showers=showers,
            generator=f"calokit {label}",
            milliseconds_per_shower=0.0873,
            timing_note="1 core, batch 256, with conditions and writing",
        ),
        floor_sample=f"Geant4 against Geant4, two disjoint halves of {showers} showers each",
        measurements=measurements,
        verdict=judge_measurements(measurements),
        curves=_curves(energies, reference, generated),
        spectra=_spectra(energies, reference, generated),
        images=[_image(reference, generated)],
        events=_events(energies, positions, reference, generated, events),
        warnings=["12 showers of the reference have no cell above threshold"],
    )


def with_measurements(card, measurements, **update):
    """Return a scorecard with other measurements, judged anew, and with further changes."""
    changed = {"measurements": measurements, "verdict": judge_measurements(measurements), **update}
    return card.model_copy(update=changed)


def make_hits(detector, *, events=2, hits=200, seed=3, alike=False):
    """Return showers of cells drawn at random, the hottest first; `alike` repeats the reference's."""
    rng = np.random.default_rng(seed)

    def shower():
        cells = rng.choice(detector.number_of_cells, min(hits, detector.number_of_cells), replace=False)
        energies = np.sort(np.exp(rng.normal(1.0, 2.0, len(cells))))[::-1] + 2.0 * THRESHOLD
        energies = [float(f"{energy:.4g}") for energy in energies]
        return ShowerHits(
            cells=cells.tolist(), energies_mev=energies, hits=len(cells), energy_mev=float(sum(energies))
        )

    found = []
    for event in range(events):
        reference = shower()
        found.append(
            EventHits(
                incident_energy_gev=10.0 * (event + 1),
                position_mm=[3.0, -4.0],
                direction=[0.0, 0.0, 1.0],
                reference=reference,
                generated=reference if alike else shower(),
            )
        )
    return found


def make_display_card(detector, **hits):
    """Return a scorecard of few figures whose hits lie in a given detector."""
    card = make_scorecard(showers=60, events=0)
    return card.model_copy(
        update={
            "detector": detector.name, "detector_description": detector, "hits": make_hits(detector, **hits),
            "images": [], "spectra": [], "curves": [],
        }
    )  # fmt: skip


def _measurements(reference, generated, showers):
    wide = abs(float(generated.max(axis=(1, 2)).sum() / reference.max(axis=(1, 2)).sum()) - 1.0)
    common = {"showers_per_class": showers}
    return [
        Measurement(
            topic="classifiers",
            name="classifier.auc_low",
            title="classifier AUC, cells",
            value=min(0.99, 0.5 + 2.1 * wide + 0.0121),
            error=0.00312,
            floor=0.5004,
            floor_error=0.0029,
            note="20 % held out",
            **common,
        ),
        Measurement(
            topic="classifiers",
            name="classifier.auc_high",
            title="classifier AUC, observables",
            value=0.5041,
            error=0.0031,
            floor=0.4993,
            floor_error=0.0030,
            **common,
        ),
        Measurement(
            topic="classifiers",
            name="frechet",
            title="Fréchet distance × 10³ of the observables",
            value=8.4,
            error=0.71,
            floor=1.2,
            floor_error=0.22,
            **common,
        ),
        Measurement(
            topic="response",
            name="separation.visible_energy",
            title="separation, visible energy",
            value=1.84e-4,
            error=6.1e-5,
            floor=1.23e-4,
            floor_error=4.4e-5,
            **common,
        ),
        Measurement(
            topic="classifiers",
            name="coverage",
            title="coverage",
            value=0.941,
            error=0.004,
            floor=0.962,
            floor_error=0.003,
            direction="higher",
            **common,
        ),
        Measurement(
            topic="cells",
            name="wasserstein.hits",
            title="Wasserstein distance, hits",
            unit="cells",
            value=0.31,
            error=0.16,
            floor=0.22,
            floor_error=0.12,
            **common,
        ),
    ]


def _curves(energies, reference, generated):
    fractions = [side.sum(axis=(1, 2)) / (1000.0 * energies) for side in (reference, generated)]
    hits = [(side > 0.0).sum(axis=(1, 2)) for side in (reference, generated)]
    band = np.digitize(energies, ENERGY_BINS) - 1
    count = len(ENERGY_BINS) - 1

    def mean(values):
        inside = [values[band == b] for b in range(count)]
        return _known([v.mean() for v in inside]), _known([v.std() / max(len(v), 1) ** 0.5 for v in inside])

    def spread(values):
        inside = [values[band == b] for b in range(count)]
        sizes = [v.std() / v.mean() for v in inside]
        return _known(sizes), _known([s / (2 * len(v)) ** 0.5 for s, v in zip(sizes, inside, strict=True)])

    def curve(topic, name, title, y_label, reference_pair, generated_pair):
        return Curve(
            topic=topic,
            name=name,
            title=title,
            x_label="incident energy (GeV)",
            y_label=y_label,
            log_x=True,
            edges=ENERGY_BINS.tolist(),
            reference=reference_pair[0],
            reference_error=reference_pair[1],
            generated=generated_pair[0],
            generated_error=generated_pair[1],
        )

    difference = [(f - fractions[0].mean()) ** 2 for f in fractions]
    response = curve(
        "response", "response", "Response", "visible / incident energy", *(mean(f) for f in fractions)
    )
    floor = [None if v is None else v * 1.0005 for v in response.reference]
    return [
        response.model_copy(update={"floor": floor, "floor_error": response.reference_error}),
        curve(
            "response",
            "resolution",
            "Resolution",
            "σ / mean of the visible energy",
            *(spread(f) for f in fractions),
        ),
        curve(
            "cells",
            "mse",
            "Mean squared error",
            "mean squared error of the fraction",
            *(mean(d) for d in difference),
        ),
        curve(
            "cells",
            "hits",
            "Hits against energy",
            "cells above threshold",
            *(mean(h.astype(float)) for h in hits),
        ),
    ]


def _spectra(energies, reference, generated):
    sums = [side.sum(axis=(1, 2)) for side in (reference, generated)]
    fractions = [s / (1000.0 * energies) for s in sums]
    cells = [side[side > 0.0] for side in (reference, generated)]
    hits = [(side > 0.0).sum(axis=(1, 2)).astype(float) for side in (reference, generated)]
    widths = [_width(side) for side in (reference, generated)]
    return [
        _spectrum(
            "response",
            "visible_energy",
            "Visible energy",
            "visible energy (MeV)",
            np.geomspace(800, 1e5, 31),
            sums,
            True,
        ),
        _spectrum(
            "response",
            "visible_fraction",
            "Visible fraction",
            "visible / incident energy",
            np.linspace(0.85, 1.05, 41),
            fractions,
        ),
        _spectrum(
            "lateral",
            "width_x",
            "Width in x",
            "energy-weighted width in x (mm)",
            np.linspace(0, 60, 41),
            widths,
        ),
        _spectrum(
            "cells",
            "cell_energy",
            "Cell energy",
            "cell energy (MeV)",
            np.geomspace(THRESHOLD, 5e4, 41),
            cells,
            True,
            True,
        ),
        _spectrum(
            "cells", "hits", "Cells above threshold", "cells above threshold", np.linspace(0, 200, 41), hits
        ),
    ]


def _spectrum(topic, name, title, x_label, edges, sides, log_x=False, log_y=False):
    densities, errors = [], []
    for values in sides:
        counts = np.histogram(values, edges)[0]
        scale = 1.0 / (max(counts.sum(), 1) * np.diff(edges))
        densities.append((counts * scale).tolist())
        errors.append((np.sqrt(counts) * scale).tolist())
    return Spectrum(
        topic=topic,
        name=name,
        title=title,
        x_label=x_label,
        log_x=log_x,
        log_y=log_y,
        edges=edges.tolist(),
        reference=densities[0],
        reference_error=errors[0],
        generated=densities[1],
        generated_error=errors[1],
        separation=3.4e-4,
        separation_error=5e-5,
        separation_floor=2.1e-4,
        separation_floor_error=4e-5,
    )


def _width(showers):
    profile = showers.sum(axis=2)
    total = np.maximum(profile.sum(axis=1), 1e-9)
    mean = profile @ CENTRES / total
    return np.sqrt(np.maximum(profile @ CENTRES**2 / total - mean**2, 0.0))


def _image(reference, generated):
    first, second = reference.mean(axis=0), generated.mean(axis=0)
    relative = [
        np.divide(
            s.std(axis=0) / len(s) ** 0.5,
            s.mean(axis=0),
            out=np.zeros((CELLS, CELLS)),
            where=s.mean(axis=0) > 0,
        )
        for s in (reference, generated)
    ]
    error = np.divide(second, first, out=np.full_like(first, np.nan), where=first > 0) * np.hypot(*relative)
    return ImagePair(
        topic="lateral",
        name="layer_0",
        title="Mean energy a cell",
        row_edges=EDGES.tolist(),
        column_edges=EDGES.tolist(),
        reference=first.tolist(),
        generated=second.tolist(),
        ratio_error=[_known(row) for row in error],
    )


def _events(energies, positions, reference, generated, count):
    order = np.argsort(energies[: 40 * count])[::40][:count]
    return [
        EventPair(
            incident_energy_gev=float(energies[i]),
            position_mm=positions[i].tolist(),
            row_edges=EDGES.tolist(),
            column_edges=EDGES.tolist(),
            reference=reference[i].tolist(),
            generated=generated[i].tolist(),
        )
        for i in order
    ]


def _known(values):
    return [float(v) if np.isfinite(v) else None for v in values]
