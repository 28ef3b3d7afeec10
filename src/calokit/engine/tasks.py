"""The one protocol by which work is run in other processes, on this machine or elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol

Task = dict[str, Any]
"""What one task needs, as plain data that JSON can hold.

A task that writes a file names it under the key `output`; where the process runs on another machine, the
file is carried home and appears there under that name.
"""

Result = dict[str, Any]
"""What one task gives, as plain data that JSON can hold."""


class Worker(Protocol):
    """Does tasks one after the other in one process."""

    def __call__(self, task: Task) -> Result:
        """Do one task.

        Raises:
            CalokitError: A mistake of the user; it is not tried again.
        """


@dataclass(frozen=True)
class Work:
    """How a process becomes a worker.

    Attributes:
        factory: `module:function`; the function takes the settings and returns a `Worker`.
        settings: Plain data for the factory.
        environment: Environment variables that the process gets besides its own.
    """

    factory: str
    settings: dict[str, Any]
    environment: dict[str, str] = field(default_factory=dict)

    def make_worker(self) -> Worker:
        """Make a worker in this process."""
        module, _, function = self.factory.partition(":")
        worker: Worker = getattr(import_module(module), function)(self.settings)
        return worker


class Executor(Protocol):
    """Runs tasks in processes."""

    def run(self, work: Work, tasks: list[Task]) -> Iterator[Result]:
        """Yield the result of every task, in the order in which they get done.

        A process that dies is replaced and its task done again. Closing the iterator stops the processes.

        Raises:
            CalokitError: A worker met a mistake of the user.
            WorkerError: A task failed again and again.
        """
