"""Steps of training a cascade: compiled loops beside torch alone, and how far the two differ.

Both take losses and gradients of the same batches in turns, on one thread; the smallest processor time of
each counts.

    python -m benchmarks.speed.training_steps zoo/zdc_cascade.calokit=samples/zdc_ecal_positrons.h5 ...

Writes benchmarks/results/training_steps.json.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from unittest.mock import patch

import torch
from torch import Tensor

from benchmarks.record import Row, describe_circumstances, print_rows, write_record
from calokit.compute.draws import Draws, Purpose, draw_generator
from calokit.inference import read_bundle
from calokit.models.batches import TrainingBatch
from calokit.models.cascade.compiled import availability
from calokit.models.cascade.compiled.availability import numba_compiles
from calokit.models.cascade.surrogate import CascadeSurrogate
from calokit.showers import open_showers


def take_step(model: CascadeSurrogate, batch: TrainingBatch, loops: bool) -> tuple[float, Tensor]:
    """Return processor milliseconds of losses and gradients, and all gradients in a row."""
    draws = Draws(draw_generator(1, Purpose.TIMING, 0))
    model.zero_grad()
    with patch.object(availability, "numba_compiles", lambda: loops):
        started = time.process_time()
        torch.stack(list(model.losses(batch, draws).values())).sum().backward()  # type: ignore[no-untyped-call]
        spent = 1e3 * (time.process_time() - started)
    slopes = [one.grad.flatten() for one in model.parameters() if one.grad is not None]
    return spent, torch.cat(slopes)


def compare(bundle: Path, data: Path, turns: int) -> Row:
    """Take steps both ways, in turns."""
    found = read_bundle(bundle)
    model, showers = found.model, found.recipe.training.batch_size
    if not isinstance(model, CascadeSurrogate):
        raise SystemExit(f"{bundle} is no cascade.")
    model.requires_grad_(True)
    batch = TrainingBatch.of(open_showers(data).read(0, showers))
    for loops in (True, False):
        take_step(model, batch, loops)
    times: dict[bool, list[float]] = {True: [], False: []}
    slopes: dict[bool, Tensor] = {}
    for _ in range(turns):
        for loops in (True, False):
            spent, slopes[loops] = take_step(model, batch, loops)
            times[loops].append(spent)
    return {
        "bundle": bundle.stem,
        "showers a step": len(batch),
        "compiled ms": min(times[True]),
        "torch ms": min(times[False]),
        "torch / compiled": min(times[False]) / min(times[True]),
        "gradients differ by": float((slopes[True] - slopes[False]).norm() / slopes[False].norm()),
    }


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pairs", nargs="+", help="BUNDLE=SHOWERS that are trained on")
    parser.add_argument("--turns", type=int, default=8)
    arguments = parser.parse_args()
    if not numba_compiles():
        raise SystemExit('numba is not installed: pip install ".[fast]"')
    circumstances = describe_circumstances(1)
    torch.set_num_threads(1)
    rows = []
    for pair in arguments.pairs:
        bundle, _, data = pair.partition("=")
        rows.append(compare(Path(bundle), Path(data), arguments.turns))
        print(rows[-1])
    print_rows("Steps of training, compiled loops beside torch", rows, circumstances)
    write_record("training_steps", rows, circumstances)


if __name__ == "__main__":
    main()
