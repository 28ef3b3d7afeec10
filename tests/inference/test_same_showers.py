"""Bundles that were shipped give the same showers for the same seed, for ever: to the bit on one machine.

The golden file holds what each generated when it was shipped (cascades by torch alone: compiled loops round
another way, see test_cascade_compiled.py). Processors of another kind add in another
order, so there only sums and counts of hits are compared, and a few showers may differ where a rounding
decides a hit.
Written anew by CALOKIT_WRITE_GOLDEN=1, which is a decision.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from calokit.compute.machine import processor_name
from calokit.compute.precision import Precision
from calokit.inference import generate_file, read_bundle
from calokit.inference.generate import BLOCK
from calokit.models.cascade.compiled import availability
from calokit.progress import no_progress
from calokit.showers import open_showers
from calokit.showers.incidents import Incidents

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "generated.json"
BUNDLES = ("zdc_cascade", "zdc_flow", "zdc_gan", "zdc_neutrons", "zdc_regression")
SHOWERS = BLOCK + 8
TOLD = 16
"""Showers of each block whose sums and hits are told."""
MACHINE = {"torch": torch.__version__.split("+")[0], "processor": processor_name()}


def incidents() -> Incidents:
    """Particles over the training range; two blocks, the second one short."""
    rng = np.random.default_rng(11)
    energies = np.exp(rng.uniform(np.log(1e4), np.log(1e5), SHOWERS)).astype(np.float32)
    positions = rng.uniform(-10.0, 10.0, (SHOWERS, 2)).astype(np.float32)
    return Incidents(energies, positions, np.tile(np.array([0, 0, 1], np.float32), (SHOWERS, 1)))


def generated(name: str, path: Path) -> dict[str, object]:
    """Generate by a shipped bundle; return the digest of the cells, and sums and hits of some showers."""
    bundle = read_bundle(ROOT / "zoo" / f"{name}.calokit")
    generate_file(bundle, iter([incidents()]), path, 5, no_progress, Precision("float32", "contiguous"))
    cells = open_showers(path).read_all().energies
    told = np.concatenate([cells[:TOLD], cells[BLOCK:]])
    return {
        "digest": hashlib.sha256(cells.tobytes()).hexdigest(),
        "visible_mev": [float(f"{value:.6g}") for value in told.sum(axis=1)],
        "hits": (told > 0).sum(axis=1).tolist(),
    }


@pytest.mark.filterwarnings("ignore::calokit.errors.ConditionWarning")
@pytest.mark.parametrize("name", BUNDLES)
def test_same_showers(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(availability, "numba_compiles", lambda: False)
    found = generated(name, tmp_path / "made.h5")
    if os.environ.get("CALOKIT_WRITE_GOLDEN"):
        known = json.loads(GOLDEN.read_text()) if GOLDEN.is_file() else {}
        GOLDEN.write_text(json.dumps({**known, "machine": MACHINE, name: found}, indent=1) + "\n")
    golden = json.loads(GOLDEN.read_text())
    expected = golden[name]
    if golden["machine"] == MACHINE:
        assert found["digest"] == expected["digest"]
    visible, wanted = np.array(found["visible_mev"]), np.array(expected["visible_mev"])
    hits, wanted_hits = np.array(found["hits"]), np.array(expected["hits"])
    same = (np.abs(visible - wanted) <= 1e-3 * wanted + 1e-3) & (np.abs(hits - wanted_hits) <= 1)
    assert same.mean() > 0.8, f"{name}: {np.flatnonzero(~same)} differ"
