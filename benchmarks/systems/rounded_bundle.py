"""A bundle whose weights have 10 bits of mantissa (of 23): read like any other, and half the size compressed.

    python -m benchmarks.systems.rounded_bundle BUNDLE OUTPUT

Judge what it wrote, not what it read.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.mantissas import round_mantissas
from calokit.bundles.bundle import read_bundle, write_bundle

MANTISSA_BITS = 10


def main() -> None:
    """Read, round and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", type=Path)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    bundle = read_bundle(arguments.bundle)
    with torch.no_grad():
        for weights in bundle.model.parameters():
            if weights.dtype == torch.float32:
                weights.copy_(torch.from_numpy(round_mantissas(weights.numpy(), MANTISSA_BITS)))
    provenance = {**bundle.provenance, "mantissa_bits": MANTISSA_BITS}
    write_bundle(arguments.output, replace(bundle, provenance=provenance))


if __name__ == "__main__":
    main()
