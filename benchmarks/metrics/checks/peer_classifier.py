"""Runs CaloChallenge's classifiers on given arrays, started by a Python that has torch and scikit-learn.

Usage: `python peer_classifier.py INPUT.npz OUTPUT.json CHALLENGE_CODE`. With `weights.*` among the arrays,
the network gets these weights and is asked for its scores and final numbers; else it is trained.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset


def main() -> None:
    """Read the arrays, ask their code, write what it says."""
    source, target, code = (Path(argument) for argument in sys.argv[1:4])
    sys.path.insert(0, str(code))
    import evaluate

    torch.set_num_threads(1)
    arrays = np.load(source)
    kind = str(arrays["kind"])
    settings = SimpleNamespace(
        mode=kind,
        dataset="2",
        cls_n_epochs=int(arrays["epochs"]),
        save_mem=False,
        device=torch.device("cpu"),
        output_dir=str(target.parent),
    )
    seed = int(arrays["seed"])
    np.random.seed(seed)  # noqa: NPY002  their code draws from the global generator
    torch.manual_seed(seed)
    columns = int(arrays["columns"])
    if kind == "cls-resnet":
        network = evaluate.generate_model(18, img_shape=(45, 16, 9))
    else:
        network = evaluate.DNN(num_layer=2, num_hidden=2048, input_dim=columns)
    weights = [name for name in arrays.files if name.startswith("weights.")]
    with contextlib.redirect_stdout(io.StringIO()):
        if weights:
            found = judge(evaluate, network, arrays, weights, settings)
        else:
            found = train(evaluate, network, arrays, settings)
    target.write_text(json.dumps(found))


def judge(evaluate: Any, network: Any, arrays: Any, names: list[str], settings: Any) -> dict[str, Any]:
    """Return scores and final numbers of the network with given weights."""
    given = {name.removeprefix("weights."): torch.tensor(arrays[name]) for name in names}
    missing = network.load_state_dict(given, strict=False)
    if missing.unexpected_keys:
        raise SystemExit(f"their network has no {missing.unexpected_keys}")
    network.eval()
    rows = arrays["final"]
    with torch.no_grad():
        scores = network(torch.tensor(rows[:, :-1]))[:, 0].tolist()
        _, area, divergence = evaluate.evaluate_cls(
            network, load(rows), settings, final_eval=True, calibration_data=load(arrays["selection"])
        )
    return {"scores": scores, "auc": float(area), "jsd": float(divergence)}


def train(evaluate: Any, network: Any, arrays: Any, settings: Any) -> dict[str, Any]:
    """Return the final numbers of a training as evaluate.py does it."""
    parts = evaluate.ttv_split(arrays["generated"].copy(), arrays["reference"].copy())
    training, selection, final = (load(part, shuffle=number == 0) for number, part in enumerate(parts))
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-4)
    started = time.process_time()
    evaluate.train_and_evaluate_cls(network, training, selection, optimiser, settings)
    seconds = time.process_time() - started
    network = evaluate.load_classifier(network, settings)
    with torch.no_grad():
        _, area, divergence = evaluate.evaluate_cls(
            network, final, settings, final_eval=True, calibration_data=selection
        )
    return {"auc": float(area), "jsd": float(divergence), "epoch": settings.best_epoch, "seconds": seconds}


def load(rows: Any, shuffle: bool = False) -> Any:
    """Return batches as evaluate.py makes them."""
    return DataLoader(TensorDataset(torch.tensor(rows)), batch_size=1000, shuffle=shuffle)


if __name__ == "__main__":
    torch.set_default_dtype(torch.float64)
    main()
