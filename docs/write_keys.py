"""Write docs/keys.md, every key of every YAML file, from the descriptions: `python docs/write_keys.py`."""

from __future__ import annotations

import ast
import inspect
import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from calokit.config import Description
from calokit.detector import Detector
from calokit.models.settings import ModelSettings
from calokit.recipes import list_recipes
from calokit.recipes.recipe import Recipe
from calokit.showers.formats.mapping.hit_mapping import HitMapping
from calokit.showers.formats.mapping.mapping import OwnMapping
from calokit.simulation.sample import Sample
from calokit.studies.description import Study

PATH = Path(__file__).resolve().parent / "keys.md"

HEAD = """# Every key of every YAML file

Written by `python docs/write_keys.py` from the descriptions in the code. An unknown key is refused, with the
one that was probably meant. Lengths are in mm and energies in MeV unless the name says another unit. To begin
from one that works:

    calokit detectors zdc_ecal --yaml > mine.yaml
    calokit samples zdc_ecal_positrons > beam.yaml
    calokit recipes zdc_flow > recipe.yaml
"""

FILES: tuple[tuple[str, type[Description]], ...] = (
    ("Detector", Detector),
    ("Sample", Sample),
    ("Recipe", Recipe),
    ("Study", Study),
    ("Mapping of columns", OwnMapping),
    ("Mapping of hits", HitMapping),
)


def page() -> str:
    """Return the page."""
    pieces = [HEAD]
    told: set[type[Description]] = set()
    for title, top in FILES:
        pieces.append(f"\n## {title}\n")
        pieces.extend(_table(one, heading=one is not top) for one in _descriptions(top, told))
    return "".join(pieces)


def _descriptions(top: type[Description], told: set[type[Description]]) -> Iterator[type[Description]]:
    """Yield a description and all that its keys hold, each once."""
    if top in told:
        return
    told.add(top)
    yield top
    for field in top.model_fields.values():
        for inner in _named_in(field.annotation):
            yield from _descriptions(inner, told)
    if top is Recipe:
        list_recipes()  # loads every family
        for _, family in sorted(ModelSettings.families.items()):
            if family.__module__.startswith("calokit."):
                yield from _descriptions(family, told)


def _named_in(annotation: Any) -> Iterator[type[Description]]:
    """Yield the descriptions that a type is made of."""
    if inspect.isclass(annotation) and issubclass(annotation, Description):
        yield annotation
    for argument in get_args(annotation):
        yield from _named_in(argument)


def _table(one: type[Description], heading: bool) -> str:
    """Return the table of a description's keys."""
    words = inspect.cleandoc(one.__doc__ or "").split("\n\n")[0].replace("\n", " ")
    lines = [
        f"\n### {_title(one)}\n" if heading else "",
        f"\n{words}\n\n",
        "| key | is | default | |\n|---|---|---|---|\n",
    ]
    meanings = _meanings(one)
    for name, field in one.model_fields.items():
        default = (
            "must be given" if field.is_required() else _default(field.get_default(call_default_factory=True))
        )
        lines.append(f"| `{name}` | {_kind(field.annotation)} | {default} | {meanings.get(name, '')} |\n")
    return "".join(lines)


def _title(one: type[Description]) -> str:
    """Return a description's name in words, with the `kind` that chooses it."""
    kind = one.model_fields.get("kind")
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", one.__name__).capitalize()
    return words if kind is None or kind.is_required() else f"{words} (`kind: {kind.default}`)"


def _kind(annotation: Any) -> str:
    """Return a type as users write it."""
    text = (
        annotation.__name__ if inspect.isclass(annotation) and not get_args(annotation) else str(annotation)
    )
    text = re.sub(r"Annotated\[([^,\]]+)(?:, [^\]]*)?\]", r"\1", text)
    text = re.sub(r"\b(?:[a-z_]+\.)+", "", text)
    text = re.sub(r", (?:FieldInfo|Gt|Ge|Lt|Le|MinLen|Interval)\([^)]*\)+", "", text)
    text = re.sub(r"Optional\[(.*)\]$", r"\1 or null", text.replace("|", "or").replace("None", "null"))
    text = re.sub(r"tuple\[([^\[\]]*), \.\.\.\]", r"list of \1", text)
    text = re.sub(r"Literal\[([^\]]*)\]", lambda found: found[1].replace(", ", " or "), text)
    return "`" + text.replace("nullType", "null") + "`"


def _default(value: Any) -> str:
    """Return a default as it stands in YAML."""
    if isinstance(value, Description):
        return "all defaults"
    return f"`{json.dumps(value, default=lambda one: one.model_dump(mode='json'))}`"


def _meanings(one: type[Description]) -> dict[str, str]:
    """Return what is said of each key: in the class's docstring, or in the words below the field."""
    found: dict[str, str] = {}
    for base in reversed(one.__mro__):
        if inspect.isclass(base) and issubclass(base, Description) and base is not Description:
            found |= _attributes(base.__doc__ or "") | _words_below(base)
    return found


def _attributes(docstring: str) -> dict[str, str]:
    """Return the entries of a docstring's section `Attributes`."""
    _, _, after = inspect.cleandoc(docstring).partition("Attributes:\n")
    section = textwrap.dedent(after.split("\n\n")[0])
    entries = re.findall(r"^(\w+(?:, \w+)*): (.*(?:\n .*)*)", section, flags=re.MULTILINE)
    return {
        name: " ".join(text.split()).replace("|", "or")
        for names, text in entries
        for name in names.split(", ")
    }


def _words_below(base: type[Description]) -> dict[str, str]:
    """Return the strings that stand below the fields of a class."""
    body = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0]
    assert isinstance(body, ast.ClassDef)
    return {
        field.target.id: " ".join(words.value.value.split()).replace("|", "or")
        for field, words in zip(body.body, body.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(words, ast.Expr)
        and isinstance(words.value, ast.Constant)
        and isinstance(words.value.value, str)
    }


if __name__ == "__main__":
    PATH.write_text(page())
