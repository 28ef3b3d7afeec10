"""Joining reconstructions that were trained with several seeds to one bundle that averages them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from calokit.bundles.bundle import Bundle, check_reconstructed
from calokit.errors import BundleError, SplitError
from calokit.models.estimators.hit_batch import HitBatch
from calokit.models.estimators.hits import HitsReconstructor
from calokit.models.estimators.settings import HitNetworkSettings
from calokit.models.families import build_model
from calokit.showers import ShowerFile, Split

MEMBERS = "members."
"""How the weights of the members begin in a model's state; everything else they must have in common."""
CALIBRATED = ("bias_estimated", "bias_corrected", "width_energies", "width_factors")
"""Found after training, and found anew for the ensemble."""


def join_members(bundles: Sequence[Bundle], calibration: ShowerFile) -> Bundle:
    """Return one bundle whose estimates are the mean of those of several, calibrated anew.

    Args:
        bundles: Networks on hits of equal recipes but for their seeds, trained on the same file; one is
            enough where only the calibration is wanted.
        calibration: Showers that trained none of them; the statistics of the bias correction are theirs.

    Raises:
        BundleError: They are of different recipes or data, or not networks on hits.
        DetectorError: The calibration showers are of another detector.
        SplitError: The calibration showers are some that trained, or are meant for tests.
    """
    first = bundles[0]
    _check_calibration(first, calibration)
    settings = first.recipe.model
    if not isinstance(settings, HitNetworkSettings):
        raise BundleError(f"bundle {first.name}: only networks on hits can be joined.")
    for other in bundles[1:]:
        if _without_seed(other) != _without_seed(first):
            raise BundleError(f"bundle {other.name} was trained by another recipe or on other showers.")
    joined = settings.model_copy(update={"members": sum(_members(one) for one in bundles)})
    model = build_model(joined, first.detector, seed=0)
    assert isinstance(model, HitsReconstructor)
    own = first.model.state_dict()
    common = {name: tensor for name, tensor in own.items() if not name.startswith(MEMBERS)}
    state = dict(common)
    number = 0
    for one in bundles:
        known = one.model.state_dict()
        for name, tensor in common.items():
            if name not in CALIBRATED and not torch.equal(known[name], tensor):
                raise BundleError(f"bundle {one.name} has other transforms ({name}) than the first.")
        for member in range(_members(one)):
            mine = f"{MEMBERS}{member}."
            state |= {
                f"{MEMBERS}{number}.{name.removeprefix(mine)}": tensor
                for name, tensor in known.items()
                if name.startswith(mine)
            }
            number += 1
    model.load_state_dict(state)
    model.eval()
    model.bias_corrected.zero_()
    model.calibrate_on(HitBatch.join([model.prepare(showers) for showers in calibration.chunks()]))
    recipe = first.recipe.model_copy(update={"model": joined})
    provenance = {
        **first.provenance,
        "calibration": {
            "data_file": calibration.path.name,
            "data_sha256": calibration.sha256,
            "data_showers": len(calibration),
        },
        "members": [member for one in bundles for member in _described(one)],
        **{
            key: sum(one.provenance[key] for one in bundles)
            for key in ("seconds", "cpu_seconds", "presentations")
        },
    }
    return Bundle(model, recipe, first.detector, first.ranges, provenance)


def _check_calibration(bundle: Bundle, view: ShowerFile) -> None:
    """Refuse showers of another detector, of the training split, or meant for tests."""
    check_reconstructed(bundle, view)
    same = view.sha256 == bundle.provenance["data_sha256"]
    for_tests = Split.TEST in (view.meant_for, view.split)
    if for_tests or (same and view.split is not Split.VALIDATION):
        raise SplitError(
            f"{view.path}, split {view.split}: a calibration needs showers that neither trained nor will "
            "judge. Simulate some with another seed, or take the split 'validation' of the training file."
        )


def _members(bundle: Bundle) -> int:
    settings = bundle.recipe.model
    return settings.members if isinstance(settings, HitNetworkSettings) else 0


def _described(bundle: Bundle) -> list[dict[str, Any]]:
    """Return seed and validation losses of each network of a bundle."""
    own = {"seed": bundle.recipe.training.seed, "validation": bundle.provenance["validation"]}
    known: list[dict[str, Any]] = bundle.provenance.get("members", [own])
    return known


def _without_seed(bundle: Bundle) -> tuple[object, object]:
    recipe = bundle.recipe
    training = recipe.training.model_copy(update={"seed": 0})
    return recipe.model_copy(update={"training": training}), bundle.provenance["data_sha256"]
