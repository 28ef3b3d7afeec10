"""How many processor threads compute, and that those that wait sleep."""

from __future__ import annotations

import os

from calokit.processors import free_processors


def sleep_while_waiting() -> None:
    """Let OpenMP's waiting threads sleep; must be called before torch is loaded.

    They spin otherwise, on processors that other programs want: two of them on two busy processors take a
    hundred times as long. What the user has set stays.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def use_threads(threads: int) -> int:
    """Let this process, and what it starts, compute with so many threads; return how many.

    Args:
        threads: 0 takes as many as there are free processors now.
    """
    import torch
    from threadpoolctl import threadpool_limits

    chosen = threads or free_processors()
    os.environ["OMP_NUM_THREADS"] = str(chosen)  # libraries that are loaded later, and child processes
    threadpool_limits(chosen)
    torch.set_num_threads(chosen)
    return chosen
