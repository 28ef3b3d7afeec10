"""A trained surrogate judged for a row of a study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from calokit.bundles.bundle import Bundle
from calokit.compute.device import CPU, Device
from calokit.evaluation import Evaluation, EvaluationSettings, Scorecard
from calokit.files import write_text
from calokit.inference import generate_like
from calokit.inference.generate import need_surrogate
from calokit.progress import Progress, show_progress
from calokit.showers import ShowerFile, open_showers
from calokit.studies.description import Study
from calokit.studies.judging.divergence import DivergenceJudge
from calokit.studies.judging.edges import EdgeJudge
from calokit.studies.judging.judged import Judged
from calokit.studies.judging.prd_areas import ScoreByGroup

CURVES_KEPT = ("response", "resolution", "mse", "sampling_fraction")
"""Curves over the incident energy that a row keeps."""
_EVALUATIONS: dict[tuple[Any, ...], Evaluation] = {}
_ENSEMBLE_JUDGES: dict[tuple[Any, ...], tuple[DivergenceJudge, EdgeJudge]] = {}


def judge_surrogate(
    study: Study,
    bundle: Bundle,
    folder: Path,
    test: ShowerFile,
    floor: ShowerFile | None,
    progress: Progress = show_progress,
    device: Device = CPU,
) -> Judged:
    """Generate on the test incidents and evaluate; leaves generated.h5 and scorecard.json."""
    generated_path = folder / "generated.h5"
    generated = generate_like(bundle, test, generated_path, study.generation_seed, progress, device)
    settings = EvaluationSettings(
        threshold_mev=need_surrogate(bundle).threshold_mev,
        classifier_seeds=study.classifier_seeds,
        kept_metrics=study.kept_metrics,
        cells=study.cells,
        readout=study.readout,
        group_areas=False,
        seed=study.generation_seed,
    )
    card = _evaluation_for(test, floor, settings, device).judge(open_showers(generated_path), progress)
    path = folder / "scorecard.json"
    write_text(path, card.to_json())
    metrics = _metrics_of(card)
    if study.prd_groups:
        judge = ScoreByGroup.of(test, floor, settings.threshold_mev)
        metrics |= judge.metrics(open_showers(generated_path), study.prd_groups)
    if study.ensemble_metrics:
        for one in _ensemble_judges(test, floor, settings):
            metrics |= one.metrics(open_showers(generated_path))
    return Judged(generated.milliseconds_per_shower, metrics, _curves_of(card), path)


def _ensemble_judges(
    test: ShowerFile, floor: ShowerFile | None, settings: EvaluationSettings
) -> tuple[DivergenceJudge, EdgeJudge]:
    """Return what measures divergence and edges, the same for all rows of one threshold."""
    threshold = settings.threshold_mev or 0.0
    cut = None if floor is None else floor.head(min(len(floor), len(test)))
    key = (*((view.sha256, len(view)) for view in (test, cut) if view is not None), threshold)
    if key not in _ENSEMBLE_JUDGES:
        judges = DivergenceJudge(test, cut, threshold, settings.seed), EdgeJudge(test, cut, threshold)
        _ENSEMBLE_JUDGES[key] = judges
    return _ENSEMBLE_JUDGES[key]


def _evaluation_for(
    test: ShowerFile, floor: ShowerFile | None, settings: EvaluationSettings, device: Device
) -> Evaluation:
    """Return the judge of a study's rows, the same for all of one threshold: it looks at truth only once."""
    views = [(view.sha256, len(view)) for view in (test, floor) if view is not None]
    key = (*views, settings.digest(), device.name)
    if key not in _EVALUATIONS:
        _EVALUATIONS[key] = Evaluation(test, floor, settings, device.name)
    return _EVALUATIONS[key]


def _metrics_of(card: Scorecard) -> dict[str, list[float]]:
    """Return value, error, floor and floor's error of every measurement."""
    return {one.name: [one.value, one.error, one.floor, one.floor_error] for one in card.measurements}


def _curves_of(card: Scorecard) -> dict[str, dict[str, Any]]:
    """Return response, resolution, squared error and sampling fraction in bins of the incident energy."""
    return {
        one.name: {
            "edges_gev": one.edges,
            "reference": one.reference,
            "value": one.generated,
            "error": one.generated_error,
            "floor": one.floor,
        }
        for one in card.curves
        if one.name in CURVES_KEPT
    }
