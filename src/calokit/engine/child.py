"""A child process that does tasks: one JSON line in for each task, one JSON line out for each result.

What a task prints goes to standard error, so that nothing disturbs the lines. A crash of the child (Geant4
aborts the whole process on a fatal error) leaves the parent alive.
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import subprocess
import sys
import threading
from typing import IO, Any

from calokit.engine.tasks import Result, Task, Work
from calokit.errors import CalokitError, WorkerError

KEPT_LINES = 30
"""Last lines of a child's standard error that are kept for the message when it dies."""


class ChildDied(Exception):  # noqa: N818
    """The child process ended in mid-task; the text holds its last words."""


class Child:
    """A process of its own that does tasks one after the other.

    Args:
        work: How the process becomes a worker.
    """

    def __init__(self, work: Work) -> None:
        environment = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        environment |= work.environment
        # -P: nothing is imported from the user's folder
        command = [sys.executable, "-P", "-m", "calokit.engine.child"]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            env=environment,
        )
        self._last_words: collections.deque[str] = collections.deque(maxlen=KEPT_LINES)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self._send({"factory": work.factory, "settings": work.settings})

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def do(self, task: Task) -> Result:
        """Do one task and wait for its result.

        Raises:
            CalokitError: The worker met a mistake of the user.
            ChildDied: The process ended.
        """
        self._send(task)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._listener.join(timeout=1.0)
            words = " | ".join(line.strip() for line in self._last_words if line.strip())
            raise ChildDied(f"ended with code {self._process.returncode}: {words or 'no message'}")
        answer = json.loads(line)
        if "mistake" in answer:
            raise CalokitError(answer["mistake"])
        if "failure" in answer:
            raise WorkerError(answer["failure"])
        result: Result = answer["result"]
        return result

    def stop(self) -> None:
        """End the process, also in mid-task."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):  # a task that the dead process never read
                    stream.close()
        self._listener.join(timeout=1.0)

    def _send(self, content: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(content) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it died; reading its answer says so

    def _listen(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as stream:
            for line in stream:
                self._last_words.append(line)


def serve(tasks: IO[str], results: IO[str]) -> None:
    """Do the tasks of a parent until it closes the pipe."""

    def answer(content: dict[str, Any]) -> None:
        results.write(json.dumps(content) + "\n")
        results.flush()

    worker = None
    first = json.loads(tasks.readline())
    for line in tasks:
        try:
            if worker is None:
                worker = Work(first["factory"], first["settings"]).make_worker()
            answer({"result": worker(json.loads(line))})
        except CalokitError as error:
            answer({"mistake": str(error)})
        except Exception as error:  # noqa: BLE001
            answer({"failure": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    output = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # also what C++ prints
    serve(sys.stdin, output)
