"""Time and cost in quality of a Conv2D GAN's generator in float32, bfloat16 and int8.

    python -m benchmarks.speed.generator_formats BUNDLE --data SHOWERS.h5

The generator makes volumes of the same random numbers in each format, by turns, on one thread. int8: static
quantisation of all convolutions and of the dense layer (torch, engine x86: eight bits for weights, by
channel, and activations), its ranges found on other random numbers. Cost: how far visible energies and
profiles move, and the area of boosted trees that tell the showers of a format from float32's. Writes
benchmarks/results/generator_formats.json.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.record import Row, describe_circumstances, print_rows, write_record
from calokit.arrays import Float32
from calokit.compute.draws import Draws
from calokit.evaluation.classifiers.boosted_judge import judge_by_trees
from calokit.evaluation.samples.observables import ObservableCalculator
from calokit.evaluation.topology.features import FeatureMaker
from calokit.inference import read_bundle
from calokit.models.adversarial.volume_gan import UNIT_MEV, VolumeGanSurrogate
from calokit.models.batches import IncidentTensors
from calokit.showers import Incidents, Showers, open_showers

BATCH = 100
CALIBRATED_ON = 256
"""Showers on which the ranges of int8 are found."""
Generator = Callable[[Tensor], Tensor]


def quantised(generator: nn.Module, inputs: Tensor) -> nn.Module:
    """Return the generator in int8, its ranges those of some inputs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says that this part of it moves to another package
        from torch.ao.quantization import get_default_qconfig_mapping
        from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx

        torch.backends.quantized.engine = "x86"
        prepared = prepare_fx(generator.eval(), get_default_qconfig_mapping("x86"), (inputs[:2],))
        with torch.inference_mode():
            prepared(inputs)
        found: nn.Module = convert_fx(prepared)
    return found


def in_bfloat16(generator: nn.Module) -> Generator:
    """Return the generator with its products in bfloat16."""

    def made(inputs: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            volumes: Tensor = generator(inputs)
        return volumes.float()

    return made


class VolumeMaker:
    """Showers of a bundle's random numbers, whatever makes its volumes."""

    def __init__(self, model: VolumeGanSurrogate, incidents: Incidents) -> None:
        self.model, self.incidents = model, IncidentTensors.of(incidents)
        self.noise = Draws(torch.Generator().manual_seed(1)).noise(model.noise(), len(self.incidents))

    def inputs(self, where: slice) -> Tensor:
        """Return what the generator is given for some incident particles."""
        one = {name: values[where] for name, values in self.noise.items()}
        return self.model._inputs(self.incidents[where], one)

    @torch.inference_mode()
    def make(self, generator: Generator) -> tuple[Float32, float]:
        """Return showers (event, cell) and processor milliseconds that the generator takes for one."""
        own, pieces, seconds = self.model.generator, [], 0.0
        for start in range(0, len(self.incidents), BATCH):
            where = slice(start, min(start + BATCH, len(self.incidents)))
            inputs = self.inputs(where)
            started = time.process_time()
            volumes = generator(inputs)
            seconds += time.process_time() - started
            self.model.generator = _Given(volumes)  # type: ignore[assignment]
            noise = {name: values[where] for name, values in self.noise.items()}
            pieces.append(self.model.showers(self.incidents[where], noise).numpy())
        self.model.generator = own
        return np.concatenate(pieces), 1e3 * seconds / len(self.incidents)


class _Given(nn.Module):
    """A generator that gives what has been made."""

    def __init__(self, volumes: Tensor) -> None:
        super().__init__()
        self.volumes = volumes

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the volumes, whatever is asked for."""
        del inputs
        return self.volumes


def main() -> None:
    """Time by turns, compare and record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="whose incident particles are shot")
    parser.add_argument("--showers", type=int, default=2_000)
    parser.add_argument("--turns", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    circumstances = describe_circumstances(1)
    bundle, view = read_bundle(arguments.bundle), open_showers(arguments.data).head(arguments.showers)
    model = bundle.model
    if not isinstance(model, VolumeGanSurrogate):
        raise SystemExit(f"{arguments.bundle}: not a Conv2D GAN.")
    truth = view.read(0, len(view))
    maker = VolumeMaker(model, truth.incidents)
    others = torch.randn(
        CALIBRATED_ON, maker.inputs(slice(0, 1)).shape[1], generator=torch.Generator().manual_seed(2)
    )
    others = others * (maker.incidents.energies[:CALIBRATED_ON, None] / UNIT_MEV)
    formats: dict[str, Generator] = {
        "float32": model.generator,
        "bfloat16": in_bfloat16(model.generator),
        "int8": quantised(model.generator, others),
    }
    times: dict[str, list[float]] = {name: [] for name in formats}
    made: dict[str, Float32] = {}
    for _ in range(arguments.turns):
        for name, generator in formats.items():
            made[name], milliseconds = maker.make(generator)
            times[name].append(milliseconds)
    rows = [
        {
            "format": name,
            "ms a shower": round(min(times[name]), 3),
            **_cost(truth, model.threshold_mev, made, name),
        }
        for name in formats
    ]
    print_rows("A generator's number formats", rows, circumstances)
    write_record(
        "generator_formats", rows, circumstances, bundle=arguments.bundle.name, width=model.settings.width,
        showers=len(view), batch=BATCH,
    )  # fmt: skip


def _cost(truth: Showers, threshold_mev: float, made: dict[str, Float32], name: str) -> Row:
    """Return how far the showers of a format are from float32's."""
    ours, theirs = (made[one].astype(np.float64) for one in (name, "float32"))
    detector = truth.detector
    visible = [one.sum(1) for one in (ours, theirs)]
    profiles = [one.reshape(len(one), detector.number_of_layers, -1).sum(2).mean(0) for one in (ours, theirs)]
    row: Row = {
        "visible energy, mean change (%)": round(100 * float(np.mean(visible[0] / visible[1] - 1)), 3),
        "layers, largest change (%)": round(
            100 * float(np.abs(profiles[0] - profiles[1]).max() / profiles[1].max()), 3
        ),
    }
    if name == "float32":
        return row | {"AUC of trees against float32": 0.5, "its error": 0.0}
    maker = FeatureMaker(ObservableCalculator(detector, threshold_mev))
    ours_seen, theirs_seen = (maker(replace(truth, energies=made[one])) for one in (name, "float32"))
    area = judge_by_trees(ours_seen, theirs_seen)
    return row | {"AUC of trees against float32": round(area.value, 4), "its error": round(area.error, 4)}


if __name__ == "__main__":
    main()
