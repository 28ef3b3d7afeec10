"""Work in other processes: every task is done once, whatever dies."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from calokit.engine.child import Child, ChildDied
from calokit.engine.dask import DaskExecutor
from calokit.engine.local import ATTEMPTS, LocalExecutor
from calokit.engine.tasks import Executor, Result, Task, Work, Worker
from calokit.errors import CalokitError, ConfigurationError, WorkerError


def make_worker(settings: dict[str, Any]) -> Worker:
    """A worker whose task says what shall happen to it."""

    def do(task: Task) -> Result:
        if "log" in task:
            with Path(task["log"]).open("a") as log:
                log.write(f"{task['n']}\n")
        sys.stdout.write("words that must not disturb the lines\n")
        if "abort_once" in task and not Path(task["abort_once"]).exists():
            Path(task["abort_once"]).touch()
            os.abort()
        if task.get("abort"):
            os.write(2, b"a last word, caf\xe9\n")
            os.abort()
        if task.get("mistake"):
            raise CalokitError("a mistake of the user")
        if task.get("bug"):
            raise ValueError("a bug")
        time.sleep(task.get("sleep", 0.0))
        if "output" in task:
            Path(task["output"]).write_text(str(task["n"]))
        return {"n": task["n"], "square": task["n"] ** settings["power"], "pid": os.getpid()}

    return do


@pytest.fixture
def work() -> Work:
    return Work("test_engine:make_worker", {"power": 2}, {"PYTHONPATH": str(Path(__file__).parent)})


def squares(executor: Executor, work: Work, tasks: list[Task]) -> list[int]:
    return sorted(result["square"] for result in executor.run(work, tasks))


def test_nothing_is_imported_from_the_working_folder(
    work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise ImportError('my own module')")
    monkeypatch.chdir(tmp_path)
    assert squares(LocalExecutor(1), work, [{"n": 3}]) == [9]


def test_two_processes_share_the_tasks(work: Work) -> None:
    tasks: list[Task] = [{"n": n, "sleep": 0.05} for n in range(8)]
    results = list(LocalExecutor(2).run(work, tasks))
    assert sorted(result["n"] for result in results) == list(range(8))
    pids = {result["pid"] for result in results}
    assert len(pids) == 2
    assert os.getpid() not in pids


def test_a_process_that_dies_is_replaced_and_its_task_done_again(work: Work, tmp_path: Path) -> None:
    tasks: list[Task] = [{"n": n} for n in range(4)]
    tasks[1]["abort_once"] = str(tmp_path / "aborted")
    assert squares(LocalExecutor(1), work, tasks) == [0, 1, 4, 9]
    assert (tmp_path / "aborted").exists()


def test_a_task_that_always_kills_its_process_is_given_up_with_its_last_words(work: Work) -> None:
    with pytest.raises(WorkerError, match=f"failed {ATTEMPTS} times.*a last word"):
        list(LocalExecutor(2).run(work, [{"n": 1, "abort": True}]))


def test_mistakes_of_the_user_and_bugs_arrive_as_one_line(work: Work) -> None:
    with pytest.raises(CalokitError, match=r"^a mistake of the user$"):
        list(LocalExecutor(1).run(work, [{"n": 1, "mistake": True}]))
    with pytest.raises(WorkerError, match="ValueError: a bug"):
        list(LocalExecutor(1).run(work, [{"n": 1, "bug": True}]))


def test_leaving_early_stops_the_processes(work: Work) -> None:
    results = LocalExecutor(2).run(work, [{"n": n, "sleep": 0.0 if n == 0 else 30.0} for n in range(3)])
    first = next(results)
    started = time.monotonic()
    results.close()  # type: ignore[attr-defined]
    assert time.monotonic() - started < 5.0
    with pytest.raises(ProcessLookupError):
        os.kill(first["pid"], 0)


def test_a_child_says_how_it_died(work: Work) -> None:
    child = Child(work)
    os.kill(child.pid, signal.SIGKILL)
    with pytest.raises(ChildDied, match="code -9"):
        child.do({"n": 1})
    child.stop()


def test_a_dask_cluster_survives_the_death_of_a_worker(work: Work, tmp_path: Path) -> None:
    class WatchedExecutor(DaskExecutor):
        """Kills one worker process of its cluster after the first result."""

        def run(self, work: Work, tasks: list[Task]) -> Any:
            results = super().run(work, tasks)
            yield next(results)
            log = tmp_path / "log"
            while len(log.read_text().split()) < 4:
                time.sleep(0.02)
            from distributed import default_client

            pids = default_client().run(os.getpid)
            os.kill(next(iter(pids.values())), signal.SIGKILL)
            yield from results

    tasks: list[Task] = [
        {"n": n, "sleep": 0.3, "output": str(tmp_path / f"{n}.txt"), "log": str(tmp_path / "log")}
        for n in range(6)
    ]
    executor = WatchedExecutor("local", 2)
    results = list(executor.run(work, tasks))
    assert sorted(result["n"] for result in results) == list(range(6))
    assert [(tmp_path / f"{n}.txt").read_text() for n in range(6)] == [str(n) for n in range(6)]
    assert len((tmp_path / "log").read_text().split()) > 6  # a task was begun again


def test_a_wrong_dask_address_is_said(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calokit.engine.dask.CONNECT_SECONDS", 1)
    with pytest.raises(ConfigurationError, match="no Dask scheduler answers"):
        list(DaskExecutor("tcp://127.0.0.1:1").run(work, [{"n": 1}]))
