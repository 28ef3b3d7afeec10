"""The scorecard: every figure of one comparison, each beside its floor and its error, as plain data."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, Self

from pydantic import Field, model_validator

from calokit.config import Description
from calokit.detector import Detector
from calokit.errors import CalokitError
from calokit.files import say_no_file

SCORECARD_FORMAT_VERSION = 1


class Sample(Description):
    """One side of the comparison: where its showers came from and how many were used."""

    label: str
    """Short name for tables and legends, such as `Geant4` or `zdc_flow`."""
    path: str = ""
    sha256: str = ""
    split: str = "all"
    showers: int
    generator: str = ""
    milliseconds_per_shower: float | None = None
    """Generation time as the file states it, with its machine in `timing_note`."""
    timing_note: str = ""


class Measured(Protocol):
    """A value with its statistical error."""

    @property
    def value(self) -> float:
        """The value."""

    @property
    def error(self) -> float:
        """Its standard error."""


MaybeNumber = Annotated[float, Field(allow_inf_nan=True)]
"""A number, or NaN where the showers give none; a scorecard holds numbers alone."""


class Measurement(Description):
    """One number about the pair, beside the same number for truth against truth."""

    name: str
    """Key, such as `classifier.auc_low`."""
    title: str
    """Words for a table, such as `classifier AUC, cells`."""
    value: MaybeNumber
    error: MaybeNumber
    floor: MaybeNumber
    floor_error: MaybeNumber
    unit: str = ""
    direction: Literal["lower", "higher"] = "lower"
    """Whether a smaller or a larger value means more alike."""
    showers_per_class: int = 0
    note: str = ""
    topic: str = ""
    """Which page of a report it belongs on (`report/topics.py`)."""

    reason: str = ""
    """Why there is no number, where there is none."""

    @classmethod
    def of(
        cls,
        topic: str,
        name: str,
        title: str,
        value: Measured,
        floor: Measured,
        showers: int,
        *,
        unit: str = "",
        note: str = "",
        direction: Literal["lower", "higher"] = "lower",
        reason: str = "",
    ) -> Measurement:
        """Return a measurement from what was measured of the generated sample and of the floor.

        Args:
            topic: Page of a report that it belongs on.
            name: Key.
            title: Words for a table.
            value: Of the generated sample, with its error.
            floor: Of truth against truth, with its error.
            showers: Showers a class.
            unit: Of value and floor.
            note: What a reader should know.
            direction: Whether a smaller or a larger value means more alike.
            reason: Why there is no number, where there is none.
        """
        return cls(
            name=name,
            title=title,
            value=value.value,
            error=value.error,
            floor=floor.value,
            floor_error=floor.error,
            unit=unit,
            direction=direction,
            showers_per_class=showers,
            note=note,
            topic=topic,
            reason=reason,
        )

    @property
    def lacks(self) -> str | None:
        """What the showers give no number for, in words; None for a measurement that has all of them."""
        sides = {
            "the generated showers": (self.value, self.error),
            "the floor": (self.floor, self.floor_error),
        }
        for side, (value, error) in sides.items():
            if not math.isfinite(value):
                return f"{side} give no number" if side.endswith("s") else f"{side} gives no number"
            if not math.isfinite(error):
                return f"too few showers for an error of {side}"
        return None

    @property
    def deviation(self) -> float:
        """Distance from the floor in standard errors, positive where the pair is worse than the floor."""
        spread = (self.error**2 + self.floor_error**2) ** 0.5
        if spread == 0.0:
            return 0.0
        return float((self.value - self.floor) / spread * (1.0 if self.direction == "lower" else -1.0))


class Curve(Description):
    """A quantity in bins of another, for the reference, the generated and (where known) the floor."""

    name: str
    title: str
    x_label: str
    y_label: str
    log_x: bool = False
    log_y: bool = False
    """Whether its tails matter, so that the second axis is logarithmic."""
    edges: list[float]
    """Bin edges, one more than there are values."""
    reference: list[float | None]
    reference_error: list[float | None]
    generated: list[float | None]
    generated_error: list[float | None]
    floor: list[float | None] = []
    floor_error: list[float | None] = []
    topic: str = ""


class Spectrum(Description):
    """A distribution of one observable, as densities in common bins."""

    name: str
    title: str
    x_label: str
    log_x: bool = False
    log_y: bool = False
    edges: list[float]
    reference: list[float]
    reference_error: list[float]
    generated: list[float]
    generated_error: list[float]
    separation: float
    separation_error: float
    separation_floor: float
    separation_floor_error: float
    topic: str = ""


class ImagePair(Description):
    """A mean image of one readout layer (or of all, summed) for both sides; MeV a cell."""

    name: str
    title: str
    row_label: str = "x (mm)"
    column_label: str = "y (mm)"
    row_edges: list[float]
    column_edges: list[float]
    reference: list[list[float]]
    generated: list[list[float]]
    ratio_error: list[list[float | None]]
    """Statistical error of generated / reference; None where the reference cell is empty."""
    topic: str = ""


class EventPair(Description):
    """One incident particle with the reference's shower and the generated one, summed over layers."""

    incident_energy_gev: float
    position_mm: list[float] | None = None
    row_edges: list[float]
    column_edges: list[float]
    reference: list[list[float]]
    generated: list[list[float]]


class ShowerHits(Description):
    """The hit cells of one shower, the hottest first; of a shower with very many, the hottest ones."""

    cells: list[int]
    """Flat numbers of the cells, in the order of the shower files."""
    energies_mev: list[float]
    hits: int
    """Hits of the whole shower, listed or not."""
    energy_mev: float
    """Energy of the whole shower in its hits."""


class EventHits(Description):
    """One incident particle with the hit cells of the reference's shower and of the generated one."""

    incident_energy_gev: float
    position_mm: list[float] | None = None
    """Where it enters the front face, x and y."""
    direction: list[float] | None = None
    """Unit vector of its flight, x, y and z (into the detector)."""
    reference: ShowerHits
    generated: ShowerHits


class Alarm(Description):
    """Something about single generated showers that alone forbids to trust the sample."""

    kind: Literal["impossible", "copied"]
    """`impossible`: more energy than came in; `copied`: showers of the truth."""
    text: str
    """What was found, a clause that names the showers."""
    showers: list[int]
    """Positions in the file of the first ones."""
    count: int
    """How many there are."""


class Unmeasured(Description):
    """A measurement that these showers do not allow."""

    name: str
    """Key of the measurement."""
    title: str
    reason: str
    """Why there is no number, a clause."""


def sort_out(measurements: Sequence[Measurement]) -> tuple[list[Measurement], list[Unmeasured]]:
    """Return the measurements that have numbers, and the others with the reason why they have none."""
    measured = [one for one in measurements if not one.lacks]
    lacking = [
        Unmeasured(
            name=one.name,
            title=one.title,
            reason=one.reason or f"{one.lacks} ({one.showers_per_class} showers)",
        )
        for one in measurements
        if one.lacks
    ]
    return measured, lacking


class Verdict(Description):
    """Whether anything lies farther from its floor than chance explains, all measurements together."""

    agrees: bool
    """Nothing is flagged: so many showers cannot tell the samples apart by these measurements."""
    family_wise_rate: float
    """Chance that showers of one law get anything flagged."""
    tested: int
    """How many measurements took part."""
    flagged: list[str]
    """Names of the measurements beyond chance, the farthest first."""


class Scorecard(Description):
    """Everything that one comparison of generated showers with reference showers found."""

    format_version: int = SCORECARD_FORMAT_VERSION
    detector: str
    threshold_mev: float
    threshold_origin: str = ""
    """Where the threshold comes from, in words, where nobody named it."""
    seed: int
    reference: Sample
    generated: Sample
    floor_sample: str
    """How the floor was made, in words (which truth against which, how many showers)."""
    measurements: list[Measurement]
    verdict: Verdict
    """Of the measurements that have an error."""
    headline: str = ""
    """Name of the classifier measurement with the largest area of all; empty where none was trained."""
    headline_read_out: str = ""
    """The same of those behind a readout; empty where none was asked for."""
    alarms: list[Alarm] = []
    """What alone forbids to trust the generated showers, whatever was measured."""
    unmeasured: list[Unmeasured] = []
    """What could not be measured with these showers, and why."""
    curves: list[Curve] = []
    spectra: list[Spectrum] = []
    images: list[ImagePair] = []
    events: list[EventPair] = []
    hits: list[EventHits] = []
    """The hits of a few matched incidents, for a display in space."""
    detector_description: Detector | None = None
    """The whole description of the detector, so that its cells can be drawn from the scorecard alone."""
    settings: dict[str, Any] = {}
    """What the comparison was made with, by the names of `EvaluationSettings`."""
    warnings: list[str] = []

    @model_validator(mode="after")
    def _check_numbers(self) -> Self:
        """Refuse a measurement without a number."""
        for measurement in self.measurements:
            if measurement.lacks:
                raise CalokitError(f"measurement {measurement.name!r}: {measurement.lacks}.")
        return self

    def measurement(self, name: str) -> Measurement:
        """Return the measurement of that name.

        Raises:
            CalokitError: The scorecard has none of that name.
        """
        for measurement in self.measurements:
            if measurement.name == name:
                return measurement
        known = ", ".join(m.name for m in self.measurements)
        raise CalokitError(f"the scorecard has no measurement {name!r}; it has: {known}")

    def to_json(self) -> str:
        """Return the scorecard as JSON text; `read_scorecard` reads it back."""
        return json.dumps(self.to_mapping(), allow_nan=False)


def find_headline(measurements: Sequence[Measurement], prefixes: tuple[str, ...]) -> str:
    """Return the name of the measurement with the largest value; empty where there is none.

    Args:
        measurements: Those of a scorecard.
        prefixes: Beginnings of the names that take part.
    """
    areas = [m for m in measurements if m.name.startswith(prefixes)]
    return max(areas, key=lambda m: m.value).name if areas else ""


def read_scorecard(path: Path) -> Scorecard:
    """Read a scorecard from its JSON file.

    Raises:
        CalokitError: The file is missing or a folder, is not JSON, or is of another format version.
    """
    if path.is_dir():
        raise CalokitError(say_no_file(path))
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CalokitError(f"{path}: no such file; `calokit evaluate` writes it.") from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise CalokitError(f"{path}: not a scorecard (not JSON).") from None
    if isinstance(content, dict) and content.get("format_version") != SCORECARD_FORMAT_VERSION:
        raise CalokitError(
            f"{path}: scorecard format version {content.get('format_version')!r}, "
            f"this release reads {SCORECARD_FORMAT_VERSION}; run `calokit evaluate` again."
        )
    return Scorecard.from_mapping(content, str(path))
