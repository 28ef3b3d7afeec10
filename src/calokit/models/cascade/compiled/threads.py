"""Rows of arrays shared out among threads: compiled loops leave the interpreter to others."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise

import numpy as np
import torch


def share_rows(work: Callable[[slice], None], rows: int) -> None:
    """Do work for all rows, by as many threads as torch computes with."""
    run_all([partial(work, piece) for piece in cut_rows(rows)])


def cut_rows(rows: int) -> list[slice]:
    """Return pieces of as many rows each, one for each thread.

    Example:
        >>> cut_rows(0)
        [slice(0, 0, None)]
    """
    threads = max(min(torch.get_num_threads(), rows), 1)
    ends = np.linspace(0, rows, threads + 1).astype(int).tolist()
    return [slice(start, stop) for start, stop in pairwise(ends)]


def run_all(tasks: list[Callable[[], None]]) -> None:
    """Do tasks side by side."""
    if len(tasks) == 1:
        tasks[0]()
        return
    with ThreadPoolExecutor(len(tasks)) as pool:
        for done in [pool.submit(task) for task in tasks]:
            done.result()
