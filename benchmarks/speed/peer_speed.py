"""Time of a shower of another group's generator of the same output size, beside the cascade, in one run.

CaloDiffusion (O. Amram and K. Pedro, arXiv:2308.03876) makes 45 x 16 x 9 cells by 400 evaluations of a
U-Net, as its configuration for dataset 2 of CaloChallenge says; Par04 has as many cells. Its code is not ours
and not here:

    git clone https://github.com/OzAmram/CaloDiffusionPaper; pip install einops
    python -m benchmarks.speed.peer_speed CaloDiffusionPaper --bundle BUNDLE.calokit --data SHOWERS.h5

One evaluation is timed, with weights as they are initialised (the time does not depend on them), and taken
400 times. Evaluations of both take turns, one thread. Writes benchmarks/results/peer_speed.json.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.record import Row, describe_circumstances, print_rows, write_record
from benchmarks.speed.generation_speed import take_incidents
from calokit.inference import ShowerGenerator, read_bundle
from calokit.showers import open_showers

PEER = "CaloDiffusion"


def read_configuration(path: Path) -> dict[str, Any]:
    """Return the peer's configuration, which is a Python dictionary with comments."""
    found: dict[str, Any] = ast.literal_eval(re.sub(r"#.*", "", path.read_text()))
    return found


def build_network(folder: Path, settings: dict[str, Any]) -> torch.nn.Module:
    """Return the peer's U-Net with untrained weights, as its configuration describes it."""
    sys.path.insert(0, str(folder / "scripts"))
    from models import CondUnet

    channels = 3 if settings["R_Z_INPUT"] else 1
    network: torch.nn.Module = CondUnet(
        cond_dim=settings["COND_SIZE_UNET"],
        out_dim=1,
        channels=channels,
        layer_sizes=settings["LAYER_SIZE_UNET"],
        block_attn=settings["BLOCK_ATTN"],
        mid_attn=settings["MID_ATTN"],
        cylindrical=settings["CYLINDRICAL"],
        compress_Z=settings["COMPRESS_Z"],
        data_shape=[1, channels, *settings["SHAPE_PAD"][2:]],
        cond_embed=settings["COND_EMBED"] == "sin",
        time_embed=settings["TIME_EMBED"] == "sin",
    )
    return network.eval()


def main() -> None:
    """Time both by turns and record the ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("peer", type=Path, help="a checkout of CaloDiffusionPaper")
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--showers", type=int, default=2_000, help="of the cascade, in each turn")
    parser.add_argument("--batch", type=int, default=64, help="of the peer")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    circumstances = describe_circumstances(1)
    settings = read_configuration(arguments.peer / "configs" / "config_dataset2.json")
    network = build_network(arguments.peer, settings)
    weights = sum(one.numel() for one in network.parameters())
    shape = [arguments.batch, 3 if settings["R_Z_INPUT"] else 1, *settings["SHAPE_PAD"][2:]]
    image, numbers = torch.randn(shape), torch.rand(arguments.batch)
    bundle = read_bundle(arguments.bundle)
    generator = ShowerGenerator(bundle, seed=1)
    incidents = take_incidents(open_showers(arguments.data).read_all(), arguments.showers)
    own, theirs = [], []
    with torch.inference_mode():
        network(image, numbers, numbers)
        energies = generator.draw(incidents).energies
        for _ in range(arguments.turns):
            started = time.process_time()
            network(image, numbers, numbers)
            middle = time.process_time()
            generator.draw(incidents, out=energies)
            theirs.append(1e3 * (middle - started) / arguments.batch * settings["NSTEPS"])
            own.append(1e3 * (time.process_time() - middle) / arguments.showers)
    rows: list[Row] = [
        {"generator": bundle.name, "processor ms a shower": min(own)},
        {"generator": PEER, "processor ms a shower": min(theirs)},
    ]
    print_rows("A peer of the same output size", rows, circumstances)
    told = {"weights": weights, "evaluations": settings["NSTEPS"], "ratio": min(theirs) / min(own)}
    print(f"{PEER}: {told}")
    write_record("peer_speed", rows, circumstances, **told)


if __name__ == "__main__":
    main()
