"""The mistakes a user can make, one class each, and the near miss that a message offers."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class CalokitError(Exception):
    """A mistake in what the user gave; its text says what was given, what was expected and what to do."""


class ConfigurationError(CalokitError):
    """A recipe, detector, sample or study description holds an unknown key or an impossible value."""


class DetectorError(CalokitError):
    """A detector is unknown, or does not fit the showers or the model it is used with."""


class ShowerFileError(CalokitError):
    """A shower file is missing, truncated, of the wrong shape, or holds values that no shower has."""


class SplitError(CalokitError):
    """Showers of one split are asked for what only another split may do (training on test showers)."""


class BundleError(CalokitError):
    """A model bundle is missing, damaged, or of a format version that this release cannot read."""


class RunError(CalokitError):
    """A training run or a study cannot be started or continued as asked."""


class SimulationError(CalokitError):
    """Geant4 or its data sets are missing, or a simulation cannot be run or continued as asked."""


class OutputError(CalokitError):
    """A file or folder cannot be written: missing, read-only, taken, or without space."""


class WorkerError(CalokitError):
    """A process that does part of a work failed again and again."""


class DataSetWarning(UserWarning):
    """Geant4's data sets are incomplete; the simulation can run, with physics that is approximate."""


class ConditionWarning(UserWarning):
    """Conditions lie outside the range a model was trained on; going on is possible, trust is not."""


class UnitWarning(UserWarning):
    """The energies of a file look as if they were in another unit than MeV."""


class ThresholdWarning(UserWarning):
    """A threshold leaves out much of the energy of the showers it is applied to."""


LEAST_LIKENESS = 0.65
"""Names less alike are no near misses; `difflib` calls ABX and ABY alike by 0.67."""


def suggest_near_miss(given: str, known: Iterable[str]) -> str:
    """Return a sentence naming the closest known names, for the end of an error message.

    Args:
        given: What the user wrote.
        known: Every name that would have been accepted.

    Returns:
        `"Did you mean 'zdc_ecal'?"` where a name is close, else the list of the known names.

    Example:
        >>> suggest_near_miss("zdc_ecla", ["zdc_ecal", "luxe_ecal"])
        "Did you mean 'zdc_ecal'?"
        >>> suggest_near_miss("G4_Wolfram", ["G4_lKr"])
        "Known: 'G4_lKr'."
    """
    names = sorted(known)
    close = difflib.get_close_matches(given, names, n=1, cutoff=LEAST_LIKENESS)
    if close:
        return f"Did you mean {close[0]!r}?"
    return "Known: " + ", ".join(repr(name) for name in names) + "."
