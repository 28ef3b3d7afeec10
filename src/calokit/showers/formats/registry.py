"""The formats that are read, and which of them a file is of."""

from __future__ import annotations

from calokit.errors import ConfigurationError, ShowerFileError, suggest_near_miss
from calokit.showers.formats.containers.contents import Contents
from calokit.showers.formats.mapping.mapping import OwnMapping
from calokit.showers.formats.readers import (
    calochallenge,
    clic,
    columns,
    edm4hep,
    hit_text,
    lhcb,
    luxe,
    point_clouds,
    showerdata,
    steps,
)
from calokit.showers.formats.source import Choices, Format

FORMATS: tuple[Format, ...] = (
    calochallenge.FORMAT,
    clic.FORMAT,
    lhcb.FORMAT,
    luxe.FORMAT,
    edm4hep.FORMAT,
    steps.FORMAT,
    showerdata.FORMAT,
    point_clouds.FORMAT,
    hit_text.FORMAT,
    columns.FORMAT,
)
"""Every format, in the order in which they are tried."""


def find_format(name: str) -> Format:
    """Return the format of that name.

    Raises:
        ConfigurationError: There is none.

    Example:
        >>> find_format("luxe").title
        'LUXE ECAL binary records, deposits in MIP'
    """
    known = {one.name: one for one in FORMATS}
    if name not in known:
        raise ConfigurationError(f"unknown format {name!r}. {suggest_near_miss(name, known)}")
    return known[name]


def recognise_format(contents: Contents, choices: Choices) -> Format:
    """Return the format that a file is of; a mapping of columns decides alone.

    Raises:
        ShowerFileError: It is of none of them.
    """
    if isinstance(choices.mapping, OwnMapping):
        return columns.FORMAT
    for one in FORMATS:
        if one.recognises(contents):
            return one
    known = ", ".join(one.name for one in FORMATS)
    raise ShowerFileError(
        f"{contents.path}: {contents.describe()}, which is none of the formats {known} (calokit convert "
        "--formats). Force one with --format NAME, or say with --mapping FILE.yaml what the columns mean."
    )
