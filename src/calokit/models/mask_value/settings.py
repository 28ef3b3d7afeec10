"""Settings of the mask + value families."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from calokit.detector import Detector
from calokit.models.settings import Condition, ModelSettings, lacks_one_cartesian_section

LEAST_CELLS = 8
"""Rows and columns that an image has at least: the discriminator halves it twice."""

Normalisation = Literal["incident", "largest", "log", "gev"]
"""Over the incident energy, over the largest cell of the training sample, as logarithm, or in GeV (none).

The reports (seeds document 000) saw a gain from normalising and do not say how it was done."""


LayerList = Literal["default", "extended_2"]


Gate = Literal["threshold", "probability", "draw"]


class MaskValueSettings(ModelSettings):
    """What every family built on the mask + value network can be told."""

    conditions: tuple[Condition, ...] = ("energy", "position")
    """`("energy",)` is the report's input; an impact lets the network follow displaced showers."""
    layers: LayerList = "default"
    hidden_dim: int = Field(32, ge=4)
    head_kernel: Literal[1, 3] = 1
    """Kernel of the last convolutions, which make mask and value."""
    threshold_mev: float = Field(0.1, gt=0)
    """A cell above it is hit, MeV."""
    normalisation: Normalisation = "incident"
    value_loss: Literal["squared", "absolute", "huber"] = "squared"
    value_cells: Literal["hit", "all"] = "hit"
    """Whether empty cells have a value (zero) to be learned."""
    mask_weight: float = Field(1.0, ge=0)
    value_weight: float = Field(200.0, ge=0)
    """Weight of the value loss beside the mask loss; the report tried 1, 200, 500 and 1000 and kept 200."""
    energy_penalty: float = Field(0.0, ge=0)
    """Weight of a term for the visible energy that counts more for particles of high energy."""
    gate: Gate = "draw"
    """How the mask enters a generated shower: hit where likelier than not, as a factor, or drawn."""
    at_most_incident: bool = True
    """Whether a shower of more energy than its particle's is scaled down to it (early bundles do not)."""

    def misfit(self, detector: Detector) -> str | None:
        """Return what a detector lacks: one layer of cells in rows and columns."""
        missing = lacks_one_cartesian_section(detector)
        if missing is None and (detector.shape[0] != 1 or min(detector.shape[1:]) < LEAST_CELLS):
            return f"one layer of at least {LEAST_CELLS} x {LEAST_CELLS} cells"
        return missing


class RegressionSettings(MaskValueSettings):
    """Settings of the mask + value regression."""

    model: ClassVar[str] = "calokit.models.mask_value.regression:RegressionSurrogate"
    kind: Literal["regression"] = "regression"
    noise_width: float = Field(0.0, ge=0)
    """Width of the normal noise added to a generated value, in the unit of the values; training has none."""


class SectionsSettings(ModelSettings):
    """Settings of the mask + value network for several sections."""

    model: ClassVar[str] = "calokit.models.mask_value.sections:SectionsSurrogate"
    kind: Literal["sections"] = "sections"
    conditions: tuple[Condition, ...] = ("energy", "position", "direction")
    threshold_mev: float = Field(0.03, gt=0)
    """A cell above it is hit, MeV."""
    trunk_width: int = Field(256, ge=8)
    trunk_layers: int = Field(2, ge=1)
    channels: int = Field(32, ge=4)
    blocks: int = Field(2, ge=1)
    summary_width: int = Field(128, ge=8)
    summary_layers: int = Field(3, ge=1)
    mask_weight: float = Field(1.0, ge=0)
    value_weight: float = Field(1.0, ge=0)
    sum_weight: float = Field(0.1, ge=0)
    """Weight of the squared relative error of each section's energy."""
    at_most_incident: bool = True
    """Whether a shower of more energy than its particle's is scaled down to it (early bundles do not)."""

    def misfit(self, detector: Detector) -> str | None:
        """Return what a detector lacks: sections of an even number of rows and columns."""
        readouts = [section.readout for section in detector.sections]
        if any(readout.kind != "cartesian" for readout in readouts):
            return "sections with rows and columns"
        if any(count % 2 for readout in readouts for count in readout.layer_shape or ()):
            return "an even number of rows and of columns in every section, which it folds 2 x 2"
        return None
