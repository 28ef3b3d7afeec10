"""A trained model as one file to carry away: safetensors weights with JSON metadata, nothing executable."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from calokit.bundles.legs import Leg, legs_of
from calokit.bundles.ranges import ConditionRange, describe_ranges
from calokit.bundles.tensors import read_tensors, write_tensors
from calokit.config import digest_of
from calokit.detector import Detector
from calokit.errors import BundleError, CalokitError, DetectorError, RunError
from calokit.models.families import build_model
from calokit.models.protocols import Trainable
from calokit.models.settings import FAMILIES_VARIABLE, find_family
from calokit.recipes.recipe import Recipe
from calokit.showers import ShowerFile

BUNDLE_FORMAT_VERSION = 1


@dataclass(frozen=True, repr=False)
class Bundle:
    """A trained model with everything needed to use and to judge it.

    Attributes:
        model: The surrogate or reconstruction, in evaluation mode.
        recipe: The complete recipe it was trained by.
        detector: The detector it belongs to.
        ranges: Range of each condition among its training showers.
        provenance: Data file and digest, steps, time, seed, precision, machine, versions.
        scorecard: Summary of its evaluation, or None before one is attached.
    """

    model: Trainable[Any]
    recipe: Recipe
    detector: Detector
    ranges: list[ConditionRange]
    provenance: dict[str, Any]
    scorecard: dict[str, Any] | None = None

    def __repr__(self) -> str:
        return f"Bundle({self.name} for {self.detector.name}, trained for {describe_ranges(self.ranges)})"

    @property
    def name(self) -> str:
        """The recipe's name."""
        return self.recipe.name

    @property
    def legs(self) -> list[Leg]:
        """The parts of its training, from the first weights on: one, or one for each bundle it came by."""
        return legs_of(self.recipe.to_mapping(), self.provenance)

    def with_scorecard(self, scorecard: dict[str, Any]) -> Bundle:
        """Return the bundle with another scorecard summary."""
        return replace(self, scorecard=scorecard)


def write_bundle(path: Path, bundle: Bundle) -> None:
    """Write a bundle atomically."""
    metadata = {
        "format_version": BUNDLE_FORMAT_VERSION,
        "kind": "bundle",
        "recipe": bundle.recipe.to_mapping(),
        "detector": bundle.detector.to_mapping(),
        "ranges": [vars(one) for one in bundle.ranges],
        "provenance": bundle.provenance,
        "scorecard": bundle.scorecard,
    }
    tensors = {name: tensor.detach().contiguous() for name, tensor in bundle.model.state_dict().items()}
    write_tensors(path, tensors, metadata)


def read_bundle(path: str | Path) -> Bundle:
    """Read a bundle and build its model.

    Raises:
        BundleError: The file is missing, damaged, no bundle, or of a newer format version.
    """
    path = Path(path)
    try:
        tensors, metadata = read_tensors(path)
    except RunError as error:
        raise BundleError(str(error)) from None
    if metadata.get("kind") != "bundle":
        raise BundleError(f"{path}: not a model bundle (a checkpoint?); `calokit train` writes NAME.calokit.")
    if metadata.get("format_version") != BUNDLE_FORMAT_VERSION:
        raise BundleError(
            f"{path}: bundle format version {metadata.get('format_version')!r}; this release reads "
            f"{BUNDLE_FORMAT_VERSION}. Use the release that wrote it, or train again."
        )
    _require_family(path, metadata)
    _state_what_was_not_asked(metadata)
    try:
        recipe = Recipe.from_mapping(metadata["recipe"], f"{path}, recipe")
        detector = Detector.from_mapping(metadata["detector"], f"{path}, detector")
        model = build_model(recipe.model, detector, seed=0)
        model.load_state_dict(tensors)
        ranges = [ConditionRange(**one) for one in metadata["ranges"]]
        return Bundle(model.eval(), recipe, detector, ranges, metadata["provenance"], metadata["scorecard"])
    except (CalokitError, KeyError, TypeError, RuntimeError) as error:
        raise BundleError(f"{path}: the bundle does not fit this release ({_one_line(error)}).") from None


def _require_family(path: Path, metadata: dict[str, Any]) -> None:
    """Check that the family of a bundle's model is installed here.

    Raises:
        BundleError: It is not.
    """
    try:
        kind = str(metadata["recipe"]["model"]["kind"])
    except (KeyError, TypeError):
        return  # no recipe of ours; reading it says what is wrong
    if find_family(kind) is None:
        raise BundleError(
            f"{path}: its model is of the family {kind!r}, which is not installed here. Install the package "
            f"that has it, or name its module in the environment variable {FAMILIES_VARIABLE} "
            "(PYTHONPATH says where modules stand)."
        )


def _state_what_was_not_asked(metadata: dict[str, Any]) -> None:
    """Let bundles from before `at_most_incident` draw the showers that they were shipped with."""
    model = metadata.get("recipe", {}).get("model", {})
    family = find_family(str(model.get("kind")))
    if family is not None and "at_most_incident" in family.model_fields:
        model.setdefault("at_most_incident", False)


def bundle_digest(bundle: Bundle) -> str:
    """Return a short digest of recipe and training provenance, to name the bundle in generated files."""
    return digest_of([bundle.recipe.to_mapping(), bundle.provenance])


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def check_reconstructed(bundle: Bundle, view: ShowerFile) -> None:
    """Check that a bundle can reconstruct showers.

    Raises:
        DetectorError: They are of another detector.
    """
    check_detector(bundle, view.detector, f"{view.path} holds showers", "reconstructs in")


def check_detector(bundle: Bundle, detector: Detector, what: str, does: str = "is for") -> None:
    """Check that something is of a bundle's detector.

    Args:
        bundle: The bundle.
        detector: The detector of what it shall work on.
        what: What that is, such as `FILE holds showers`, for the message.
        does: What the bundle does in its detector, for the message.

    Raises:
        DetectorError: It is of another detector.
    """
    if not detector.is_same(bundle.detector):
        raise DetectorError(
            f"bundle {bundle.name} {does} detector {bundle.detector.name!r}, and {what} of {detector.name!r}."
        )


def source_attributes(bundle: Bundle, view: ShowerFile) -> dict[str, Any]:
    """Return what a file says of the bundle that looked at showers, and of the showers."""
    return {
        "format_version": 1,
        "bundle": bundle.name,
        "bundle_digest": bundle_digest(bundle),
        "showers": view.path.name,
        "showers_sha256": view.sha256,
        "split": str(view.split),
        "detector": view.detector.name,
    }
