"""The command line: a thin face on calls that a notebook can make too."""

from __future__ import annotations

import sys
import warnings
from typing import Annotated, Any

import typer
from rich.console import Console

from calokit.cli.adagan import adagan
from calokit.cli.calibrate import calibrate
from calokit.cli.convert import convert
from calokit.cli.demo import demo
from calokit.cli.detectors import detectors
from calokit.cli.digitise import digitise
from calokit.cli.evaluate import evaluate
from calokit.cli.generate import generate
from calokit.cli.geometry import geometry
from calokit.cli.inspect import inspect
from calokit.cli.join import join
from calokit.cli.likelihood import likelihood
from calokit.cli.options import accept_any_encoding
from calokit.cli.recipes import recipes
from calokit.cli.reconstruct import reconstruct
from calokit.cli.regroup import regroup
from calokit.cli.simulate import samples, simulate
from calokit.cli.study import study
from calokit.cli.train import train
from calokit.compute.threads import sleep_while_waiting
from calokit.errors import CalokitError

app = typer.Typer(
    name="calokit",
    help="Calorimeter showers: describe, read, train, generate, and judge with numbers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (
    detectors,
    geometry,
    samples,
    simulate,
    digitise,
    regroup,
    convert,
    join,
    inspect,
    recipes,
    train,
    adagan,
    generate,
    calibrate,
    reconstruct,
    likelihood,
    evaluate,
    study,
    demo,
):
    app.command()(command)


_INTERRUPTED = 130
_START_AGAIN = "nothing half done was written; run the same command again."
_GO_ON = "what was finished is kept; the same command goes on."
_WAYS_ON = {
    "train": "the training is kept up to its last checkpoint; the same command with --resume goes on "
    "(without it, where the training had not begun).",
    **dict.fromkeys(("simulate", "adagan", "study", "demo"), _GO_ON),
}
"""What an interrupted command says, where the same work can go on."""


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"calokit {version('calokit')}")
        raise typer.Exit


@app.callback()
def start(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Begin a command."""


def main() -> None:
    """Run the command line; a user's mistake ends with one line and exit code 2."""
    sleep_while_waiting()
    accept_any_encoding()
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    try:
        app()
    except CalokitError as error:
        _complain("error", str(error))
        sys.exit(2)
    except KeyboardInterrupt:
        _complain("interrupted", _tell_way_on())
        sys.exit(_INTERRUPTED)
    except SystemExit as leaving:
        # Typer makes this code of Ctrl-C, without a word.
        if leaving.code == _INTERRUPTED:
            _complain("interrupted", _tell_way_on())
        raise


def _tell_way_on() -> str:
    command = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    return _WAYS_ON.get(command, _START_AGAIN)


def _show_warning(message: Warning | str, *_details: Any) -> None:
    _complain("warning", str(message))


def _complain(kind: str, text: str) -> None:
    Console(stderr=True, soft_wrap=True, highlight=False, markup=False).print(
        f"calokit: {kind}: {text}", style={"error": "bold red"}.get(kind, "yellow")
    )
