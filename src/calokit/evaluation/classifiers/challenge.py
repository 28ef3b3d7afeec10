"""The classifiers of CaloChallenge: generated against reference showers, as its evaluation trains them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from calokit.arrays import Float64, Integer
from calokit.compute.device import CPU, Device
from calokit.errors import CalokitError
from calokit.evaluation.classifiers.challenge_networks import ChallengeNetwork, ResidualNetwork, draw_weights
from calokit.evaluation.classifiers.discrimination import (
    calibrate_scores,
    check_classes,
    dense_rows,
    jensen_shannon,
    roc_area,
    roc_area_error,
)
from calokit.evaluation.classifiers.inputs import ClassifierInputs, batches_of
from calokit.progress import TellPart

PARTS = (0.6, 0.2, 0.2)
"""Training, choice of the epoch and calibration, final numbers."""
FOLDS = 5
"""So many seeds have final parts of different showers."""


@dataclass(frozen=True)
class ChallengeSettings:
    """The training; the defaults are those of CaloChallenge's evaluate.py, but in single precision.

    Attributes:
        hidden: Width of the hidden layers of the dense network.
        hidden_layers: Hidden layers of the dense network (`--cls_n_layer` 2 there makes 3).
        epochs: Passes over the training part at most.
        batch_size: Showers a step.
        learning_rate: Of Adam, constant.
        patience: Stop after so many epochs without a better accuracy on the selection part; None goes on to
            the end, as CaloChallenge does.
        double_precision: Weights and arithmetic in float64, as CaloChallenge has them; about twice the time.
        paired_split: Put shower i of both classes in the same part. CaloChallenge shuffles each class by
            itself; where both hold showers of the same incidents that lets the network recognise a training
            shower's partner, of the other class, and pulls the area below one half.
        condition_hidden: Width of a hidden layer over image and conditions in the convolutional network,
            which without it cannot see that the two do not belong together; 0 as CaloChallenge has it.
        device: What trains: `auto`, `cpu`, `cuda`, `cuda:1`, ...
    """

    hidden: int = 2048
    hidden_layers: int = 3
    epochs: int = 50
    batch_size: int = 1000
    learning_rate: float = 2e-4
    patience: int | None = None
    double_precision: bool = False
    paired_split: bool = False
    condition_hidden: int = 0
    device: str = "cpu"


AS_CALOCHALLENGE = ChallengeSettings(double_precision=True)
"""The published procedure, double precision included; give it inputs with `energy_only`."""


@dataclass(frozen=True)
class ChallengeRun:
    """One training and its numbers.

    Attributes:
        auc: Area under the ROC curve of calibrated scores, final part.
        jsd: Jensen-Shannon divergence in bits from calibrated scores, final part; may be below 0.
        auc_uncalibrated: Area of the network's own scores, final part; calibration ties scores.
        auc_error: Of the final part's showers alone (DeLong).
        jsd_error: Of the final part's showers alone.
        accuracy: Best accuracy, selection part.
        epochs_run: Epochs trained.
        epoch_chosen: The epoch that `accuracy` is of, counted from 1.
    """

    auc: float
    jsd: float
    auc_uncalibrated: float
    auc_error: float
    jsd_error: float
    accuracy: float
    epochs_run: int
    epoch_chosen: int


@dataclass(frozen=True)
class ChallengeResult:
    """Means over the seeds with their errors.

    With s the standard deviation between the seeds and e the mean square error of one run from its final
    showers, an error is sqrt((s^2 + e^2) / min(seeds, 5)); on the safe side, since s holds e too.

    Attributes:
        auc: Area under the ROC curve, calibrated; 0.5 means indistinguishable.
        auc_error: See above.
        jsd: Jensen-Shannon divergence in bits; 0 means indistinguishable, 1 told apart always.
        jsd_error: See above.
        auc_uncalibrated: Area of the networks' own scores.
        showers_per_class: Showers of each class, all three parts together.
        parameters: Trained weights of the network.
        runs: Each seed's numbers, in the order given.
    """

    auc: float
    auc_error: float
    jsd: float
    jsd_error: float
    auc_uncalibrated: float
    showers_per_class: int
    parameters: int
    runs: tuple[ChallengeRun, ...]


def challenge_dense_auc(
    reference: ClassifierInputs,
    generated: ClassifierInputs,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    settings: ChallengeSettings | None = None,
    tell: TellPart | None = None,
) -> ChallengeResult:
    """Train CaloChallenge's dense classifier and return its area and divergence.

    With voxels it is `cls-low` there, with observables `cls-high`. The procedure is that of CaloChallenge's
    code/evaluate.py (arXiv:2410.21611). 60 % of the showers train. On the next 20 %, the selection part
    (called "test" there), the epoch of best accuracy is chosen and an isotonic calibration is fitted. Area
    and divergence are those of calibrated scores of the last 20 %, the final part (called "val" there), which
    took no part in either choice. Training ends early where the selection part is told apart without a
    mistake. Each seed starts from other weights and another split.

    Args:
        reference: The reference showers, from `voxel_inputs` or `observable_inputs`.
        generated: As many generated showers.
        seeds: One training each.
        settings: Default `ChallengeSettings()`.
        tell: Called with a text and the part done (0 to 1) after each epoch.

    Raises:
        CalokitError: The classes differ in size or inputs, are too small, hold numbers that are not finite,
            or the device is not there.
    """
    settings = settings or ChallengeSettings()

    def build() -> nn.Module:
        columns = reference.conditions.shape[1] + int(reference.features.shape[1])
        return ChallengeNetwork(columns, settings.hidden, settings.hidden_layers)

    return _judge(reference, generated, seeds, settings, build, tell)


def challenge_image_auc(
    reference: ClassifierInputs,
    generated: ClassifierInputs,
    image_shape: tuple[int, int, int],
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    settings: ChallengeSettings | None = None,
    tell: TellPart | None = None,
) -> ChallengeResult:
    """Train CaloChallenge's 3D convolutional classifier and return its area and divergence.

    It is `cls-resnet` there. Splits, selection and calibration are those of `challenge_dense_auc`.

    Args:
        reference: The reference showers, from `voxel_inputs`.
        generated: As many generated showers.
        image_shape: (layer, phi, r) or (layer, x, y) cells of a readout that is regular in all layers.
        seeds: One training each.
        settings: Default `ChallengeSettings()`.
        tell: Called with a text and the part done (0 to 1) after each epoch.

    Raises:
        CalokitError: As `challenge_dense_auc`, or the cells do not make such images.
    """
    settings = settings or ChallengeSettings()
    cells = int(reference.features.shape[1])
    if math.prod(image_shape) != cells:
        raise CalokitError(
            f"classifier: {cells} cells do not make images of {' x '.join(map(str, image_shape))}; give the "
            "(layer, phi, r) or (layer, x, y) shape of the whole readout."
        )

    def build() -> nn.Module:
        return ResidualNetwork(image_shape, reference.conditions.shape[1], settings.condition_hidden)

    return _judge(reference, generated, seeds, settings, build, tell)


def _judge(
    reference: ClassifierInputs,
    generated: ClassifierInputs,
    seeds: Sequence[int],
    settings: ChallengeSettings,
    build: Callable[[], nn.Module],
    tell: TellPart | None,
) -> ChallengeResult:
    """Train one network a seed and put the numbers together."""
    check_classes(reference.features, generated.features, len(seeds))
    check_classes(reference.conditions, generated.conditions, len(seeds))
    events = len(reference.conditions)
    device = Device.of(settings.device)
    splits = np.random.default_rng([min(seeds), events])
    orders = [splits.permutation(events) for _ in range(2)]
    if settings.paired_split:
        orders[1] = orders[0]
    runs = []
    parameters = 0
    for index, seed in enumerate(seeds):

        def report(part: float, run: int = index) -> None:
            if tell is not None:
                tell("CaloChallenge classifier", (run + part) / len(seeds))

        turned = [np.roll(order, -(index % FOLDS) * (events // FOLDS)) for order in orders]
        random = np.random.default_rng([seed, events])
        with torch.device("meta"):
            network = build()
        network.to_empty(device=CPU.place)
        draw_weights(network, CPU.generator(int(random.integers(2**62))))
        device.put(network).to(torch.float64 if settings.double_precision else torch.float32)
        parameters = sum(weight.numel() for weight in network.parameters())
        runs.append(_Training(reference, generated, turned, network, settings, report).run(random))
    return _summarise(tuple(runs), events, parameters)


def _summarise(runs: tuple[ChallengeRun, ...], events: int, parameters: int) -> ChallengeResult:
    table = np.array([[run.auc, run.jsd, run.auc_error, run.jsd_error] for run in runs])
    spread = table[:, :2].std(axis=0, ddof=1) if len(runs) > 1 else np.zeros(2)
    errors = np.sqrt((spread**2 + (table[:, 2:] ** 2).mean(axis=0)) / min(len(runs), FOLDS))
    return ChallengeResult(
        float(table[:, 0].mean()),
        float(errors[0]),
        float(table[:, 1].mean()),
        float(errors[1]),
        float(np.mean([run.auc_uncalibrated for run in runs])),
        events,
        parameters,
        runs,
    )


class _Training:
    """One network, the parts of its showers, and its training; row n + i is shower i of the generated."""

    def __init__(
        self,
        reference: ClassifierInputs,
        generated: ClassifierInputs,
        orders: Sequence[Integer],
        network: nn.Module,
        settings: ChallengeSettings,
        report: Callable[[float], None],
    ) -> None:
        self.classes = (reference, generated)
        self.network, self.settings, self.report = network, settings, report
        self.events = len(reference.conditions)
        cuts = (self.events * np.array(PARTS)).astype(int).cumsum()[:-1]
        parts = [np.split(order, cuts) for order in orders]
        self.training, self.selection, self.final = (
            np.concatenate([first, second + self.events]) for first, second in zip(*parts, strict=True)
        )
        first = next(network.parameters())
        self.dtype, self.device = first.dtype, first.device
        known = np.concatenate([each.conditions for each in self.classes])[self.training].astype(np.float64)
        self.mean, self.deviation = known.mean(axis=0), known.std(axis=0)
        self.mean[0], self.deviation[0] = 0.0, 1.0
        self.deviation[self.deviation <= 1e-6 * (1.0 + np.abs(self.mean))] = 1.0

    def run(self, random: np.random.Generator) -> ChallengeRun:
        """Train, take the epoch of best accuracy on the selection part, and measure on the final part."""
        optimiser = torch.optim.Adam(self.network.parameters(), lr=self.settings.learning_rate, fused=True)
        labels = self._labels(self.selection)
        best_accuracy, best_epoch, epoch = -1.0, 0, 0
        best = self.network.state_dict()
        for epoch in range(1, self.settings.epochs + 1):
            self._train_epoch(optimiser, random.permutation(self.training))
            accuracy = float(np.mean((self._score(self.selection) > 0.0) == labels))
            if accuracy > best_accuracy:
                best_accuracy, best_epoch = accuracy, epoch
                best = {name: weight.clone() for name, weight in self.network.state_dict().items()}
            self.report(epoch / self.settings.epochs)
            patience = self.settings.patience
            if accuracy == 1.0 or (patience is not None and epoch - best_epoch >= patience):
                break
        self.network.load_state_dict(best)
        self.report(1.0)
        return self._measure(best_accuracy, epoch, best_epoch)

    def _measure(self, accuracy: float, epochs: int, chosen: int) -> ChallengeRun:
        own = _sigmoid(self._score(self.final))
        labels = self._labels(self.final)
        calibrated = calibrate_scores(
            self._labels(self.selection), _sigmoid(self._score(self.selection)), own
        )
        jsd, jsd_error = jensen_shannon(labels, calibrated)
        return ChallengeRun(
            roc_area(labels, calibrated),
            jsd,
            roc_area(labels, own),
            roc_area_error(labels, calibrated),
            jsd_error,
            accuracy,
            epochs,
            chosen,
        )

    def _train_epoch(self, optimiser: torch.optim.Optimizer, order: Integer) -> None:
        self.network.train()
        loss_of = nn.BCEWithLogitsLoss()
        for index in batches_of(order, self.settings.batch_size):
            if len(index) == 1:
                continue  # batch normalisation has no variance of one shower
            labels = torch.from_numpy(self._labels(index)).to(self.device, self.dtype)
            optimiser.zero_grad(set_to_none=True)
            loss_of(self.network(self._rows(index))[:, 0], labels).backward()
            optimiser.step()

    def _score(self, index: Integer) -> Float64:
        """Return the logits of rows; (row,)."""
        self.network.eval()
        with torch.inference_mode():
            logits = [
                self.network(self._rows(part))[:, 0].cpu().numpy().astype(np.float64)
                for part in batches_of(index, self.settings.batch_size)
            ]
        return np.concatenate(logits)

    def _rows(self, index: Integer) -> torch.Tensor:
        """Return the network's input in the order of the index; (row, conditions + features)."""
        generated = self._labels(index)
        columns = self.classes[0].conditions.shape[1] + int(self.classes[0].features.shape[1])
        rows = np.empty((len(index), columns), np.float32)
        for each, side, offset in zip(self.classes, (~generated, generated), (0, self.events), strict=True):
            shower = index[side] - offset
            conditions = (each.conditions[shower] - self.mean) / self.deviation
            rows[side] = np.concatenate([conditions, dense_rows(each.features, shower)], axis=1)
        return torch.from_numpy(rows).to(self.device, self.dtype)

    def _labels(self, index: Integer) -> NDArray[np.bool_]:
        """Return True for generated showers."""
        return np.asarray(index >= self.events)


def _sigmoid(logits: Float64) -> Float64:
    probabilities: Float64 = 0.5 * (1.0 + np.tanh(0.5 * logits))
    return probabilities
