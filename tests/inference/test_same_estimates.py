"""Reconstructions that were shipped estimate the same of the same showers: to the bit on one machine.

Bits hold for one processor and one release of torch; elsewhere the estimates are compared.
Written anew by CALOKIT_WRITE_GOLDEN=1, which is a decision.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from calokit.compute.machine import processor_name
from calokit.inference import read_bundle
from calokit.inference.reconstruct import estimate_block, need_reconstructor
from made_up_positrons import made_up_positrons

ZOO = Path(__file__).parents[2] / "zoo"
GOLDEN = Path(__file__).parents[1] / "golden" / "estimates.json"
WRITE = bool(os.environ.get("CALOKIT_WRITE_GOLDEN"))


def estimates(path: Path) -> dict[str, NDArray[Any]]:
    """Return what a bundle makes of a few showers."""
    bundle = read_bundle(path)
    showers = made_up_positrons(bundle.detector, 24, seed=5)
    columns = estimate_block(need_reconstructor(bundle), showers)
    return {name: np.asarray(values, np.float64) for name, values in sorted(columns.items())}


@pytest.mark.parametrize("path", sorted(ZOO.glob("luxe_[dep]*.calokit")), ids=lambda path: path.stem)
def test_same_estimates(path: Path) -> None:
    arrays = estimates(path)
    found = {
        "processor": f"{processor_name()}, {torch.backends.cpu.get_cpu_capability()}",
        "torch": torch.__version__,
        "sha256": hashlib.sha256(b"".join(one.tobytes() for one in arrays.values())).hexdigest(),
        "shown": {
            name: [float(f"{value:.6g}") for value in values.ravel()[:24]] for name, values in arrays.items()
        },
    }
    known = json.loads(GOLDEN.read_text(encoding="utf-8")) if GOLDEN.is_file() else {}
    if WRITE:
        GOLDEN.write_text(
            json.dumps(known | {path.stem: found}, indent=1, sort_keys=True) + "\n", encoding="utf-8"
        )
        return
    wanted = known[path.stem]
    if (wanted["processor"], wanted["torch"]) == (found["processor"], found["torch"]):
        assert found["sha256"] == wanted["sha256"]
    for name, values in wanted["shown"].items():
        np.testing.assert_allclose(found["shown"][name], values, rtol=2e-2, atol=1e-3)
