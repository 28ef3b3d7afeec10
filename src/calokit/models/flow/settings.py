"""Settings of the two-stage flow."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from calokit.detector import Detector
from calokit.models.parts.steps import uniform_times
from calokit.models.settings import Condition, ModelSettings, lacks_one_cartesian_section


class FlowSettings(ModelSettings):
    """Settings of the two-stage flow; the defaults are the small ZDC network."""

    model: ClassVar[str] = "calokit.models.flow.surrogate:FlowSurrogate"
    kind: Literal["flow"] = "flow"
    conditions: tuple[Condition, ...] = ("energy", "position")
    threshold_mev: float = Field(0.1, gt=0)
    """Cells at or below it count as empty, MeV."""
    log_scale: float = Field(2.1, gt=0)
    """Divides ln(cell / threshold)."""
    zero_mean: float = Field(-0.6, lt=0)
    zero_width: float = Field(0.15, gt=0)
    channels: int = Field(48, ge=4)
    blocks: int = Field(3, ge=1)
    totals_width: int = Field(256, ge=8)
    totals_layers: int = Field(3, ge=1)
    totals_draws: int = Field(4, ge=1)
    """Noise draws a shower in the loss of stage 1, which is cheap."""
    totals_solver: str = "midpoint"
    totals_steps: int = Field(8, ge=1)
    solver: str = "ab2"
    match_hits: bool = True
    """Give every shower exactly the number of hits that stage 1 drew, by small hits in places of their own;
    many of those are isolated."""
    scaling: Literal["soft", "large_cells"] = "soft"
    """Which cells take up what is missing to the visible energy that stage 1 drew: all, small ones little,
    which smears lines of the spectrum; or those above 20 thresholds alone."""
    times: tuple[float, ...] = tuple(uniform_times(7))
    """Times of the cells' solver steps, from 0 to 1."""
    at_most_incident: bool = True
    """Whether a shower of more energy than its particle's is scaled down to it (early bundles do not)."""

    def misfit(self, detector: Detector) -> str | None:
        """Return what a detector lacks: one section, of an even number of rows and columns."""
        missing = lacks_one_cartesian_section(detector)
        if missing is None and (detector.shape[1] % 2 or detector.shape[2] % 2):
            return "an even number of rows and of columns, which it folds 2 x 2"
        return missing
