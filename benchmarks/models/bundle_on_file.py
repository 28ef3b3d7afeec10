"""A bundle and the showers it is compared with, as arguments of a benchmark."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import torch

from calokit.bundles.bundle import Bundle
from calokit.inference import read_bundle
from calokit.inference.generate import need_surrogate
from calokit.showers import ShowerFile, open_showers


class BundleOnFile(NamedTuple):
    """What a benchmark was asked to compare.

    Attributes:
        name: Of the bundle, with the label.
        bundle: It generates on one thread.
        threshold: Its threshold in MeV.
        view: The showers.
    """

    name: str
    bundle: Bundle
    threshold: float
    view: ShowerFile


def ask_bundle_on_file(description: str | None) -> BundleOnFile:
    """Return what the command line names: BUNDLE --data FILE [--showers 4000] [--label before]."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--showers", type=int, default=4000)
    parser.add_argument("--label", default="")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    bundle = read_bundle(arguments.bundle)
    return BundleOnFile(
        f"{bundle.name}{arguments.label and ', '}{arguments.label}",
        bundle,
        need_surrogate(bundle).threshold_mev,
        open_showers(arguments.data).head(arguments.showers),
    )
