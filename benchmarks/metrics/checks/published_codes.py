"""calokit beside the published codes, on the same showers."""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.metrics.checks.agreement import Agreement, Truth, halves, largest
from calokit.arrays import Float64
from calokit.evaluation.metrics.challenge_features import challenge_features
from calokit.evaluation.metrics.challenge_separation import (
    DATA_SETS_2_AND_3_RANGES,
    DATA_SETS_2_AND_3_THRESHOLD_MEV,
    cell_energy_separation,
    challenge_separations,
)
from calokit.evaluation.metrics.frechet import (
    FrechetSettings,
    frechet_physics_distance,
    kernel_physics_distance,
)
from calokit.evaluation.metrics.neighbour_manifolds import manifold_scores
from calokit.evaluation.metrics.precision_recall import PrecisionRecallSettings, precision_recall_curve
from calokit.showers import Showers
from calokit.showers.damages import widen_showers

SAMPLING_FRACTION = 0.033
"""CaloChallenge's data sets 2 and 3 hold deposits over this."""
THRESHOLD = DATA_SETS_2_AND_3_THRESHOLD_MEV
TITLES = {
    "Etot / Einc": "total_fraction",
    "E layer": "energy_layer",
    "EC Eta layer": "centre_eta_layer",
    "EC Phi layer": "centre_phi_layer",
    "Width Eta layer": "width_eta_layer",
    "Width Phi layer": "width_phi_layer",
    "Sparsity layer": "sparsity_layer",
    "EC r layer": "centre_r_layer",
    "Width r layer": "width_r_layer",
}
"""calokit's names by the titles of code/evaluate_plotting_helper.py."""


@dataclass(frozen=True)
class PublishedCodes:
    """Where the published codes are.

    Attributes:
        python: A Python that has jetnet, prdc, scikit-learn, torch and matplotlib.
        challenge: The folder `code` of CaloChallenge/homepage.
        precision_recall: The folder with prd_score.py of msmsajjadi/precision-recall-distributions.
    """

    python: Path
    challenge: Path
    precision_recall: Path

    def ask(self, arrays: dict[str, Any]) -> dict[str, Any]:
        """Return what they give for the arrays."""
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "arrays.npz", Path(folder) / "found.json"
            np.savez(source, **arrays)
            program = Path(__file__).with_name("peer_program.py")
            command = [self.python, program, source, target, self.challenge, self.precision_recall]
            subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
            found: dict[str, Any] = json.loads(target.read_text())
            return found


def check_published_codes(truth: Truth, codes: PublishedCodes) -> list[Agreement]:
    """Return the comparisons of this file: Geant4 electrons against others made 5 % wider."""
    reference = _as_in_challenge(halves(truth.par04)[0])
    generated = _as_in_challenge(widen_showers(halves(truth.par04)[1], 1.05))
    features = [challenge_features(sample, THRESHOLD) for sample in (reference, generated)]
    matrices = [each.matrix()[0] for each in features]
    # a few features, so that neighbours and clusters mean something
    chosen = [matrix[:, [0, 10, 20, 226, 230, 330]] for matrix in matrices]
    found = codes.ask(
        {
            "reference": reference.energies.astype(np.float64),
            "reference_incident": reference.incident_energies[:, None].astype(np.float64),
            "generated": generated.energies.astype(np.float64),
            "generated_incident": generated.incident_energies[:, None].astype(np.float64),
            "threshold": THRESHOLD,
            "features_reference": chosen[0],
            "features_generated": chosen[1],
        }
    )
    return [
        Agreement(
            "CaloChallenge's features",
            f"their code on {len(reference)} Geant4 electrons and as many 5 % wider ({matrices[0].shape[1]} "
            "columns)",
            max(
                largest(matrix, found["features"][name], relative=False)
                for matrix, name in zip(matrices, ("reference", "generated"), strict=True)
            ),
            relative=False,
        ),
        _separations(features, (reference, generated), found["features"]["separations"]),
        *_sample_distances(chosen, found),
    ]


def _as_in_challenge(showers: Showers) -> Showers:
    """Return showers with deposits over the sampling fraction."""
    return replace(showers, energies=showers.energies / np.float32(SAMPLING_FRACTION))


def _separations(
    features: list[Any], samples: tuple[Showers, Showers], theirs: dict[str, float]
) -> Agreement:
    ours = {
        name: distance.value
        for name, distance in challenge_separations(
            features[0], features[1], THRESHOLD, DATA_SETS_2_AND_3_RANGES
        ).items()
    }
    differences, at_the_edge = [], 0
    one_shower = 4.0 / len(samples[0])
    for title, value in theirs.items():
        if title == "Voxel distribution":
            ours_here = cell_energy_separation(*samples, THRESHOLD).value
        else:
            ours_here = ours[_name_of(title)]
        difference = abs(ours_here - value)
        if "E layer" in title and 1e-9 < difference < one_shower:
            at_the_edge += 1
            continue
        differences.append(difference)
    return Agreement(
        "CaloChallenge's separation powers",
        f"their plotting code on the same showers, {len(differences)} histograms; in {at_the_edge} layer "
        "energies more the largest shower of the reference counts here and not there",
        max(differences),
        relative=False,
    )


def _name_of(title: str) -> str:
    words = title.rsplit(" ", 1)
    number = words[1] if len(words) == 2 and words[1].isdigit() else ""
    stem = words[0] if number else title
    return TITLES[stem] + (f"_{number}" if number else "")


def _sample_distances(features: list[Float64], found: dict[str, Any]) -> list[Agreement]:
    number = len(features[0])
    settings = FrechetSettings(smallest=number // 5, largest=number, draws=4)
    fpd = frechet_physics_distance(features[0], features[1], settings).published
    kpd = kernel_physics_distance(features[0], features[1], batch_size=number // 2)
    curve = precision_recall_curve(features[0], features[1], PrecisionRecallSettings(standardised=False))
    scores = manifold_scores(features[0], features[1])
    theirs = found["precision_recall"]
    return [
        Agreement(
            "FPD",
            f"jetnet's fpd, the same {number} showers, draws and fit: value and error",
            largest([fpd.value, fpd.error], found["jetnet"]["fpd"]),
        ),
        Agreement(
            "KPD",
            f"jetnet's kpd, the same {number} showers and batches: value and error",
            largest([kpd.value, kpd.error], found["jetnet"]["kpd"]),
        ),
        Agreement(
            "PRD curve",
            "the authors' prd_score.py with the same clusterings: precision and recall at 1001 angles",
            max(
                largest(curve.precision, theirs["precision"], relative=False),
                largest(curve.recall, theirs["recall"], relative=False),
            ),
            relative=False,
        ),
        Agreement(
            "precision, recall, density, coverage (prdc)",
            "the package prdc, five neighbours",
            max(abs(getattr(scores, name).value - value) for name, value in found["manifolds"].items()),
            relative=False,
        ),
    ]
