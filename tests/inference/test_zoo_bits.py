"""The bundles of the zoo make the same showers and estimates as when they were shipped, to the bit.

`CALOKIT_WRITE_GOLDEN=1 pytest tests/inference/test_zoo_bits.py` writes the digests anew. Bits hold for one
processor and one release of torch; elsewhere the energies are compared.
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
from calokit.compute.precision import Precision
from calokit.inference import ShowerGenerator, read_bundle
from calokit.inference.reconstruct import estimate_block
from calokit.models.estimators.protocol import Reconstructor
from made_up_positrons import made_up_positrons

ZOO = Path(__file__).parents[2] / "zoo"
GOLDEN = Path(__file__).parents[1] / "golden" / "zoo_bits.json"
WRITE = bool(os.environ.get("CALOKIT_WRITE_GOLDEN"))
FLOAT32 = Precision("float32", "contiguous")


def arrays_of(path: Path) -> dict[str, NDArray[Any]]:
    """Return what a bundle makes of a few incident particles or of a few showers."""
    bundle = read_bundle(path)
    if isinstance(bundle.model, Reconstructor):
        columns = estimate_block(bundle.model, made_up_positrons(bundle.detector, 24, seed=5))
        return {name: np.asarray(values, np.float64) for name, values in sorted(columns.items())}
    showers = ShowerGenerator(bundle, 3, FLOAT32).at(energy_gev=50, count=24, position_mm=(3.0, -7.0))
    return {"visible_energies": showers.visible_energies, "cells": showers.energies}


@pytest.mark.parametrize("path", sorted(ZOO.glob("*.calokit")), ids=lambda path: path.stem)
def test_same_showers_as_when_shipped(path: Path) -> None:
    arrays = arrays_of(path)
    found = {
        "processor": f"{processor_name()}, {torch.backends.cpu.get_cpu_capability()}",
        "torch": torch.__version__,
        "sha256": hashlib.sha256(b"".join(one.tobytes() for one in arrays.values())).hexdigest(),
        "shown": {
            name: [float(f"{value:.6g}") for value in values.ravel()[:24]]
            for name, values in arrays.items()
            if name != "cells"
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
