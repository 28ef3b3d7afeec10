"""`calokit convert`: other groups' shower files into native ones."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from calokit.cli.options import lay_out, make_console, named_detector
from calokit.errors import ConfigurationError


class TargetForm(StrEnum):
    """The form of the file that is written."""

    NATIVE = "native"
    SHOWERDATA = "showerdata"
    LHCB = "lhcb"


def convert(
    source: Annotated[Path | None, typer.Argument(help="The foreign file.", metavar="IN")] = None,
    target: Annotated[Path | None, typer.Argument(help="The native file to write.", metavar="OUT")] = None,
    format_name: Annotated[
        str | None, typer.Option("--format", help="The format of IN; without it, it is recognised.")
    ] = None,
    to: Annotated[
        TargetForm,
        typer.Option(help="The form of OUT; showerdata and lhcb take a native or CaloChallenge file."),
    ] = TargetForm.NATIVE,
    formats: Annotated[bool, typer.Option("--formats", help="List the formats and end.")] = False,
    detector: Annotated[
        str | None, typer.Option(help="Whose cells the showers get: a detector's name or its YAML file.")
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option(help="YAML file: what columns mean, or how hits are put onto cells.")
    ] = None,
    energy: Annotated[
        float | None, typer.Option(help="Incident energy in GeV, for files that do not hold it.")
    ] = None,
    mev_per_mip: Annotated[
        float | None, typer.Option(help="Energy in MeV that the file means by one MIP.")
    ] = None,
    tilt: Annotated[
        float | None, typer.Option(help="Nominal angle of the beam in the plane of x and z, in degrees.")
    ] = None,
    unit: Annotated[
        str | None, typer.Option(help="Unit of the cells or hits, instead of the format's: MeV, GeV, keV ...")
    ] = None,
    energy_unit: Annotated[
        str | None, typer.Option(help="Unit of the incident energies, instead of the format's.")
    ] = None,
    insist: Annotated[
        bool, typer.Option("--insist", help="Convert even if more energy is visible than came in.")
    ] = False,
    particle: Annotated[
        str | None, typer.Option(help="The incident particle, for files that do not say it.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="What the file is meant for: train, validation or test.")
    ] = None,
) -> None:
    """Convert another group's shower file, or your own, into a native one."""
    if formats:
        _list_formats()
        return
    if source is None or target is None:
        raise ConfigurationError("calokit convert needs IN and OUT; calokit convert --formats lists formats.")
    from calokit.files import check_writable
    from calokit.showers import open_showers
    from calokit.showers.formats import (
        Choices,
        open_foreign,
        read_mapping,
        write_lhcb,
        write_native,
        write_showerdata,
    )
    from calokit.showers.particle_names import plain_particle

    if to is not TargetForm.NATIVE:
        given = {
            "format": format_name,
            "mapping": mapping,
            "energy": energy,
            "mev-per-mip": mev_per_mip,
            "tilt": tilt,
            "unit": unit,
            "energy-unit": energy_unit,
            "insist": insist or None,
            "particle": particle,
            "split": split,
        }
        ignored = ", ".join(f"--{option}" for option, value in given.items() if value is not None)
        if ignored:
            raise ConfigurationError(f"{ignored}: of files that become native ones, not of --to {to.value}.")
        view = open_showers(source, detector=named_detector(detector))
        if to is TargetForm.LHCB:
            write_lhcb(view, target)
            make_console().print(f"{len(view)} showers: {target}")
        else:
            points = write_showerdata(view, target)
            make_console().print(f"{len(view)} showers, {points} points: {target}")
        return
    for option, value in (("energy", energy), ("mev-per-mip", mev_per_mip)):
        if value is not None and not 0 < value < float("inf"):
            raise ConfigurationError(f"--{option} must be a positive number, {value:g} given.")
    check_writable(target, source, mapping)
    choices = Choices(
        named_detector(detector),
        None if mapping is None else read_mapping(mapping),
        energy,
        mev_per_mip,
        tilt,
        unit,
        energy_unit,
    )
    foreign = open_foreign(source, format_name, choices)
    particle = None if particle is None else plain_particle(particle)
    conversion = write_native(foreign, target, particle, split, insist=insist)
    console = make_console()
    console.print(lay_out(conversion.rows()))
    for warning in conversion.warnings:
        console.print(f"! {warning}", style="yellow")


def _list_formats() -> None:
    """Print the names of the formats and what they are."""
    from calokit.showers.formats import FORMATS

    table = Table("format", "what", box=None, pad_edge=False)
    for one in FORMATS:
        table.add_row(one.name, one.title)
    make_console().print(table)
