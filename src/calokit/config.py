"""Strict typed descriptions: unknown keys are refused with the near miss, and a digest names the content."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from calokit.errors import ConfigurationError, suggest_near_miss
from calokit.files import say_no_file


class Description(BaseModel):
    """A frozen description (of a detector, a recipe, a study): every key is known, every value typed.

    Subclasses declare fields; `from_mapping` and `from_yaml` read user input and turn a mistake into one
    `ConfigurationError` that names the key, the place and what to write instead.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, allow_inf_nan=False)

    @classmethod
    def from_mapping(cls, mapping: Any, where: str) -> Self:
        """Build the description from plain data (as YAML or JSON gives it).

        Args:
            mapping: Nested dictionaries, lists, numbers and strings.
            where: The name of the file or argument, for the message.

        Raises:
            ConfigurationError: An unknown key, a missing key or a value of the wrong kind.
        """
        if not isinstance(mapping, dict):
            raise ConfigurationError(f"{where}: expected keys and values, found {type(mapping).__name__}.")
        try:
            return cls.model_validate(mapping)
        except ValidationError as error:
            raise ConfigurationError(f"{where}: {_first_mistake(cls, mapping, error)}") from None

    @classmethod
    def from_yaml(cls, path: Path) -> Self:
        """Read the description from a YAML file.

        Raises:
            ConfigurationError: The file is missing, is not YAML, or does not fit the description.
        """
        return cls.from_mapping(read_yaml(path), str(path))

    @classmethod
    def described_by(cls, mapping: Any) -> type[Description]:  # noqa: ARG003
        """Return the class that plain data is a description of; by default this one."""
        return cls

    def to_mapping(self) -> dict[str, Any]:
        """Return plain data that `from_mapping` reads back to an equal description."""
        return self.model_dump(mode="json")

    def to_yaml(self) -> str:
        """Return the description as YAML text, keys in their declared order."""
        return yaml.safe_dump(self.to_mapping(), sort_keys=False, allow_unicode=True)

    def digest(self) -> str:
        """Return the first 16 hexadecimal digits of the SHA-256 of the content."""
        return digest_of(self.to_mapping())


def digest_of(content: Any) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of plain data, whatever its key order.

    Example:
        >>> digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})
        True
    """
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_yaml(path: Path) -> Any:
    """Read a YAML file as plain data.

    Raises:
        ConfigurationError: The file is missing or is not YAML.
    """
    if not path.is_file():
        raise ConfigurationError(say_no_file(path))
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: not readable ({error.strerror}).") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: not readable as YAML ({' '.join(str(error).split())}).") from None


def _first_mistake(cls: type[Description], mapping: Any, error: ValidationError) -> str:
    """Turn pydantic's report into one line: the key, what is wrong with it, and the near miss."""
    mistakes = error.errors()
    mistake = next((m for m in mistakes if m["type"] == "extra_forbidden"), mistakes[0])
    location, known = _follow(cls, mapping, mistake["loc"])
    key = ".".join(location) or "(top level)"
    if mistake["type"] == "extra_forbidden":
        return f"unknown key {key!r}. {suggest_near_miss(location[-1], known)}"
    if mistake["type"] == "missing":
        return f"key {key!r} is missing."
    if mistake["type"] == "unknown_kind":
        return f"{key}: {mistake['msg']}"
    if mistake["type"] == "union_tag_invalid":
        tag = str(mistake["ctx"]["tag"])
        tags = [one.strip("' ") for one in mistake["ctx"]["expected_tags"].split(",")]
        return f"{key}: no kind {tag!r}. {suggest_near_miss(tag, tags)}"
    return f"{key}: {mistake['msg']} (given: {mistake['input']!r})."


def _follow(
    cls: type[Description], mapping: Any, location: tuple[int | str, ...]
) -> tuple[list[str], set[str]]:
    """Follow pydantic's location of a mistake.

    Returns:
        The keys as the user wrote them (pydantic also names the chosen member of a union), and the keys that
        are accepted where the last one stands.
    """
    models: set[Any] = {cls}
    written: list[str] = []
    for part in location[:-1]:
        tagged = {model for model in models if _is_tag(model, part)}
        if tagged:
            models = tagged
            continue
        written.append(str(part))
        mapping = _inside(mapping, part)
        found: set[Any] = set()
        for model in models:
            field = model.model_fields.get(str(part))
            found |= _models_in(field.annotation) if field is not None else set()
        models = {model.described_by(mapping) for model in found} or models
    return [*written, *map(str, location[-1:])], {name for model in models for name in model.model_fields}


def _inside(mapping: Any, part: int | str) -> Any:
    """Return what stands under a key or at a place of plain data, or None."""
    if isinstance(mapping, dict):
        return mapping.get(part)
    return mapping[part] if isinstance(mapping, list) and isinstance(part, int) else None


def _is_tag(model: Any, part: int | str) -> bool:
    """Tell whether a part of a location is the `kind` of a description class, and not a key."""
    kind = model.model_fields.get("kind")
    return kind is not None and kind.default == part and part not in model.model_fields


def _models_in(annotation: Any) -> set[Any]:
    """Collect the description classes that stand anywhere inside a type annotation."""
    if isinstance(annotation, type) and issubclass(annotation, Description):
        return {annotation}
    return {model for argument in getattr(annotation, "__args__", ()) for model in _models_in(argument)}
