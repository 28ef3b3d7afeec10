"""AdaGAN: members trained one after the other on showers reweighted towards what the mixture misses.

Tolstikhin et al., arXiv:1701.02386, for any surrogate; with the corrections that seeds document 002 needs:
the mixture is judged with honest labels, calibrated, each shower by a judge that never saw it; weights hold
over the whole training file; and which member makes a shower is drawn for each incident particle.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from calokit.arrays import Float32, Float64
from calokit.bundles.bundle import Bundle, read_bundle, write_bundle
from calokit.bundles.tensors import read_tensors, write_tensors
from calokit.compute.device import CPU, Device
from calokit.detector import load_detector
from calokit.ensembles.density_ratio import MixtureJudge, ratio_of, shannon_divergence
from calokit.ensembles.reweighting import (
    bagging_weights,
    dagger_weights,
    next_shares,
    star_weights,
    top_weights,
)
from calokit.ensembles.settings import AdaganSettings
from calokit.errors import RunError
from calokit.evaluation.samples.observables import ObservableCalculator
from calokit.evaluation.topology.features import FeatureMaker
from calokit.files import check_folder_writable, make_folder, write_json
from calokit.inference import ShowerGenerator
from calokit.models.families import build_model
from calokit.models.mixture.settings import MixtureSettings
from calokit.models.mixture.surrogate import MixtureSurrogate
from calokit.models.protocols import Surrogate
from calokit.progress import Progress, show_progress
from calokit.recipes.recipe import Recipe
from calokit.showers import ShowerFile, Showers, Split, open_showers
from calokit.training.run import TrainedRun, continue_training, start_training

RECORD = "adagan.json"
PIECE = 2048
"""Showers looked at at a time."""


@dataclass(frozen=True)
class _Ensemble:
    """What is given for all members."""

    recipe: Recipe
    data: Path
    train: ShowerFile
    folder: Path
    settings: AdaganSettings
    progress: Progress
    seconds: float | None
    device: Device


def train_adagan(
    recipe: Recipe,
    data: Path,
    folder: Path,
    settings: AdaganSettings,
    progress: Progress = show_progress,
    seconds: float | None = None,
    device: Device = CPU,
) -> TrainedRun:
    """Train an ensemble, or go on where it was; after each member it is a bundle that can be used.

    Args:
        recipe: That of each member.
        data: A native shower file, as `start_training` takes it.
        folder: The folder of all members (`member_01`, ...), of the weights and of the bundle.
        settings: How many members, and by which rule.
        progress: Shows how far it is; see `calokit.progress`.
        seconds: How long each member is trained, instead of the recipe's steps.
        device: What trains.

    Returns:
        The ensemble, `NAME_adagan.calokit` in the folder.

    Raises:
        RunError: The folder holds an ensemble of another recipe, other data or other settings.
        ConfigurationError: The recipe's model generates no showers.
    """
    check_folder_writable(folder)
    make_folder(folder)
    like = None if recipe.detector is None else load_detector(recipe.detector)
    train = open_showers(data, Split.TRAIN, like=like)
    if recipe.training.showers is not None:
        train = train.head(recipe.training.showers)
    ensemble = _Ensemble(recipe, data, train, folder, settings, progress, seconds, device)
    record = _begin(ensemble)
    bundles: list[Bundle] = []
    mixture: Bundle | None = None
    for number in range(1, settings.members + 1):
        weights = None if mixture is None else _weights(ensemble, number, mixture, record)
        bundles.append(_train_member(ensemble, number, weights))
        mixture = _mix(ensemble, bundles)
        record |= {"members": len(bundles), "shares": list(_shares(settings, len(bundles)))}
        write_json(folder / RECORD, record)
        path = folder / f"{mixture.name}.calokit"
        write_bundle(path, mixture)
    assert mixture is not None
    return TrainedRun(path, mixture, sum(bundle.provenance["seconds"] for bundle in bundles))


def _begin(ensemble: _Ensemble) -> dict[str, Any]:
    """Return the record of what is done so far, after checking that it is of the same ensemble."""
    path = ensemble.folder / RECORD
    own = {
        "recipe": ensemble.recipe.to_mapping(),
        "data_sha256": ensemble.train.sha256,
        "settings": {name: one for name, one in ensemble.settings.to_mapping().items() if name != "members"},
        "seconds": ensemble.seconds,
    }
    if not path.is_file():
        return {**own, "members": 0, "shares": [], "steps": []}
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    # read as recipes are read today: keys that came later stand for what was done before them
    before = Recipe.from_mapping(record["recipe"], str(path))
    for name, value in own.items():
        same = before.digest() == ensemble.recipe.digest() if name == "recipe" else record[name] == value
        if not same:
            raise RunError(
                f"{ensemble.folder} holds an ensemble of another {name.replace('_sha256', '')}; continue it "
                "with its own, or choose another folder."
            )
    return record


def _shares(settings: AdaganSettings, members: int) -> tuple[float, ...]:
    """Return the share of each member (member,)."""
    shares: tuple[float, ...] = (1.0,)
    for number in range(2, members + 1):
        shares = next_shares(shares, settings.beta or 1.0 / number)
    return shares


def _train_member(ensemble: _Ensemble, number: int, weights: Float64 | None) -> Bundle:
    """Train a member, go on with it, or take it where it is finished."""
    folder = ensemble.folder / f"member_{number:02d}"
    training = ensemble.recipe.training.model_copy(
        update={"seed": ensemble.recipe.training.seed + number - 1}
    )
    recipe = ensemble.recipe.model_copy(update={"training": training})
    path = folder / f"{recipe.name}.calokit"
    if path.is_file():
        return read_bundle(path)
    if (folder / "run.json").is_file():
        return continue_training(folder, ensemble.progress, ensemble.data, device=ensemble.device).bundle
    return start_training(
        recipe,
        ensemble.data,
        folder,
        ensemble.progress,
        ensemble.seconds,
        device=ensemble.device,
        weights=weights,
    ).bundle


def _weights(ensemble: _Ensemble, number: int, mixture: Bundle, record: dict[str, Any]) -> Float64 | None:
    """Return the weights (event,) of the training showers for a member; None for all alike."""
    settings, count = ensemble.settings, len(ensemble.train)
    if settings.rule == "even":
        return None
    path = ensemble.folder / f"weights_{number:02d}.safetensors"
    if path.is_file():
        known: Float64 = read_tensors(path)[0]["weights"].numpy()
        return known
    if settings.rule == "bagging":
        weights = bagging_weights(count, np.random.default_rng((settings.seed, number)))
        told: dict[str, Any] = {}
    else:
        data, made = _judge(ensemble, number, mixture)
        ratio, beta = ratio_of(data), settings.beta or 1.0 / number
        match settings.rule:
            case "star":
                weights = star_weights(ratio, beta)
            case "dagger":
                weights = dagger_weights(ratio, beta)
            case "top":
                weights = top_weights(ratio, settings.top_share)
        told = {"shannon_divergence_bits": shannon_divergence(data, made)}
    told |= {
        "member": number,
        "effective_showers": float(weights.sum() ** 2 / np.square(weights).sum()),
        "without_weight": int((weights == 0).sum()),
    }
    record["steps"] = [*(step for step in record["steps"] if step["member"] != number), told]
    write_json(ensemble.folder / RECORD, record)
    write_tensors(path, {"weights": torch.from_numpy(weights)}, {"kind": "weights", **told})
    return weights


def _judge(ensemble: _Ensemble, number: int, mixture: Bundle) -> tuple[Float64, Float64]:
    """Return the probability to be true of each training shower, and of one of the mixture's for each."""
    judged = judge_mixture(
        ensemble.train, mixture, MixtureJudge(seed=ensemble.settings.seed + number), ensemble.progress
    )
    ensemble.device.put(mixture.model)
    return judged


def judge_mixture(
    truth: ShowerFile, bundle: Bundle, judge: MixtureJudge, progress: Progress = show_progress
) -> tuple[Float64, Float64]:
    """Return the probability to be true of each true shower, and of a generated one of the same particle.

    Args:
        truth: The true showers, every one with its incident particle.
        bundle: A surrogate.
        judge: Boosted trees on all observables.
        progress: Shows how far it is; see `calokit.progress`.

    Returns:
        Two arrays (event,).
    """
    assert isinstance(bundle.model, Surrogate)
    calculator = ObservableCalculator(truth.detector, bundle.model.threshold_mev)
    maker = FeatureMaker(calculator)
    generator = ShowerGenerator(bundle, judge.seed)
    seen: tuple[list[Float32], list[Float32]] = ([], [])
    with progress(len(truth), f"looking at what {bundle.name} misses", "showers") as advance:
        for start in range(0, len(truth), PIECE):
            showers = truth.read(start, min(start + PIECE, len(truth)))
            made = generator.draw(showers, first_block=start // 256)
            for columns, one in zip(seen, (showers, made), strict=True):
                columns.append(_table(maker, one))
            advance(len(showers))
    data, mixture = (np.concatenate(columns) for columns in seen)
    return judge.probabilities(data, mixture)


def _table(maker: FeatureMaker, showers: Showers) -> Float32:
    """Return what trees see of showers (event, k)."""
    return maker(showers.with_threshold(maker.observables.threshold)).values


def _mix(ensemble: _Ensemble, bundles: list[Bundle]) -> Bundle:
    """Return the members so far as one bundle."""
    first, settings = bundles[0], ensemble.settings
    shares = _shares(settings, len(bundles))
    mixture = MixtureSettings(member=ensemble.recipe.model, shares=shares)
    model = build_model(mixture, first.detector, seed=0)
    assert isinstance(model, MixtureSurrogate)
    for member, bundle in zip(model.each(), bundles, strict=True):
        member.load_state_dict(bundle.model.state_dict())
    recipe = ensemble.recipe.model_copy(
        update={
            "name": f"{ensemble.recipe.name}_adagan",
            "title": f"{ensemble.recipe.title}: {len(bundles)} members",
            "model": mixture,
        }
    )
    summed = {
        name: sum(bundle.provenance[name] for bundle in bundles)
        for name in ("steps", "presentations", "seconds", "cpu_seconds")
    }
    provenance = {**first.provenance, **summed, "adagan": settings.to_mapping(), "shares": list(shares)}
    return Bundle(model.eval(), recipe, first.detector, first.ranges, provenance)
