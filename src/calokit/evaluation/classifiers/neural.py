"""The independent classifier: how well a network can tell generated showers from reference showers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from calokit.arrays import Float64, Integer
from calokit.compute.device import CPU, Device
from calokit.compute.draws import Generator
from calokit.compute.precision import native_precision
from calokit.evaluation.classifiers.discrimination import Features, check_classes, dense_rows, roc_area
from calokit.evaluation.classifiers.inputs import batches_of, labels_of
from calokit.progress import TellPart

FOLDS = 5
"""The showers are cut into fifths: three to train on, one to choose the epoch on, one to test on."""
STEPS_PER_EPOCH = 64
SMALLEST_BATCH = 64
LARGEST_INPUT = 10.0
"""Standardised inputs are cut at so many standard deviations."""


@dataclass(frozen=True)
class ClassifierSettings:
    """The network and its training.

    Products are in bfloat16 where the device multiplies it fastest (2.3 times faster with AVX512-BF16), and
    in float32 elsewhere, where bfloat16 is made of several operations and takes 2.3 times as long.

    Attributes:
        hidden: Width of the two hidden layers.
        epochs: Passes over the training part.
        batch_size: Showers a step at most; small samples take fewer, so that an epoch has some 64 steps.
        learning_rate: At the start; it decays to zero along a cosine.
        weight_decay: Of AdamW.
        dropout: After each hidden layer.
        members: Networks whose logits are averaged; the others of an ensemble start from other weights.
        device: What trains: `auto`, `cpu`, `cuda`, `cuda:1`, ...
    """

    hidden: int = 512
    epochs: int = 12
    batch_size: int = 1024
    learning_rate: float = 1.5e-3
    weight_decay: float = 1e-2
    dropout: float = 0.2
    members: int = 1
    device: str = "cpu"


@dataclass(frozen=True)
class ClassifierResult:
    """An area under the ROC curve on showers the classifier was not trained on.

    Attributes:
        value: Mean over the seeds; 0.5 means indistinguishable.
        error: See `classifier_auc`.
        showers_per_class: Showers of each class, all three parts together.
        by_seed: The area of each seed.
    """

    value: float
    error: float
    showers_per_class: int
    by_seed: tuple[float, ...]


def classifier_auc(
    reference: Features,
    generated: Features,
    seeds: Sequence[int] = (0, 1, 2),
    settings: ClassifierSettings | None = None,
    tell: TellPart | None = None,
) -> ClassifierResult:
    """Train classifiers of generated against reference showers and return the area under the ROC curve.

    Shower i of both classes always falls in the same part, so that showers of the same incident particle
    never stand on both sides of a split. Each seed starts from other weights and tests on another fifth; up
    to five seeds test on different showers. The epoch is chosen on the validation part, the area is that of
    the test part. The error is sqrt((s^2 + 1 / (6 n)) / min(seeds, 5)): s the standard deviation between the
    seeds, n the test showers of a class, 1 / (6 n) the variance of the area under the null hypothesis (Mann
    and Whitney, Ann. Math. Statist. 18 (1947) 50). It is on the safe side, since s holds that variance too.

    Args:
        reference: (event, k) features of the reference showers, dense or in compressed sparse rows.
        generated: (event, k) features of as many generated showers.
        seeds: One training each.
        settings: The network and its training; default `ClassifierSettings()`.
        tell: Called with a text and the part done (0 to 1) after each epoch.

    Raises:
        CalokitError: The classes differ in size or features, or are too small to split, or the device is
            not there.
    """
    check_classes(reference, generated, len(seeds))
    events = int(reference.shape[0])
    settings = settings or ClassifierSettings()
    order = np.random.default_rng([min(seeds), events]).permutation(events)
    areas = []
    for index, seed in enumerate(seeds):
        step = _step_of(tell, index, len(seeds), settings)
        turned = np.roll(order, -(index % FOLDS) * (events // FOLDS))
        areas.append(_area_of_one_seed(reference, generated, turned, seed, settings, step))
    spread = float(np.std(areas, ddof=1)) if len(areas) > 1 else 0.0
    null_variance = 1.0 / (6.0 * (events // FOLDS))
    error = math.sqrt((spread**2 + null_variance) / min(len(areas), FOLDS))
    return ClassifierResult(float(np.mean(areas)), error, events, tuple(areas))


def _step_of(
    tell: TellPart | None, index: int, seeds: int, settings: ClassifierSettings
) -> Callable[[], None]:
    """Return what each epoch calls to tell how far the whole is."""
    total = seeds * settings.members * settings.epochs
    done = index * settings.members * settings.epochs

    def step() -> None:
        nonlocal done
        done += 1
        if tell is not None:
            tell("classifier", done / total)

    return step


def _area_of_one_seed(
    reference: Features,
    generated: Features,
    order: Integer,
    seed: int,
    settings: ClassifierSettings,
    step: Callable[[], None],
) -> float:
    events = len(order)
    fifth = events // FOLDS
    test, validation, training = order[:fifth], order[fifth : 2 * fifth], order[2 * fifth :]
    source = _PairedRows(reference, generated, training)
    members = np.random.SeedSequence([seed, events]).spawn(settings.members)
    logits = np.zeros(2 * fifth)
    for member in members:
        network = _train(source, training, validation, np.random.default_rng(member), settings, step)
        logits += _score(network, source, test, settings)
    return roc_area(labels_of(len(test)), logits)


class _PairedRows:
    """Serves standardised rows of both classes; row i < n is the reference's, row n + i the generated's."""

    def __init__(self, reference: Features, generated: Features, training: Integer) -> None:
        self.classes = (reference, generated)
        self.events = int(reference.shape[0])
        total, squares, count = 0.0, 0.0, 2 * len(training)
        for features in self.classes:
            for start in range(0, len(training), 4096):
                rows = dense_rows(features, training[start : start + 4096]).astype(np.float64)
                total = total + rows.sum(axis=0)
                squares = squares + (rows**2).sum(axis=0)
        mean = np.asarray(total) / count
        deviation = np.sqrt(np.maximum(np.asarray(squares) / count - mean**2, 0.0))
        self.kept = np.flatnonzero(deviation > 1e-6 * (1.0 + np.abs(mean)))
        self.mean = mean[self.kept].astype(np.float32)
        self.deviation = deviation[self.kept].astype(np.float32)

    def rows(self, index: Integer) -> torch.Tensor:
        """Return standardised rows, those of the reference before those of the generated; (row, kept)."""
        which = index >= self.events
        parts = [
            dense_rows(features, index[side] - offset)[:, self.kept]
            for features, side, offset in zip(self.classes, (~which, which), (0, self.events), strict=True)
        ]
        standardised = (np.concatenate(parts) - self.mean) / self.deviation
        # a cell that is hardly ever hit must not tower above the others when it is
        return torch.from_numpy(np.clip(standardised, -LARGEST_INPUT, LARGEST_INPUT))


def _train(
    source: _PairedRows,
    training: Integer,
    validation: Integer,
    generator: np.random.Generator,
    settings: ClassifierSettings,
    step: Callable[[], None],
) -> nn.Module:
    """Train one network and return it with the weights of its best epoch."""
    device = Device.of(settings.device)
    precision = native_precision(device)
    network = _build(len(source.kept), settings, generator, device)
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )
    both = np.concatenate([training, training + source.events])
    batch = min(settings.batch_size, max(len(both) // STEPS_PER_EPOCH, SMALLEST_BATCH))
    steps = settings.epochs * math.ceil(len(both) / batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    loss_of = nn.BCEWithLogitsLoss()
    best_area, best_weights = -1.0, network.state_dict()
    for _ in range(settings.epochs):
        network.train()
        for index in batches_of(generator.permutation(both), batch):
            labels = device.put(torch.from_numpy(np.sort(index >= source.events).astype(np.float32)))
            with precision.autocast(device):
                logits = network(device.put(source.rows(index)))[:, 0]
            optimiser.zero_grad(set_to_none=True)
            loss_of(logits.float(), labels).backward()
            optimiser.step()
            schedule.step()
        area = roc_area(labels_of(len(validation)), _score(network, source, validation, settings))
        if area > best_area:
            best_area = area
            best_weights = {name: weight.clone() for name, weight in network.state_dict().items()}
        step()
    network.load_state_dict(best_weights)
    return network


class _Dropout(nn.Module):
    """Dropout that draws from its own generator, so that a seed gives the same classifier always."""

    def __init__(self, part: float, random: Generator) -> None:
        super().__init__()
        self.part, self.random = part, random

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        if not self.training or self.part == 0.0:
            return values
        kept = torch.empty_like(values).bernoulli_(1.0 - self.part, generator=self.random)
        return values * kept / (1.0 - self.part)


def _build(
    inputs: int, settings: ClassifierSettings, generator: np.random.Generator, device: Device
) -> nn.Module:
    """Build the network on a device, weights drawn on the processor (He initialisation)."""
    widths = [inputs, settings.hidden, settings.hidden, 1]
    layers: list[nn.Module] = []
    random = CPU.generator(int(generator.integers(2**62)))
    dropping = random if device.is_host else device.generator(random.initial_seed())
    for inward, outward in itertools.pairwise(widths):
        layer: nn.Linear = torch.nn.utils.skip_init(nn.Linear, inward, outward)  # type: ignore[no-untyped-call]
        with torch.no_grad():
            layer.weight.normal_(
                0.0, math.sqrt((1.0 if outward == 1 else 2.0) / max(inward, 1)), generator=random
            )
            layer.bias.zero_()
        layers += [layer, nn.LeakyReLU(0.01), _Dropout(settings.dropout, dropping)]
    return device.put(nn.Sequential(*layers[:-2]))


def _score(network: nn.Module, source: _PairedRows, events: Integer, settings: ClassifierSettings) -> Float64:
    """Return logits of both classes of the given events, reference first; (2 * event,)."""
    network.eval()
    scores = []
    device = Device.holding(network)
    with torch.inference_mode(), native_precision(device).autocast(device):
        for offset in (0, source.events):
            for index in batches_of(events + offset, 4 * settings.batch_size):
                logits = network(device.put(source.rows(index)))[:, 0]
                scores.append(logits.float().cpu().numpy().astype(np.float64))
    return np.concatenate(scores)
