"""What every family is described by: settings that build their model, found by their `kind`.

This file and the settings of every family load no torch: recipes can be listed and changed without it. A
settings class names its model, which is loaded only to build one. It is known by its `kind` as soon as its
file is loaded; a file outside calokit is loaded where it is installed under the entry point
`calokit.families`, or named in the environment variable CALOKIT_FAMILIES (module names, commas between).
"""

from __future__ import annotations

import os
from importlib import import_module
from importlib.metadata import entry_points
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, SerializeAsAny
from pydantic_core import PydanticCustomError

from calokit.config import Description
from calokit.detector import Detector
from calokit.detector.summary import describe_shape
from calokit.errors import ConfigurationError, suggest_near_miss

if TYPE_CHECKING:
    from calokit.models.protocols import Trainable

Condition = Literal["energy", "position", "direction"]

FAMILIES_GROUP = "calokit.families"
"""Entry points under which an installed package names modules with families and recipes."""
FAMILIES_VARIABLE = "CALOKIT_FAMILIES"
"""Environment variable that names such modules."""


class ModelSettings(Description):
    """Settings of a family; a subclass with a default for `kind` is a family that recipes can name."""

    kind: str

    model: ClassVar[str]
    """The model's class as `module:name`; it takes the settings and a detector, and is loaded to be built."""
    families: ClassVar[dict[str, type[ModelSettings]]] = {}
    """Every family that is loaded, by its kind."""

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        kind = cls.model_fields["kind"].default
        if isinstance(kind, str):
            cls.families[kind] = cls

    @classmethod
    def described_by(cls, mapping: Any) -> type[ModelSettings]:
        """Return the family that plain data is of, or this class where it says none that is known."""
        kind = mapping.get("kind") if isinstance(mapping, dict) else None
        return cls.families.get(kind, cls) if isinstance(kind, str) else cls

    def misfit(self, detector: Detector) -> str | None:  # noqa: ARG002
        """Return what such a model needs that a detector lacks, or None where it fits; by default None.

        It is asked before the model is built, and loads no torch.
        """
        return None

    def require_fit(self, detector: Detector) -> None:
        """Check that such a model can be built for a detector.

        Raises:
            ConfigurationError: It cannot.
        """
        reason = self.misfit(detector)
        if reason is not None:
            readouts = " and ".join(dict.fromkeys(one.readout.kind for one in detector.sections))
            raise ConfigurationError(
                f"a model of kind {self.kind!r} needs {reason}; detector {detector.name!r} is read out as "
                f"{describe_shape(detector)} ({readouts}). `calokit recipes --for DETECTOR` lists what fits "
                "a detector."
            )

    def build(self, detector: Detector) -> Trainable[Any]:
        """Return the untrained model for a detector; torch's global generator decides its initial weights.

        Raises:
            ConfigurationError: The model does not fit the detector.
        """
        self.require_fit(detector)
        module, _, name = self.model.partition(":")
        model: Trainable[Any] = getattr(import_module(module), name)(self, detector)
        return model


def lacks_one_cartesian_section(detector: Detector) -> str | None:
    """Return what a detector lacks of one section with rows and columns, or None where it has it."""
    sections = detector.sections
    fits = len(sections) == 1 and sections[0].readout.kind == "cartesian"
    return None if fits else "one section with rows and columns"


def find_family(kind: str) -> type[ModelSettings] | None:
    """Return the settings of a family by its kind, outside calokit too, or None where it is not installed."""
    if kind not in ModelSettings.families:
        load_families()
    return ModelSettings.families.get(kind)


def load_families() -> list[ModuleType]:
    """Load the modules outside calokit that offer families and recipes, and return them.

    Raises:
        ConfigurationError: A module that the environment names cannot be loaded.
    """
    named = [one.strip() for one in os.environ.get(FAMILIES_VARIABLE, "").split(",") if one.strip()]
    modules = [one.load() for one in entry_points(group=FAMILIES_GROUP)]
    for name in named:
        try:
            modules.append(import_module(name))
        except ImportError as error:
            raise ConfigurationError(
                f"{FAMILIES_VARIABLE} names {name!r}, which cannot be loaded ({error}). Name modules on "
                "Python's path (PYTHONPATH), with commas between."
            ) from None
    return modules


def _as_family(given: Any) -> Any:
    """Turn plain data into the settings of the family that its `kind` names."""
    if not isinstance(given, dict):
        return given
    kind = given.get("kind")
    if kind is None:
        raise PydanticCustomError("kind_missing", "key 'kind' is missing; it names the family of the model")
    family = find_family(str(kind))
    if family is None:
        hint = suggest_near_miss(str(kind), list(ModelSettings.families))
        text = f"{hint} Families outside calokit are loaded from the modules that {FAMILIES_VARIABLE} names."
        raise PydanticCustomError(
            "unknown_kind", "no kind {kind}. {hint}", {"kind": repr(kind), "hint": text}
        )
    return family.model_validate(given)


AnyModelSettings = Annotated[SerializeAsAny[ModelSettings], BeforeValidator(_as_family)]
"""The settings of any family, read from plain data by their `kind`."""
