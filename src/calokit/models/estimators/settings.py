"""Settings of the reconstruction networks."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from calokit.config import Description
from calokit.detector import Detector
from calokit.models.settings import ModelSettings, lacks_one_cartesian_section

EnergyLossName = Literal[
    "mae",
    "mse",
    "norm_mae",
    "snorm_mae",
    "norm_mse",
    "snorm_mse",
    "norm_rms",
    "snorm_rms",
    "huber",
    "norm_huber",
    "snorm_huber",
]


Target = Literal["energy", "place"]


DEPTHS = 4
"""Groups of layers in which the network for several particles tells a row's mean y."""
FEWEST_CELLS = 8
"""Cells on each axis that three halvings need."""


class EstimatorSettings(ModelSettings):
    """What every reconstruction network needs."""

    def misfit(self, detector: Detector) -> str | None:
        """Return what a detector lacks: one section with rows and columns, its layers at known depths."""
        missing = lacks_one_cartesian_section(detector)
        if missing is None and np.isnan(detector.sensitive_z).any():
            return "the depths of sensitive layers, which follow from the slabs of the detector"
        return missing


class HitNetworkSettings(EstimatorSettings):
    """Settings that every network on hits has."""

    targets: tuple[Target, ...] = ("energy",)
    """`energy`; `place` is impact and direction. One of them, or both by one shared network."""
    width: int = Field(64, ge=4)
    """Width of the network on each hit."""
    hit_layers: int = Field(2, ge=1)
    """Hidden layers of the network on each hit."""
    channels: int = Field(8, ge=1)
    """Numbers summed by layer."""
    head_width: int = Field(32, ge=4)
    dropout: float = Field(0.1, ge=0, lt=1)
    """On the sums by layer, while training."""
    mirror: bool = True
    """Show every shower in a random one of its mirror images."""
    members: int = Field(1, ge=1)
    """Networks whose estimates are averaged; they differ in their initial weights."""
    loss: EnergyLossName = "snorm_mse"
    huber_delta: float = Field(1.0, gt=0)
    place_weights: tuple[float, float] = (1.0, 1.0)
    """Weights of the losses of impact and angle, each in units of its classical error."""


class HitsSettings(HitNetworkSettings):
    """Settings of the network on hits."""

    model: ClassVar[str] = "calokit.models.estimators.hits:HitsReconstructor"
    kind: Literal["hits"] = "hits"


class CountingSettings(HitNetworkSettings):
    """Settings of the network that learns charged entries beside its targets."""

    model: ClassVar[str] = "calokit.models.estimators.counting:CountingReconstructor"
    kind: Literal["counting_hits"] = "counting_hits"
    layer_channels: int = Field(0, ge=0)
    """Numbers a layer that are exchanged between hits; 0 exchanges nothing."""
    mixing_width: int = Field(32, ge=4)
    """Width of the network that mixes the layers."""
    mixing_dropout: float = Field(0.3, ge=0, lt=1)
    """On what it mixes, while training: it sees whole showers, and learns those of the training by heart."""
    entries_weight: float = Field(1.0, ge=0)
    """Weight of the loss of the entries; 0 learns from the targets alone and needs no entries."""
    teacher_weight: float = Field(0.0, ge=0, le=1)
    """Where the energy is aimed at between the true one (0) and the teacher's (1), if entries are learned."""


class LayerDropout(Description):
    """Probability of dropping each output of one layer while training.

    Attributes:
        convolutions: Of the three convolution blocks.
        dense: Of the hidden dense layers; missing ones drop nothing.
        whole_channels: Drop whole channels of the convolutions (spatial dropout) instead of single cells.
    """

    convolutions: tuple[float, float, float] = (0.0, 0.0, 0.0)
    dense: tuple[float, ...] = ()
    whole_channels: bool = False


class VoxelTrunkSettings(EstimatorSettings):
    """Settings of convolutions and dense layers."""

    channels: tuple[int, int, int] = (32, 32, 16)
    dense: tuple[int, ...] = Field((64, 32, 16), min_length=1)
    activation: Literal["relu", "sigmoid"] = "relu"
    """The report's figure says sigmoid, its code uses ReLU."""
    normalise: bool = True
    """Batch normalisation after each convolution, before its activation."""
    window_rows: int | None = Field(None, ge=FEWEST_CELLS)
    """Look at so many rows in the middle only, for speed; null takes all."""
    convolution_l2: float = Field(0.0, ge=0)
    dense_l1: float = Field(0.0, ge=0)
    dense_l2: float = Field(0.0, ge=0)
    """Penalties lambda x sum |w| and lambda x sum w^2 on the weights, added to the loss (Keras's form)."""
    dropout: LayerDropout = LayerDropout()
    mirror: bool = False
    """Show every shower in a random one of its mirror images (not done in the report)."""

    def misfit(self, detector: Detector) -> str | None:
        """Return what a detector lacks: at least 8 cells on each axis, and the rows of the window."""
        missing = super().misfit(detector)
        if missing is not None:
            return missing
        if min(detector.shape) < FEWEST_CELLS:
            return f"at least {FEWEST_CELLS} cells on each axis"
        if detector.shape[1] < (self.window_rows or 0):
            return f"the {self.window_rows} rows of model.window_rows"
        return None


class VoxelSettings(VoxelTrunkSettings):
    """Settings of the report's energy network and its variants."""

    model: ClassVar[str] = "calokit.models.estimators.voxel_energy:VoxelReconstructor"
    kind: Literal["voxels"] = "voxels"
    inputs: Literal["both", "energy", "geometry"] = "both"
    """Cells and classical energy; `energy`: dense layers on the layers' sums; `geometry`: the cells alone."""
    loss: EnergyLossName = "snorm_mse"
    huber_delta: float = Field(1.0, gt=0)
    """In the units of the loss's error (0.1 GeV)."""


class VoxelPlaceSettings(VoxelTrunkSettings):
    """Settings of the report's position and angle network and its variants."""

    model: ClassVar[str] = "calokit.models.estimators.voxel_place:VoxelPlaceReconstructor"
    kind: Literal["voxels_place"] = "voxels_place"
    channels: tuple[int, int, int] = (16, 32, 64)
    normalise: bool = False
    shared: bool = False
    """Estimate the energy too, with the same layers: what is added to the classical one, over its root."""
    place_weights: tuple[float, float] = (1.0, 1.0)
    """Weights of the losses of impact and angle, each in standard deviations of the target."""
    whole_numbers: bool = False
    """Cut the targets to whole millimetres and degrees, as the report's code did; to compare only."""


class ParticlesSettings(EstimatorSettings):
    """Settings of the network for several particles."""

    model: ClassVar[str] = "calokit.models.estimators.particles:ParticlesReconstructor"
    kind: Literal["particles"] = "particles"
    most: int = Field(4, ge=1)
    """Most particles that an event can have."""
    channels: int = Field(32, ge=4)
    blocks: int = Field(3, ge=1)
    """Residual blocks of two convolutions along the rows; each reaches twice as far as the one before."""
    presence_weight: float = Field(1.0, gt=0)
    mirror: bool = True

    def misfit(self, detector: Detector) -> str | None:
        """Return what a detector lacks: layers in groups of four."""
        missing = super().misfit(detector)
        if missing is None and detector.shape[0] % DEPTHS:
            return f"a number of layers that can be divided by {DEPTHS}"
        return missing
