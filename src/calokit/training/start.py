"""What a training starts from: the weights of a bundle, showers of the right detector."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from calokit.bundles.tensors import read_tensors
from calokit.detector import Detector, load_detector
from calokit.errors import DetectorError, RunError
from calokit.models.protocols import Trainable
from calokit.recipes.recipe import Recipe
from calokit.showers.files import file_sha256


def take_over(model: Trainable[Any], path: Path) -> dict[str, Any]:
    """Copy the weights and transforms of a bundle into a model, and say where they come from.

    Raises:
        RunError: The file is no bundle, or lacks a weight of the model or fits it otherwise not.
    """
    tensors, metadata = read_tensors(path)
    tensors = model.adapt_start(tensors)
    mine = model.state_dict()
    known = {name: one for name, one in tensors.items() if name in mine and one.shape == mine[name].shape}
    missing = [name for name, _ in model.named_parameters() if name not in known]
    if missing or metadata.get("kind") != "bundle":
        raise RunError(
            f"{path}: not a bundle with the weights of this recipe"
            + (f" (no {missing[0]} of that shape)." if missing else ".")
        )
    model.load_state_dict(known, strict=False)
    recipe = metadata["recipe"]
    return {
        "recipe": recipe["name"],
        "settings": recipe,
        "sha256": file_sha256(path),
        **metadata["provenance"],
    }


def check_detector(recipe: Recipe, detector: Detector) -> None:
    """Check that showers of a detector can train a recipe.

    Raises:
        ConfigurationError: The recipe's model does not fit the detector.
        DetectorError: The recipe is meant for another detector.
    """
    recipe.model.require_fit(detector)
    if recipe.detector is None:
        return
    wanted = load_detector(recipe.detector)
    if not wanted.is_same(detector):
        raise DetectorError(
            f"recipe {recipe.name!r} is meant for detector {wanted.name!r}, the showers are of "
            f"{detector.name!r}. Use other showers, or --set detector=null to train it on these all the same."
        )
