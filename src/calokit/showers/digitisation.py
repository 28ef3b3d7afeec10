"""What the readout makes of deposits: noise, a cut, steps of the converter and its end; a step of its own.

Simulated files hold what the sensitive material received. Nothing is cut there, so that one file serves every
study of noise and thresholds; this step is applied to it afterwards, as often as wanted.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from pydantic import NonNegativeFloat, PositiveFloat, model_validator

from calokit.arrays import Float32
from calokit.config import Description
from calokit.errors import ConfigurationError
from calokit.files import check_writable
from calokit.progress import Progress, show_progress
from calokit.showers.batch import Showers
from calokit.showers.files import ShowerFile
from calokit.showers.units_check import states_its_unit
from calokit.showers.writer import ShowerWriter

EVENTS_TOGETHER = 64
"""Events whose noise is drawn together; fixed, so that the same seed gives the same file."""
_STREAM = 3


class Digitisation(Description):
    """The readout of a cell: its energy is spread, noise added, the cut made, the rest rounded and limited.

    All energies are in MeV, or in MIP where `mip_mev` says what one MIP is.

    Attributes:
        noise: Standard deviation of normal noise, in every cell, hit or not.
        spread: Standard deviation of a normal factor about 1 on the energy of each cell (0.03: 3 %).
        threshold: Cells below it read nothing.
        step: Smallest difference that the converter tells; 0 does not round.
        saturation: The largest energy that is read; None has no end.
        mip_mev: Energy of a minimum ionising particle in a cell: the unit of the others.

    Example:
        >>> readout = Digitisation(threshold=0.5, mip_mev=0.09)
        >>> readout.apply(np.array([[0.04, 0.05]], np.float32), np.random.default_rng(1)).round(3).tolist()
        [[0.0, 0.05000000074505806]]
    """

    noise: NonNegativeFloat = 0.0
    spread: NonNegativeFloat = 0.0
    threshold: NonNegativeFloat = 0.0
    step: NonNegativeFloat = 0.0
    saturation: PositiveFloat | None = None
    mip_mev: PositiveFloat | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        """Refuse noise that is not cut, and a converter that ends before it begins."""
        if self.noise > 0 and self.threshold == 0:
            raise ConfigurationError(
                f"noise {self.noise:g} needs a threshold above 0 (3 to 5 times the noise is usual): without "
                "it half of all empty cells would read an energy."
            )
        if self.saturation is not None and self.saturation <= self.threshold:
            raise ConfigurationError(
                f"saturation {self.saturation:g} must lie above the threshold {self.threshold:g}."
            )
        return self

    def apply(self, energies_mev: Float32, rng: np.random.Generator) -> Float32:
        """Return what is read of deposits (event, cell) in MeV."""
        unit = self.mip_mev or 1.0
        read = energies_mev.astype(np.float64) / unit
        if self.spread > 0:
            read *= 1.0 + self.spread * rng.standard_normal(read.shape)
        if self.noise > 0:
            read += self.noise * rng.standard_normal(read.shape)
        read[read < self.threshold] = 0.0
        if self.step > 0:
            read = np.round(read / self.step) * self.step
        if self.saturation is not None:
            read = np.minimum(read, self.saturation)
        return (read * unit).astype(np.float32)


def digitise_file(
    source: ShowerFile,
    path: Path,
    digitisation: Digitisation,
    seed: int = 1,
    progress: Progress = show_progress,
) -> float:
    """Write showers as a readout would give them.

    Args:
        source: The showers.
        path: The new file; its attribute `digitisation` says what was done.
        digitisation: The readout.
        seed: Decides the noise.
        progress: Shows how far it is; see `calokit.progress`.

    Returns:
        Energy read beside energy deposited, over all showers.

    Raises:
        ConfigurationError: The showers were digitised before.
        ShowerFileError: The showers are not sane.
        OutputError: The new file cannot be written, or is the source.
    """
    check_writable(path, source.path)
    if "digitisation" in source.attributes:
        raise ConfigurationError(
            f"{source.path}: these showers were digitised before; start from the deposits."
        )
    attributes = carried_attributes(source) | {
        "digitisation": json.dumps(digitisation.to_mapping()),
        "digitisation_seed": seed,
        "digitised_from_sha256": source.sha256,
    }
    deposited = read = 0.0
    with (
        ShowerWriter(path, source.detector, source.particle, source.generator, attributes) as writer,
        progress(len(source), f"digitising {source.path.name}", "showers") as advance,
    ):
        for start in range(0, len(source), EVENTS_TOGETHER):
            showers = source.read(start, min(start + EVENTS_TOGETHER, len(source)))
            rng = np.random.default_rng(np.random.SeedSequence([seed, start, _STREAM]))
            after: Showers = replace(showers, energies=digitisation.apply(showers.energies, rng))
            writer.write(after)
            deposited += float(showers.visible_energies.sum())
            read += float(after.visible_energies.sum())
            advance(len(showers))
    return read / deposited if deposited > 0 else 1.0


CARRIED = (
    "sample",
    "sample_description",
    "seed",
    "energy_law",
    "incidence_law",
    "split",
    "threshold_mev",
    "source_format",
    "converted_from",
    "bundle",
    "bundle_digest",
    "geant4_data",
    "twins_of_sha256",
)
"""Attributes of the source that stay true."""


def carried_attributes(source: ShowerFile, *more: str) -> dict[str, Any]:
    """Return the attributes of a file that stay true of showers made of its own: `CARRIED`, and `more`.

    A file that does not say that it is in MeV leaves this open in what is made of it.
    """
    found = {key: value for key, value in source.attributes.items() if key in (*CARRIED, *more)}
    return found if states_its_unit(source) else {"source_format": "unknown"} | found
