"""What several test files share: one thread, one small detector, made-up showers and files of them."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

# One thread a process, asleep where it waits: as many tests run at once as there are processors. OpenMP and
# BLAS read this when numpy, torch and scikit-learn are loaded, here and in the processes that tests start.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
os.environ["OMP_WAIT_POLICY"] = "passive"

import numpy as np
import pytest
import torch

from calokit.cli import main
from calokit.detector import Detector, load_detector
from calokit.showers import Showers, ShowerWriter
from made_up_runs import MakeFile, MakeShowers

SHOWERS = Path(__file__).resolve().parents[2] / "shared" / "showers"

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def zdc() -> Detector:
    return load_detector("zdc_ecal")


@pytest.fixture(scope="session")
def make_showers(zdc: Detector) -> MakeShowers:
    """Build showers: a blob around the impact, log-uniform 1 to 100 GeV, small angles."""
    x, y = zdc.cells.x, zdc.cells.y

    def make(count: int, seed: int) -> Showers:
        rng = np.random.default_rng(seed)
        incident = np.exp(rng.uniform(np.log(1e3), np.log(1e5), count))
        positions = rng.uniform(-30.0, 30.0, (count, 2))
        theta, phi = 0.005 * np.sqrt(rng.random(count)), rng.uniform(0.0, 2.0 * np.pi, count)
        directions = np.stack(
            [np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], axis=1
        )
        distance = np.hypot(x - positions[:, :1], y - positions[:, 1:])
        blob = np.exp(-distance / 9.0) * rng.gamma(4.0, size=(count, len(x)))
        visible = incident * rng.normal(0.85, 0.03, count)
        energies = visible[:, None] * blob / blob.sum(axis=1, keepdims=True)
        energies[energies < 0.02] = 0.0
        as32 = (array.astype(np.float32) for array in (energies, incident))
        return Showers(*as32, zdc, positions.astype(np.float32), directions.astype(np.float32))

    return make


@pytest.fixture
def shower_file(tmp_path: Path, zdc: Detector, make_showers: MakeShowers) -> MakeFile:
    """Write showers as a native file: made-up ones, or those given."""

    def write(
        count: int = 200,
        seed: int = 1,
        name: str = "showers.h5",
        split: str | None = None,
        showers: Showers | None = None,
    ) -> Path:
        showers = make_showers(count, seed) if showers is None else showers
        attributes = {} if split is None else {"split": split}
        path = tmp_path / name
        with ShowerWriter(path, showers.detector, "e+", "made up for a test", attributes) as writer:
            writer.write(showers)
        return path

    return write


@pytest.fixture(scope="session")
def shared_showers() -> Path:
    """The folder of the reference sets beside the checkout."""
    if not SHOWERS.is_dir():
        pytest.skip("the reference sets are not beside this checkout")
    return SHOWERS


@pytest.fixture(autouse=True)
def keep_warnings_shown() -> Iterator[None]:
    """Undo what the command line does to the display of warnings."""
    before = warnings.showwarning
    yield
    warnings.showwarning = before


@dataclass
class Ended:
    """How a command ended: its exit code and what it printed."""

    code: int
    out: str
    err: str


Command = Callable[..., Ended]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """Call `calokit` with some words, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def run(*words: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["calokit", *map(str, words)])
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    return run
