"""Whose cells the showers of a file are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from calokit.detector import Detector, list_detectors, load_detector
from calokit.errors import ConfigurationError, DetectorError, ShowerFileError

DETECTORS_BY_CELLS = {
    368: "calochallenge_1_photons",
    533: "calochallenge_1_pions",
    6480: "par04_siw",
    40500: "par04_siw_fine",
}
"""The detector of each data set of the CaloChallenge, by its number of cells."""


def find_detector(
    path: Path, attributes: dict[str, Any], cells: int, given: Detector | None, like: Detector | None
) -> Detector:
    """Return the detector of a file's showers.

    That is the one the file names; else the given one; else that of other showers, if it has as many cells;
    else the data set of the CaloChallenge with as many cells.

    Args:
        path: The file, for messages.
        attributes: Its attributes.
        cells: Its number of cells a shower.
        given: What the user names.
        like: The detector of showers that these are compared with, or that made them.

    Raises:
        DetectorError: The file names another detector than the user, or none and its cells tell none.
        ShowerFileError: The file's own description of its detector is damaged.
    """
    name = attributes.get("detector")
    if given is not None:
        if name is not None and name != given.name:
            raise DetectorError(f"{path}: showers of detector {name!r}, but {given.name!r} was asked for.")
        if "detector_description" in attributes:
            described = _read_description(path, attributes["detector_description"])
            if not given.is_same(described):
                raise DetectorError(
                    f"{path} describes its detector {name!r} otherwise than the one asked for; leave "
                    "that out to take the file's own."
                )
        return given
    if "detector_description" in attributes:
        return _read_description(path, attributes["detector_description"])
    if name is not None:
        return load_detector(str(name))
    if like is not None and like.number_of_cells == cells:
        return like
    if cells in DETECTORS_BY_CELLS:
        return load_detector(DETECTORS_BY_CELLS[cells])
    known = ", ".join(f"{load_detector(one).number_of_cells} {one}" for one in list_detectors())
    beside = "" if like is None else f" nor those of {like.name!r} ({like.number_of_cells})"
    raise DetectorError(
        f"{path}: the file does not say which detector it belongs to, and its {cells} cells are those of no "
        f"data set of the CaloChallenge{beside}. Say it with --detector NAME or FILE.yaml, or "
        f"open_showers(path, detector=...); cells of the known ones: {known}."
    )


def _read_description(path: Path, text: str) -> Detector:
    """Return the detector that a file describes."""
    try:
        description = json.loads(text)
    except json.JSONDecodeError:
        raise ShowerFileError(f"{path}: attribute detector_description is not JSON.") from None
    try:
        return Detector.from_mapping(description, f"{path}, attribute detector_description")
    except ConfigurationError as error:
        raise ShowerFileError(str(error)) from None
