"""Runs the published codes on given arrays, started by a Python that has them and never by calokit's own.

Usage: `python peer_program.py INPUT.npz OUTPUT.json CHALLENGE_CODE PRD_CODE`.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np


def main() -> None:
    """Read the arrays, ask every code, write what they say."""
    source, target, challenge, precision = (Path(argument) for argument in sys.argv[1:5])
    warnings.simplefilter("ignore")
    sys.path[:0] = [str(challenge), str(precision)]
    arrays = np.load(source)
    found: dict[str, Any] = {}
    found["features"] = challenge_features(arrays, challenge, target)
    found["jetnet"] = jetnet_distances(arrays)
    found["precision_recall"] = precision_recall(arrays)
    found["manifolds"] = manifolds(arrays)
    target.write_text(json.dumps(found))


def challenge_features(arrays: Any, code: Path, target: Path) -> dict[str, Any]:
    """Return CaloChallenge's features of both samples and its separation powers."""
    import evaluate
    import HighLevelFeatures
    from matplotlib import pyplot as plt

    plt.switch_backend("Agg")
    plt.rcParams["text.usetex"] = False
    samples, rows = [], []
    for name in ("reference", "generated"):
        features = HighLevelFeatures.HighLevelFeatures("electron", str(code / "binning_dataset_2.xml"))
        showers = np.where(arrays[name] < arrays["threshold"], 0.0, arrays[name])
        features.CalculateFeatures(showers)
        features.Einc = arrays[f"{name}_incident"]
        file = {"showers": arrays[name], "incident_energies": features.Einc}
        rows.append(evaluate.prepare_high_data_for_classifier(file, features, 0.0)[:, :-1].tolist())
        samples.append((features, showers))
    folder = target.parent / "plots"
    folder.mkdir(exist_ok=True)
    settings = SimpleNamespace(
        mode="hist-chi",
        x_scale="log",
        dataset="2",
        output_dir=str(folder),
        min_energy=float(arrays["threshold"]),
    )
    text = folder / "histogram_chi2_2.txt"
    text.write_text("")
    pair = samples[1][0], samples[0][0]
    evaluate.plot_histograms(*pair, settings)
    for plot in (evaluate.plot_sparsity, evaluate.plot_ECR, evaluate.plot_ECWidthR):
        plot(*pair, settings)
    evaluate.plot_cell_dist(samples[1][1], samples[0][1], settings)
    return {"reference": rows[0], "generated": rows[1], "separations": read_separations(text)}


def read_separations(path: Path) -> dict[str, float]:
    """Return the separation powers by the title that their code gives each."""
    lines = [line.strip() for line in path.read_text().splitlines() if line.strip()]
    return {title.rstrip(": "): float(value) for title, value in zip(lines[::2], lines[1::2], strict=True)}


def jetnet_distances(arrays: Any) -> dict[str, Any]:
    """Return JetNet's FPD and KPD with their errors."""
    from jetnet.evaluation import fpd, kpd

    pair = arrays["features_reference"], arrays["features_generated"]
    number = len(pair[0])
    return {
        "fpd": list(fpd(*pair, min_samples=number // 5, max_samples=number, num_batches=4)),
        "kpd": list(kpd(*pair, batch_size=number // 2)),
    }


def precision_recall(arrays: Any) -> dict[str, Any]:
    """Return the authors' curve, each clustering started from the state that calokit takes."""
    import prd_score
    import sklearn.cluster

    plain = sklearn.cluster.MiniBatchKMeans
    runs = iter(range(1000))

    def seeded(**settings: Any) -> Any:
        state = int(np.random.SeedSequence([0, next(runs)]).generate_state(1)[0])
        return plain(random_state=state, **settings)

    prd_score.sklearn.cluster.MiniBatchKMeans = seeded
    first, second = arrays["features_reference"], arrays["features_generated"]
    # handed the other way round, which stacks the reference first, as calokit does
    recall, precision = prd_score.compute_prd_from_embedding(first, second)
    prd_score.sklearn.cluster.MiniBatchKMeans = plain
    return {"precision": precision[::-1].tolist(), "recall": recall[::-1].tolist()}


def manifolds(arrays: Any) -> dict[str, float]:
    """Return precision, recall, density and coverage of the package prdc."""
    from prdc import compute_prdc

    pair = arrays["features_reference"], arrays["features_generated"]
    return {name: float(value) for name, value in compute_prdc(*pair, 5).items()}


if __name__ == "__main__":
    main()
