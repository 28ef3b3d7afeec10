"""The detectors that come with calokit, and those in the user's own YAML files."""

from __future__ import annotations

import functools
from pathlib import Path

from calokit.detector.challenge_binning import read_binning
from calokit.detector.schema import Detector
from calokit.errors import DetectorError, suggest_near_miss

PRESETS = Path(__file__).parent / "presets"
"""The folder with one YAML file for each detector that comes with calokit."""


def list_detectors() -> list[str]:
    """Return the names of the detectors that come with calokit, in alphabetical order.

    Example:
        >>> "zdc_ecal" in list_detectors()
        True
    """
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def load_detector(name_or_path: str | Path) -> Detector:
    """Return a detector that comes with calokit, or the one a YAML file describes.

    Args:
        name_or_path: A name of `list_detectors()`, or the path of a file (it ends in `.yaml` or `.yml`,
            or has a folder in it); one that ends in `.xml` is a binning of the CaloChallenge.

    Raises:
        DetectorError: The name is unknown, the file is missing, or its values do not fit together.
        ConfigurationError: The file is not YAML, or has an unknown key or a value of the wrong kind.

    Example:
        >>> load_detector("luxe_ecal").shape
        (20, 110, 11)
    """
    text = str(name_or_path)
    if text in list_detectors():
        return _load_preset(text)
    path = Path(text)
    if path.suffix in {".yaml", ".yml", ".xml"} or len(path.parts) > 1:
        if not path.is_file():
            raise DetectorError(
                f"detector file {text!r} does not exist. Give the path of a detector's YAML file, or "
                f"one of the names {', '.join(list_detectors())}."
            )
        return read_binning(path) if path.suffix == ".xml" else Detector.from_yaml(path)
    raise DetectorError(
        f"unknown detector {text!r}. {suggest_near_miss(text, list_detectors())} "
        "A detector of your own is given as the path of its YAML file."
    )


def detector_yaml(name_or_path: str | Path) -> str:
    """Return a detector as YAML text to edit: a preset's own file, or all that another file says.

    Args:
        name_or_path: As for `load_detector`, which raises what this does.

    Example:
        >>> detector_yaml("zdc_ecal").splitlines()[0]
        'name: zdc_ecal'
    """
    text = str(name_or_path)
    if text in list_detectors():
        return (PRESETS / f"{text}.yaml").read_text(encoding="utf-8")
    return load_detector(name_or_path).to_yaml()


def detector_beside(name_or_path: str, folder: Path) -> str:
    """Return a detector's file that stands in a folder as its whole path; any other name as it is.

    Files that name a detector (samples, mappings, recipes, studies) mean one beside themselves.

    Args:
        name_or_path: A name of `list_detectors()`, or the path of a YAML file, seen from the folder.
        folder: The folder of the file that names the detector.
    """
    beside = folder / name_or_path
    if name_or_path in list_detectors() or not beside.is_file():
        return name_or_path
    return str(beside.resolve())


@functools.cache
def _load_preset(name: str) -> Detector:
    """Read a detector that comes with calokit, once."""
    return Detector.from_yaml(PRESETS / f"{name}.yaml")
