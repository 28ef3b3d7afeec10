"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from calokit.detector import Detector

Seed = Annotated[int, typer.Option(min=0, help="Decides every random draw.")]
Threads = Annotated[int, typer.Option(min=0, help="Processor threads to compute with; 0 takes all.")]
SplitName = Annotated[
    str, typer.Option(help="Which showers of the file: train, validation, test or all.", metavar="SPLIT")
]
DetectorName = Annotated[
    str | None,
    typer.Option(
        "--detector", help="The detector (name or YAML file), for showers that name none.", metavar="NAME"
    ),
]
Output = Annotated[Path, typer.Option("--output", "-o", help="Where to write.")]


def make_console() -> Console:
    """Return the console; where the output is no terminal, tables get 100 columns."""
    console = Console(highlight=False, soft_wrap=True)
    return console if console.is_terminal else Console(highlight=False, soft_wrap=True, width=100)


def use_threads(threads: int) -> None:
    """Let torch compute with that many threads (0: one for each processor this process may use)."""
    import os

    import torch

    torch.set_num_threads(threads or len(os.sched_getaffinity(0)))


def named_detector(name: str | None) -> Detector | None:
    """Return the detector that an option names, if it does."""
    from calokit.detector import load_detector

    return None if name is None else load_detector(name)
