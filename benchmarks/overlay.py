"""Events of several particles, made by adding single showers (`benchmarks/systems/luxe_data.py` does)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calokit.detector.images import cartesian_image
from calokit.errors import ConfigurationError
from calokit.showers.batch import Showers
from calokit.showers.particles import Particles


def overlay_showers(
    showers: Showers,
    events: int,
    multiplicities: tuple[int, int],
    reach_rows: int,
    rng: np.random.Generator,
) -> Showers:
    """Add single showers, each moved by whole rows, to events of several particles.

    Deposits of particles that do not meet are independent and add up, so an event of several particles is
    exactly the sum of single ones. Every number of particles is equally frequent; the showers and the moves
    along x are drawn with replacement.

    Args:
        showers: Single showers in a detector of one Cartesian section, with positions and directions.
        events: How many events to make.
        multiplicities: The smallest and the largest number of particles an event.
        reach_rows: Largest move along x, in rows.
        rng: The source of every draw.

    Returns:
        Events whose `particles` are sorted by energy, the largest first; cells that a shower loses over the
        edge are lost.

    Raises:
        ConfigurationError: The detector has several sections or another readout, the multiplicities are no
            range, or the showers lack positions or directions.
    """
    pitch = cartesian_image(showers.detector, "an overlay").slow.pitch
    assert pitch is not None
    smallest, largest = multiplicities
    if not 1 <= smallest <= largest:
        raise ConfigurationError(f"multiplicities {multiplicities}: write the smallest, at least 1, first.")
    if showers.positions is None or showers.directions is None:
        raise ConfigurationError("an overlay needs showers with incident positions and directions.")
    counts = rng.integers(smallest, largest + 1, events)
    picked = rng.integers(0, len(showers), (events, largest))
    moves = rng.integers(-reach_rows, reach_rows + 1, (events, largest))
    present = np.arange(largest) < counts[:, None]
    drawn = np.where(present, showers.incident_energies[picked], 0.0).astype(np.float32)
    order = np.argsort(-drawn, axis=1, kind="stable")
    picked, moves = (np.take_along_axis(one, order, axis=1) for one in (picked, moves))
    energies: NDArray[np.float32] = np.take_along_axis(drawn, order, axis=1)
    positions = showers.positions[picked] + np.stack([moves * pitch, np.zeros_like(moves)], axis=2)
    known = energies > 0
    particles = Particles(
        energies,
        np.where(known, -11 if showers.pdg is None else showers.pdg[picked], 0).astype(np.int32),
        np.where(known[..., None], positions, 0.0).astype(np.float32),
        np.where(known[..., None], showers.directions[picked], [0.0, 0.0, 1.0]).astype(np.float32),
    )
    images = np.zeros((events, *showers.detector.shape), np.float32)
    for event, particle in zip(*np.nonzero(known), strict=True):
        _add_moved(images[event], showers.images[picked[event, particle]], int(moves[event, particle]))
    return Showers(
        images.reshape(events, -1),
        particles.total_energies,
        showers.detector,
        particles.positions[:, 0],
        particles.directions[:, 0],
        particles.pdg[:, 0],
        particles,
    )


def _add_moved(target: NDArray[np.float32], image: NDArray[np.float32], rows: int) -> None:
    """Add an image (layer, row, column), moved by some rows, to a target of the same shape."""
    if rows >= 0:
        target[:, rows:] += image[:, : image.shape[1] - rows]
    else:
        target[:, :rows] += image[:, -rows:]
