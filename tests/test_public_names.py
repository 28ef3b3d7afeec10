"""What users see by name: a change in it is a decision, made by writing the golden files anew.

`CALOKIT_WRITE_GOLDEN=1 pytest tests/test_public_names.py` writes them.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import click
import pytest
import typer
from typer.testing import CliRunner

import calokit
from calokit.cli import app

GOLDEN = Path(__file__).parent / "golden"
WRITE = bool(os.environ.get("CALOKIT_WRITE_GOLDEN"))
group = typer.main.get_command(app)
assert isinstance(group, click.Group) or hasattr(group, "commands")
COMMANDS = sorted(group.commands)  # type: ignore[attr-defined]


def public_packages() -> list[str]:
    """Return calokit and every package of it that says what it offers."""
    names = [one.name for one in walk_packages(calokit.__path__, "calokit.") if one.ispkg]
    return ["calokit", *(name for name in sorted(names) if hasattr(import_module(name), "__all__"))]


def compare(path: Path, text: str) -> None:
    if WRITE:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_names_of_public_packages() -> None:
    lines = []
    for name in public_packages():
        package = import_module(name)
        offered = sorted(package.__all__)
        assert all(hasattr(package, one) for one in offered)
        lines += [f"{name}.{one}" for one in offered]
    compare(GOLDEN / "public_names.txt", "\n".join(lines) + "\n")


def test_dir_of_calokit_is_what_it_offers() -> None:
    assert sorted(dir(calokit)) == sorted([*calokit.__all__, "__version__"])


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command(command: str) -> None:
    result = CliRunner().invoke(
        app,
        [command, "--help"],
        env={"COLUMNS": "100", "TERMINAL_WIDTH": "100", "TERM": "dumb", "NO_COLOR": "1"},
    )
    assert result.exit_code == 0
    text = "\n".join(line.rstrip() for line in result.output.splitlines()) + "\n"
    compare(GOLDEN / "help" / f"{command}.txt", text)


def test_no_golden_help_without_its_command() -> None:
    assert sorted(path.stem for path in (GOLDEN / "help").glob("*.txt")) == COMMANDS
