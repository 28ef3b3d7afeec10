"""Work shared out among threads: compiled loops leave the interpreter to others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import torch


def cut_rows(rows: int) -> list[slice]:
    """Return pieces of as many rows each, one for each thread.

    Example:
        >>> cut_rows(0)
        [slice(0, 0, None)]
    """
    threads = max(min(torch.get_num_threads(), rows), 1)
    ends = np.linspace(0, rows, threads + 1).astype(int).tolist()
    return [slice(start, stop) for start, stop in pairwise(ends)]


def run_all(tasks: Sequence[Callable[[], None]]) -> None:
    """Do tasks side by side, by as many threads as torch computes with."""
    threads = min(torch.get_num_threads(), len(tasks))
    if threads <= 1:
        for task in tasks:
            task()
        return
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(task) for task in tasks]:
            done.result()
