"""Batches for the loop: read from the file in each epoch, or prepared once and kept in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from calokit.models.protocols import Batch, Trainable
from calokit.showers import ShowerFile, Showers
from calokit.training.data import ShuffledShowers


class BatchSource:
    """Gives the loop what the model makes of training and validation showers.

    A model that keeps its inputs gets every shower prepared once (hits are a hundredth of the cells) and
    batches in an order that is new in each epoch; the other models get what is read from the file, in the
    order of `ShuffledShowers`. Either way a batch follows from the seed and its number alone, and is moved to
    the model's device once.

    Args:
        model: The model, its transforms fitted, on the device that trains.
        data: The training showers.
        validation: The validation showers.
        most_validation: How many of them are used at most.
    """

    def __init__(
        self, model: Trainable[Any], data: ShuffledShowers, validation: ShowerFile, most_validation: int
    ) -> None:
        self.model = model
        self.data = data
        self._whole_view = validation
        self.validation = validation.head(most_validation)
        self._training: Batch | None = None
        self._validating: Batch | None = None

    def training(self, start: int = 0) -> Iterator[Any]:
        """Yield batches number `start`, `start` + 1, ... without end."""
        if not self.model.keeps_inputs:
            for showers in self.data.batches(start):
                yield self._put(self.model.prepare(showers))
        if self._training is None:
            self._training = self._prepare(self.data.view)
        size, an_epoch = self.data.batch_size, self.data.batches_an_epoch
        while True:
            epoch, first = divmod(start, an_epoch)
            order = self.data.order(epoch)
            for number in range(first, an_epoch):
                picked = torch.from_numpy(order[number * size : (number + 1) * size])
                yield self._put(self._training[picked])
            start = (epoch + 1) * an_epoch

    def validating(self) -> Iterator[Any]:
        """Yield the validation showers in file order, in batches of the training's size."""
        if not self.model.keeps_inputs:
            for showers in self.validation.chunks(self.data.batch_size):
                yield self._put(self.model.prepare(showers))
            return
        whole = self.whole_validation()
        for start in range(0, len(whole), self.data.batch_size):
            yield whole[start : start + self.data.batch_size]

    def whole_validation(self) -> Any:
        """Return all validation showers, prepared and kept on the model's device."""
        if self._validating is None:
            self._validating = self._put(self._prepare(self.validation))
        return self._validating

    def sample(self, showers: int) -> Showers:
        """Return a shuffled sample of at most so many training showers, as they are in the file."""
        return self.data.sample(showers)

    def monitored(self, showers: int) -> Showers | None:
        """Return the first validation showers, or None where none are asked for."""
        view = self._whole_view
        return view.read(0, min(showers, len(view))) if showers > 0 else None

    def _put(self, batch: Batch) -> Batch:
        """Return a batch on the model's device."""
        return self.model.device.put(batch)

    def _prepare(self, view: ShowerFile) -> Batch:
        parts = [self.model.prepare(showers) for showers in view.chunks()]
        joined: Batch = type(parts[0]).join(parts)
        return joined
