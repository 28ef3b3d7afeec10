"""Tasks done by several processes of this machine."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator

from calokit.engine.child import Child, ChildDied
from calokit.engine.tasks import Result, Task, Work
from calokit.errors import WorkerError
from calokit.processors import usable_processors

ATTEMPTS = 3
"""How often a task is given to a new process before it counts as failed."""


class LocalExecutor:
    """Runs tasks in child processes of this machine.

    Args:
        workers: Number of processes; 0 takes one for each processor that this process may use.

    Example:
        >>> executor = LocalExecutor(workers=2)
        >>> work = Work("calokit.engine.local:_make_squarer", {"power": 2})
        >>> sorted(r["value"] for r in executor.run(work, [{"n": n} for n in range(4)]))
        [0, 1, 4, 9]
    """

    def __init__(self, workers: int = 0) -> None:
        self.workers = workers or usable_processors()

    def run(self, work: Work, tasks: list[Task]) -> Iterator[Result]:
        """Yield the result of every task; see `calokit.engine.tasks.Executor`."""
        waiting: queue.SimpleQueue[Task] = queue.SimpleQueue()
        for task in tasks:
            waiting.put(task)
        done: queue.SimpleQueue[Result | Exception] = queue.SimpleQueue()
        crew = [_Lane(work, waiting, done) for _ in range(min(self.workers, len(tasks)))]
        try:
            for lane in crew:
                lane.start()
            for _ in tasks:
                result = done.get()
                if isinstance(result, Exception):
                    raise result
                yield result
        finally:
            for lane in crew:
                lane.stop()


class _Lane(threading.Thread):
    """Feeds one child process, and replaces it when it dies."""

    def __init__(
        self, work: Work, waiting: queue.SimpleQueue[Task], done: queue.SimpleQueue[Result | Exception]
    ) -> None:
        super().__init__(daemon=True)
        self._work, self._waiting, self._done = work, waiting, done
        self._child: Child | None = None
        self._stopped = False
        self._lock = threading.Lock()

    def run(self) -> None:
        """Do tasks until none waits."""
        try:
            while not self._stopped:
                self._done.put(self._do(self._waiting.get_nowait()))
        except queue.Empty:
            pass
        except Exception as error:  # noqa: BLE001
            if not self._stopped:
                self._done.put(error)
        self.stop()

    def stop(self) -> None:
        """End the child, also in mid-task."""
        with self._lock:
            self._stopped = True
            if self._child is not None:
                self._child.stop()
                self._child = None

    def _do(self, task: Task) -> Result:
        for attempt in range(1, ATTEMPTS + 1):
            with self._lock:
                if self._stopped:
                    raise WorkerError("stopped")
                if self._child is None:
                    self._child = Child(self._work)
                child = self._child
            try:
                return child.do(task)
            except ChildDied as death:
                with self._lock:
                    child.stop()
                    self._child = None
                if attempt == ATTEMPTS or self._stopped:
                    raise WorkerError(f"task {task} failed {attempt} times; the process {death}") from None
        raise AssertionError


def _make_squarer(settings: dict[str, int]) -> object:
    """Make a worker for the example above."""
    return lambda task: {"value": task["n"] ** settings["power"]}
