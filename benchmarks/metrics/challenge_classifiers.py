"""calokit's form of CaloChallenge's classifiers beside CaloChallenge's own code, on the same showers.

    python -m benchmarks.metrics.challenge_classifiers SETS PARAMETRIC --peer-python PYTHON --challenge CODE

SETS holds par04_electrons_test.h5, PARAMETRIC is a file of parametric showers in the same cells. First both
networks get the same weights and must give the same scores, areas and divergences. Then both codes train, in
double precision and with the published settings but for the number of epochs, on Geant4 showers against
others: truth of other seeds, truth made 5 % wider, and the parametric ones. PYTHON has torch and
scikit-learn, CODE is the folder `code` of CaloChallenge/homepage. Every finished row is recorded and not run
again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.metrics.checks.published_codes import SAMPLING_FRACTION
from benchmarks.record import RESULTS, Row, describe_circumstances, print_rows, write_record
from calokit.arrays import Float64
from calokit.evaluation.classifiers.challenge import (
    AS_CALOCHALLENGE,
    challenge_dense_auc,
    challenge_image_auc,
)
from calokit.evaluation.classifiers.challenge_networks import ChallengeNetwork, ResidualNetwork, draw_weights
from calokit.evaluation.classifiers.discrimination import (
    calibrate_scores,
    dense_rows,
    jensen_shannon,
    roc_area,
)
from calokit.evaluation.classifiers.inputs import ClassifierInputs, observable_inputs, voxel_inputs
from calokit.evaluation.metrics.challenge_features import challenge_features
from calokit.evaluation.metrics.challenge_separation import DATA_SETS_2_AND_3_THRESHOLD_MEV as THRESHOLD
from calokit.showers import Showers, open_showers
from calokit.showers.damages import widen_showers

NAME = "challenge_classifiers"
IMAGE = (45, 16, 9)
KINDS = ("cls-high", "cls-low", "cls-resnet")
MEASURED = ("auc", "auc error", "jsd", "jsd error", "epoch", "seconds")
"""Of each training; their code gives no errors."""
PAIRS = ("truth of other seeds", "truth 5 % wider", "parametric")


def read_samples(sets: Path, parametric: Path, showers: int) -> dict[str, Showers]:
    """Return the truth and what it is compared with, deposits over the sampling fraction."""
    truth = open_showers(sets / "par04_electrons_test.h5")
    samples = {"truth": truth.read(0, showers), "truth of other seeds": truth.read(showers, 2 * showers)}
    samples["truth 5 % wider"] = widen_showers(samples["truth of other seeds"], 1.05)
    samples["parametric"] = open_showers(parametric).read(0, showers)
    return {
        name: replace(each, energies=each.energies / np.float32(SAMPLING_FRACTION))
        for name, each in samples.items()
    }


def inputs_of(kind: str, showers: Showers) -> ClassifierInputs:
    """Return what a classifier sees, the energy as the only condition."""
    conditions = showers.conditions()[0]
    if kind == "cls-high":
        features = challenge_features(showers, THRESHOLD).matrix()[0][:, 1:]
        return observable_inputs(features.astype(np.float32), conditions, energy_only=True)
    return voxel_inputs(showers.energies, conditions, THRESHOLD, energy_only=True)


def rows_of(inputs: ClassifierInputs, label: float) -> Float64:
    """Return rows of their form: conditions, features, label."""
    features = dense_rows(inputs.features, np.arange(len(inputs.conditions)))
    labels = np.full((len(features), 1), label)
    return np.concatenate([inputs.conditions, features, labels], axis=1).astype(np.float64)


def ask_theirs(python: Path, code: Path, arrays: dict[str, Any]) -> dict[str, Any]:
    """Return what their code gives for the arrays."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "arrays.npz", Path(folder) / "found.json"
        np.savez(source, **arrays)
        program = Path(__file__).parent / "checks" / "peer_classifier.py"
        subprocess.run([str(word) for word in (python, program, source, target, code)], check=True)
        found: dict[str, Any] = json.loads(target.read_text())
        return found


def their_names(kind: str, network: torch.nn.Module) -> dict[str, Any]:
    """Return the weights of our network under the names of theirs."""
    names: dict[str, str] = {"stem.0": "conv1", "stem.1": "bn1", "head": "fc", "condition_norm": "e_norm"}
    for block in range(8):
        theirs = f"layer{block // 2 + 1}.{block % 2}"
        for ours, part in (("path.0", "conv1"), ("path.1", "bn1"), ("path.3", "conv2"), ("path.4", "bn2")):
            names[f"blocks.{block}.{ours}"] = f"{theirs}.{part}"
        for number in (0, 1):
            names[f"blocks.{block}.shortcut.{number}"] = f"{theirs}.downsample.{number}"
    if kind != "cls-resnet":
        names = {str(2 * number): f"layers.{3 * number}" for number in range(4)}
    found = {}
    for name, weight in network.state_dict().items():
        module, leaf = name.rsplit(".", 1)
        found[f"weights.{names[module]}.{leaf}"] = weight.numpy()
    return found


def compare_exactly(kind: str, samples: dict[str, Showers], python: Path, code: Path) -> Row:
    """Give both networks the same weights and compare scores, area and divergence."""
    rows = [
        rows_of(inputs_of(kind, samples[name][:300]), label)
        for name, label in (("truth", 0.0), ("parametric", 1.0))
    ]
    both = np.concatenate(rows)[np.random.default_rng(1).permutation(600)]
    network = ResidualNetwork(IMAGE) if kind == "cls-resnet" else ChallengeNetwork(both.shape[1] - 1)
    draw_weights(network, torch.Generator().manual_seed(1))
    network.to(torch.float64)
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-4)
    loss_of = torch.nn.BCEWithLogitsLoss()
    for start in range(0, 200, 50):
        batch = torch.tensor(both[start : start + 50])
        loss = loss_of(network(batch[:, :-1])[:, 0], batch[:, -1])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    network.eval()
    selection, final = both[200:400], both[400:]
    with torch.inference_mode():
        scores = [network(torch.tensor(part[:, :-1]))[:, 0].numpy() for part in (selection, final)]
    labels = [part[:, -1] > 0.5 for part in (selection, final)]
    own = [1.0 / (1.0 + np.exp(-each)) for each in scores]
    calibrated = calibrate_scores(labels[0], own[0], own[1])
    arrays = {"kind": kind, "epochs": 1, "seed": 1, "columns": both.shape[1] - 1}
    theirs = ask_theirs(
        python, code, arrays | {"selection": selection, "final": final} | their_names(kind, network)
    )
    return {
        "kind": kind,
        "showers": 300,
        "scores": float(np.abs(scores[1] - theirs["scores"]).max() / np.abs(scores[1]).max()),
        "auc": abs(roc_area(labels[1], calibrated) - theirs["auc"]),
        "jsd": abs(jensen_shannon(labels[1], calibrated)[0] - theirs["jsd"]),
    }


def train_ours(kind: str, first: ClassifierInputs, second: ClassifierInputs, seed: int, epochs: int) -> Row:
    """Train our form of the classifier once."""
    settings = replace(AS_CALOCHALLENGE, epochs=epochs)
    started = time.process_time()
    if kind == "cls-resnet":
        result = challenge_image_auc(first, second, IMAGE, (seed,), settings)
    else:
        result = challenge_dense_auc(first, second, (seed,), settings)
    run = result.runs[0]
    seconds = time.process_time() - started
    return {
        "auc": run.auc,
        "auc error": run.auc_error,
        "jsd": run.jsd,
        "jsd error": run.jsd_error,
        "epoch": run.epoch_chosen,
        "seconds": round(seconds, 1),
    }


def main() -> None:
    """Compare, print and record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sets", type=Path)
    parser.add_argument("parametric", type=Path)
    parser.add_argument("--peer-python", type=Path, required=True)
    parser.add_argument("--challenge", type=Path, required=True)
    parser.add_argument("--showers", type=int, nargs=3, default=(1500, 1500, 1500), help="of each class")
    parser.add_argument("--epochs", type=int, nargs=3, default=(50, 50, 50), help="of high, low and resnet")
    parser.add_argument("--seeds", type=int, nargs=3, default=(3, 3, 3), help="trainings of each")
    parser.add_argument("--pairs", nargs="*", default=PAIRS)
    parser.add_argument("--kinds", nargs="*", default=KINDS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    circumstances = describe_circumstances(1)
    path = RESULTS / f"{NAME}.json"
    nothing: dict[str, Any] = {"rows": [], "settings": {"same_weights": []}}
    recorded = json.loads(path.read_text()) if path.exists() else nothing
    rows, exact = recorded["rows"], recorded["settings"]["same_weights"]
    samples = read_samples(arguments.sets, arguments.parametric, max(arguments.showers))
    for kind in arguments.kinds:
        if not any(row["kind"] == kind for row in exact):
            exact.append(compare_exactly(kind, samples, arguments.peer_python, arguments.challenge))
            print(exact[-1], flush=True)
            write_record(NAME, rows, circumstances, same_weights=exact)
    table = zip(KINDS, arguments.epochs, arguments.seeds, arguments.showers, strict=True)
    plan = [
        {"kind": kind, "pair": pair, "code": code, "seed": seed, "epochs": epochs, "showers": showers}
        for kind, epochs, seeds, showers in table
        if kind in arguments.kinds
        for seed in range(seeds)
        for pair in arguments.pairs
        for code in ("calokit", "CaloChallenge")
    ]
    for what in plan:
        if any(what.items() <= row.items() for row in rows):
            continue
        kind, seed, epochs = what["kind"], what["seed"], what["epochs"]
        pair = [samples[name][: what["showers"]] for name in ("truth", what["pair"])]
        first, second = (inputs_of(kind, each) for each in pair)
        if what["code"] == "calokit":
            found = train_ours(kind, first, second, seed, epochs)
        else:
            arrays = {"reference": rows_of(first, 1.0), "generated": rows_of(second, 0.0), **what}
            arrays["columns"] = arrays["reference"].shape[1] - 1
            found = ask_theirs(arguments.peer_python, arguments.challenge, arrays)
            found["seconds"] = round(found["seconds"], 1)
            found = {name: found.get(name) for name in MEASURED}
        rows.append(what | found)
        print(rows[-1], flush=True)
        write_record(NAME, rows, circumstances, same_weights=exact)
    if rows:
        print_rows("CaloChallenge's classifiers, two codes", rows, circumstances)


if __name__ == "__main__":
    main()
