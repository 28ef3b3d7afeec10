"""Completing showers: the first layers are known cell by cell, of the others the energy and the hits."""

from __future__ import annotations

import torch

from calokit.bundles.bundle import Bundle, check_detector
from calokit.bundles.ranges import incidents_outside, ranges_of, warn_outside
from calokit.compute.device import CPU, Device
from calokit.compute.draws import Noise, Purpose, draw_generator, draw_noise
from calokit.errors import BundleError, ConfigurationError
from calokit.inference.incident_checks import check_asked, check_seed
from calokit.models.batches import TrainingBatch
from calokit.models.protocols import CompletesShowers, Trainable
from calokit.showers import Showers


def complete_showers(
    bundle: Bundle, showers: Showers, layers: int, seed: int = 1, device: Device = CPU
) -> Showers:
    """Return showers whose cells behind the first layers are drawn anew by a bundle.

    The draw is exact: the cells that are drawn follow the bundle's density given the incident particle, the
    cells of the first layers, and energy and hits of every layer.

    Args:
        bundle: A surrogate that can (the cascade).
        showers: Showers with incident particles. Cells at or below the bundle's threshold are taken as empty.
        layers: How many layers are kept as they are; 0 keeps the energies and hits of layers alone.
        seed: Decides every draw.
        device: What computes.

    Raises:
        BundleError: The bundle cannot complete showers.
        ConfigurationError: There are not so many layers, the seed is none, or the surrogate needs impacts or
            directions and they are not known.
        ShowerFileError: Incident particles that cannot be.
        DetectorError: The showers are of another detector.

    Example:
        >>> from calokit.inference import complete_showers, read_bundle
        >>> bundle = read_bundle("zoo/luxe_cascade.calokit")                             # doctest: +SKIP
        >>> complete_showers(bundle, open_showers("showers.h5").read(0, 100), layers=5)   # doctest: +SKIP
    """
    model = bundle.model
    if not isinstance(model, CompletesShowers):
        kind = bundle.recipe.model.kind
        raise BundleError(
            f"bundle {bundle.name} is of kind {kind!r}, which completes no showers; train a `cascade`."
        )
    check_detector(bundle, showers.detector, "the showers are")
    most = bundle.detector.number_of_layers
    if not (layers == int(layers) and 0 <= layers <= most):
        raise ConfigurationError(f"layers = {layers}: detector {bundle.detector.name!r} has {most} layers.")
    check_seed(seed)
    assert isinstance(model, Trainable)
    check_asked(bundle, model.conditions, showers.incidents)
    ranges = ranges_of(bundle.ranges, model.conditions)
    outside = incidents_outside(ranges, showers.incidents)
    warn_outside(outside, ranges, bundle.name, "incident particles", "their showers", 2)
    device.put(model)
    keys = draw_noise(Noise("key"), len(showers), draw_generator(seed, Purpose.GENERATION, 0))[:, 0]
    batch = device.put(TrainingBatch.of(showers))
    with torch.inference_mode():
        energies = model.complete(batch, device.put(keys), layers).cpu().numpy()
    return Showers.of(energies, showers.detector, showers.incidents)
