"""The showers of the LUXE reconstruction studies, joined under the names that the studies know.

FOLDERS hold shower files: reference sets of separate seeds and what `calokit simulate` made of the samples in
studies/luxe_samples and of those that ship (`simulate` prints the commands, with the seeds). Every file that
is there is used; the joined files tell what they were made of.

    python -m benchmarks.systems.luxe_data simulate FOLDER                  prints the commands
    python -m benchmarks.systems.luxe_data join FOLDER [FOLDER ...]         writes studies/.cache/luxe/*.h5
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.overlay import overlay_showers
from benchmarks.record import REPOSITORY
from calokit.progress import show_progress
from calokit.showers import ShowerWriter, Split, open_showers
from calokit.showers.joining import join_files
from calokit.showers.splits import parse_split

STUDIES = REPOSITORY / "studies"
JOINED = STUDIES / ".cache" / "luxe"
OVERLAYS = {"train": 12_000, "test": 3_000}
MULTIPLICITIES = (1, 4)
REACH_ROWS = 45


def purpose_of(name: str) -> str:
    """Return the split of a file of that name."""
    if "_test" in name:
        return "test"
    return "validation" if "calibration" in name or "validation" in name else "train"


@dataclass(frozen=True)
class Simulated:
    """One file to simulate: its name, sample, showers and seed."""

    name: str
    sample: str
    showers: int
    seed: int

    @property
    def split(self) -> str:
        """What the file is meant for, told by its name."""
        return purpose_of(self.name)


SIMULATED = (
    Simulated("tilted_train", "luxe_positrons_tilted", 5_000, 701),
    Simulated("a_train_1", "luxe_positrons_a", 10_000, 711),
    Simulated("a_test_low", "luxe_positrons_a_low", 15_000, 721),
    Simulated("tilted_test", "luxe_positrons_tilted", 3_000, 702),
    Simulated("a_train_2", "luxe_positrons_a", 10_000, 712),
    Simulated("b_test_low", "luxe_positrons_b_low", 10_000, 723),
    Simulated("b_test_high_1", "luxe_positrons_b_high", 4_000, 724),
    Simulated("a_test_high_1", "luxe_positrons_a_high", 7_500, 722),
    Simulated("a_train_3", "luxe_positrons_a", 10_000, 713),
    Simulated("a_test_high_2", "luxe_positrons_a_high", 7_500, 725),
    Simulated("b_test_high_2", "luxe_positrons_b_high", 4_000, 726),
    Simulated("wing_low", "luxe_positrons_wing_low", 7_200, 741),
    Simulated("wing_high", "luxe_positrons_wing_high", 2_000, 742),
    Simulated("a_test_high_3", "luxe_positrons_a_high", 15_000, 727),
    Simulated("a_calibration", "luxe_positrons_a", 10_000, 714),
    Simulated("a_calibration_low", "luxe_positrons_a_low", 9_000, 751),
    Simulated("wing_calibration_low", "luxe_positrons_wing_low", 2_000, 753),
    Simulated("wing_calibration_high", "luxe_positrons_wing_high", 400, 754),
    Simulated("a_train_4", "luxe_positrons_a", 10_000, 715),
    Simulated("a_train_5", "luxe_positrons_a", 10_000, 716),
    Simulated("a_train_6", "luxe_positrons_a", 10_000, 717),
    Simulated("a_train_7", "luxe_positrons_a", 10_000, 718),
    Simulated("wing_low_2", "luxe_positrons_wing_low", 7_200, 743),
    Simulated("wing_high_2", "luxe_positrons_wing_high", 2_000, 744),
)
"""In the order of need."""

A_COUNTED = tuple(f"a_train_{number}" for number in range(1, 8))
COUNTED = (*A_COUNTED, "wing_low", "wing_high", "wing_low_2", "wing_high_2")
"""Simulated with the charged particles that enter each cell."""
A_TRAIN = ("luxe_positrons_a", *A_COUNTED)
PARTS = {
    "train": ("luxe_positrons_a", *COUNTED),
    "train_a": A_TRAIN,
    "reference_train": ("luxe_positrons_a",),
    "calibration_reference": ("luxe_positrons_a", "wing_calibration_low", "wing_calibration_high"),
    "train_counted": COUNTED,
    "small_train": ("luxe_positrons_a", "a_train_1"),
    "small_test": ("luxe_positrons_a_test", "a_test_low"),
    "single_test": ("luxe_positrons_a_test",),
    "calibration": (
        "a_calibration",
        "a_calibration_low",
        "wing_calibration_low",
        "wing_calibration_high",
    ),
    "calibration_a": ("a_calibration", "a_calibration_low"),
    "place_train": ("luxe_positrons_a", "tilted_train"),
    "a_test": (
        "luxe_positrons_a_test",
        "a_test_low",
        "a_test_high_1",
        "a_test_high_2",
        "a_test_high_3",
    ),
    "b_test": ("luxe_positrons_b_test", "b_test_low", "b_test_high_1", "b_test_high_2"),
    "reference_b_test": ("luxe_positrons_b_test",),
    "b_validation": ("luxe_positrons_b_validation",),
    "tilted_test": ("tilted_test",),
}
"""The joined files and the files they are joined of."""


def print_commands(folder: Path) -> None:
    """Print the commands that simulate what is missing in a folder."""
    for one in SIMULATED:
        path = STUDIES / "luxe_samples" / f"{one.sample}.yaml"
        sample = path.relative_to(REPOSITORY) if path.is_file() else one.sample
        target = folder / f"{one.name}.h5"
        done = "# made: " if target.is_file() else ""
        print(
            f"{done}calokit simulate {sample} -o {target} -n {one.showers} --seed {one.seed} "
            f"--split {one.split}{' --entries' if one.name in COUNTED else ''}"
        )


def join(name: str, folders: list[Path]) -> None:
    """Write one joined file of what is there."""
    paths = [
        folder / f"{part}.h5"
        for part in PARTS[name]
        for folder in folders
        if (folder / f"{part}.h5").is_file()
    ]
    if not paths:
        print(f"{name}: no showers yet")
        return
    sources = [open_showers(path) for path in paths]
    join_files(sources, JOINED / f"{name}.h5", parse_split(purpose_of(name)), compression=1)


def overlay(kind: str, seed: int) -> None:
    """Write events of several particles, made of the joined single showers of the same purpose."""
    source = JOINED / ("small_train.h5" if kind == "train" else "single_test.h5")
    path = JOINED / f"several_{kind}.h5"
    if not source.is_file() or path.is_file():
        return
    view = open_showers(source, Split.TRAIN if kind == "train" else Split.ALL)
    rng = np.random.default_rng(seed)
    total, block = OVERLAYS[kind], 500
    generator = f"{view.generator}, overlaid"
    attributes = {"split": kind, "overlay_seed": seed, "multiplicities": MULTIPLICITIES}
    with (
        ShowerWriter(path, view.detector, "e+", generator, attributes, compression=1) as writer,
        show_progress(total, f"overlaying {kind}", "events") as advance,
    ):
        for _ in range(0, total, block):
            start = int(rng.integers(0, len(view) - 2_000))
            single = view.read(start, start + 2_000)
            writer.write(overlay_showers(single, block, MULTIPLICITIES, REACH_ROWS, rng))
            advance(block)
    print(f"{path}: {total} events of {MULTIPLICITIES[0]} to {MULTIPLICITIES[1]} particles")


def main() -> None:
    """Print the commands of the simulation, or join."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["simulate", "join"])
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--only", choices=list(PARTS), nargs="*")
    arguments = parser.parse_args()
    if arguments.what == "simulate":
        print_commands(arguments.folders[0])
        return
    JOINED.mkdir(parents=True, exist_ok=True)
    for name in arguments.only or PARTS:
        join(name, arguments.folders)
    if not arguments.only:
        overlay("train", seed=731)
        overlay("test", seed=732)


if __name__ == "__main__":
    main()
