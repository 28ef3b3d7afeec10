"""Tasks done by the workers of a Dask cluster: on this machine, or on a batch farm through dask-jobqueue.

Each Dask worker keeps a child process for the work, so that a fatal error of Geant4 ends the child and not
the worker. Files that tasks write are carried home: no shared file system is needed. calokit must be
installed where the workers run.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calokit.engine.child import Child, ChildDied
from calokit.engine.local import ATTEMPTS
from calokit.engine.tasks import Result, Task, Work
from calokit.errors import CalokitError, ConfigurationError, WorkerError
from calokit.files import write_bytes
from calokit.processors import usable_processors

if TYPE_CHECKING:
    from distributed import Client

LOCAL = "local"
"""Instead of a scheduler's address: a cluster of processes on this machine."""

CONNECT_SECONDS = 20


class DaskExecutor:
    """Runs tasks on a Dask cluster.

    Args:
        address: The scheduler's address (such as `tcp://node:8786`), or `local`.
        workers: Processes of a local cluster; 0 takes one for each processor that this process may use.

    Raises:
        ConfigurationError: Dask is not installed; or a number of processes for a cluster that has its own.
    """

    def __init__(self, address: str, workers: int = 0) -> None:
        try:
            import distributed  # noqa: F401
        except ImportError:
            raise ConfigurationError("Dask is not installed; run pip install dask distributed.") from None
        if address != LOCAL and workers:
            raise ConfigurationError(
                f"--workers {workers}: the cluster at {address} has workers of its own; leave it out."
            )
        self.address = address
        self.workers = workers or usable_processors()

    def run(self, work: Work, tasks: list[Task]) -> Iterator[Result]:
        """Yield the result of every task; see `calokit.engine.tasks.Executor`."""
        if not tasks:
            return
        from distributed import as_completed
        from distributed.scheduler import KilledWorker

        with self.connect() as client:
            futures = client.map(_do_on_worker, [work] * len(tasks), tasks, pure=False, retries=0)
            outputs = {future.key: task.get("output") for future, task in zip(futures, tasks, strict=True)}
            completed = as_completed(futures)
            del futures  # a result is forgotten by the cluster once it is home
            for future in completed:
                try:
                    result, content = future.result()
                except KilledWorker as error:
                    raise WorkerError(f"a task killed its Dask workers again and again ({error}).") from None
                _bring_home(content, outputs[future.key])
                yield result

    @contextmanager
    def connect(self) -> Iterator[Client]:
        """Connect to the cluster, or start a local one, for as long as the block runs.

        Raises:
            ConfigurationError: No scheduler answers at the address.
        """
        from distributed import Client, LocalCluster

        if self.address == LOCAL:
            with (
                LocalCluster(
                    n_workers=self.workers, threads_per_worker=1, processes=True, dashboard_address=None
                ) as cluster,
                Client(cluster) as client,
            ):
                yield client
            return
        try:
            client = Client(self.address, timeout=CONNECT_SECONDS)
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"no Dask scheduler answers at {self.address!r} ({' '.join(str(error).split())}); "
                "give the address that it printed, such as tcp://node:8786."
            ) from None
        with client:
            yield client


def _bring_home(content: bytes | None, output: str | None) -> None:
    """Write the file of a task under the name that the task gave it."""
    if content is None or output is None:
        return
    write_bytes(Path(output), content)


_CHILDREN = threading.local()
"""The child process of each thread of this Dask worker, and the work it was made for."""


def _do_on_worker(work: Work, task: Task) -> tuple[Result, bytes | None]:
    """Do one task in this Dask worker's child process; returns its result and the bytes of its file."""
    with tempfile.TemporaryDirectory(prefix="calokit_") as folder:
        here: dict[str, Any] = dict(task)
        if "output" in task:
            here["output"] = str(Path(folder) / Path(task["output"]).name)
        result = _do_with_child(work, here)
        return result, Path(here["output"]).read_bytes() if "output" in task else None


def _do_with_child(work: Work, task: Task) -> Result:
    for attempt in range(1, ATTEMPTS + 1):
        child = _child_for(work)
        try:
            return child.do(task)
        except CalokitError:
            raise
        except ChildDied as death:
            child.stop()
            _CHILDREN.held = None
            if attempt == ATTEMPTS:
                raise WorkerError(f"task {task} failed {attempt} times; the process {death}") from None
    raise AssertionError


def _child_for(work: Work) -> Child:
    """Return this thread's child process for a work; one for another work is ended."""
    held: tuple[Work, Child] | None = getattr(_CHILDREN, "held", None)
    if held is not None and held[0] == work:
        return held[1]
    if held is not None:
        held[1].stop()
    child = Child(work)
    _CHILDREN.held = (work, child)
    return child
