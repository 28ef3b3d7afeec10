"""Compiled loops beside torch: time of a cascade's showers, and how far the two differ.

Both draw the same incident particles with the same keys in turns, on one thread; the smallest processor time
of each counts.

    python -m benchmarks.speed.compiled_cascade zoo/zdc_cascade.calokit=samples/zdc_ecal_positrons_test.h5 ...

Writes benchmarks/results/compiled_cascade.json.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.record import Row, describe_circumstances, print_rows, write_record
from calokit.compute.draws import Noise, Purpose, draw_generator, draw_noise
from calokit.inference import read_bundle
from calokit.models.batches import IncidentTensors
from calokit.models.cascade.compiled.availability import compiled_drawing
from calokit.models.cascade.compiled.generation import CompiledDrawing
from calokit.models.cascade.drawing import CascadeDrawing
from calokit.models.cascade.surrogate import CascadeSurrogate
from calokit.showers import open_showers

CLOSE = 1e-5
"""Cells that differ by less than this share count as equal."""


def processor_time(
    drawing: CompiledDrawing | CascadeDrawing, incidents: IncidentTensors, keys: Tensor
) -> tuple[float, Tensor]:
    """Return processor milliseconds a shower, and the showers."""
    started = time.process_time()
    showers = drawing.showers(incidents, keys)
    return 1e3 * (time.process_time() - started) / len(keys), showers


def compare(bundle: Path, data: Path, count: int, turns: int) -> Row:
    """Draw by both, in turns, and compare."""
    model = read_bundle(bundle).model
    if not isinstance(model, CascadeSurrogate):
        raise SystemExit(f"{bundle} is no cascade.")
    fast, plain = compiled_drawing(model), CascadeDrawing(model)
    if fast is None:
        raise SystemExit('numba is not installed: pip install ".[fast]"')
    view = open_showers(data)
    incidents = IncidentTensors.of(view.read(0, min(len(view), count)).incidents)
    keys = draw_noise(Noise("key"), len(incidents), draw_generator(1, Purpose.TIMING, 0))[:, 0]
    times: dict[str, list[float]] = {"compiled": [], "torch": []}
    with torch.inference_mode():
        fast.showers(incidents[:2], keys[:2])
        for _ in range(turns):
            one, drawn = processor_time(fast, incidents, keys)
            other, wanted = processor_time(plain, incidents, keys)
            times["compiled"].append(one)
            times["torch"].append(other)
        single = min(processor_time(fast, incidents[:1], keys[:1])[0] for _ in range(50))
    same = ((drawn > 0) == (wanted > 0)).all(1)
    full = wanted[same] > 0
    differ = ((drawn - wanted).abs() / wanted.clamp_min(1e-30))[same][full]
    return {
        "bundle": bundle.stem,
        "showers": len(incidents),
        "compiled ms": min(times["compiled"]),
        "torch ms": min(times["torch"]),
        "torch / compiled": min(times["torch"]) / min(times["compiled"]),
        "one shower alone ms": single,
        "same hits": float(same.double().mean()),
        "hits equal to 1e-5": float((differ <= CLOSE).double().mean()),
        "largest difference": float(differ.max()),
    }


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pairs", nargs="+", help="BUNDLE=SHOWERS, whose incident particles are taken")
    parser.add_argument("--showers", type=int, default=1000, help="at most so many of each file")
    parser.add_argument("--turns", type=int, default=2)
    arguments = parser.parse_args()
    circumstances = describe_circumstances(1)
    torch.set_num_threads(1)
    rows = []
    for pair in arguments.pairs:
        bundle, _, data = pair.partition("=")
        rows.append(compare(Path(bundle), Path(data), arguments.showers, arguments.turns))
        print(rows[-1])
    print_rows("Cascades, compiled loops beside torch", rows, circumstances)
    write_record("compiled_cascade", rows, circumstances)


if __name__ == "__main__":
    main()
