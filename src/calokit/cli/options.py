"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

Seed = Annotated[int, typer.Option(min=0, help="Decides every random draw.")]
Threads = Annotated[int, typer.Option(min=0, help="Processor threads to compute with; 0 takes all.")]
SplitName = Annotated[
    str, typer.Option(help="Which showers of the file: train, validation, test or all.", metavar="SPLIT")
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
