"""The frame of a shower: hits and incident particles turned so that z is the depth in the calorimeter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import NonNegativeFloat

from calokit.arrays import Float64
from calokit.config import Description
from calokit.errors import ConfigurationError, ShowerFileError

Vector = tuple[float, float, float]


class Frame(Description):
    """Where the axis of the detector's grid lies in the coordinates of a file.

    Attributes:
        origin_mm: A point on the axis; the vertex of the incident particle where not given.
        axis: Direction of the axis into the calorimeter; that of the incident particle where not given. Its
            length does not matter.
        front_mm: Distance along the axis from the origin to the front face; where not given, that of the
            detector (`front_mm` there).
        x_axis: Direction whose part across the axis becomes x, the rows; where not given, x and y come from
            the smallest rotation that turns the axis into z.
    """

    origin_mm: Vector | None = None
    axis: Vector | None = None
    front_mm: NonNegativeFloat | None = None
    x_axis: Vector | None = None


@dataclass(frozen=True)
class PlacedFrame:
    """A frame for each of some events.

    Attributes:
        fronts: Where the axis meets the front face, in the file's coordinates (event, 3), mm.
        rotations: Matrices (event, 3, 3) that turn a vector of the file into the shower's frame.
    """

    fronts: Float64
    rotations: Float64

    def turn_points(self, events: NDArray[np.int64], points_mm: NDArray[Any]) -> Float64:
        """Return points (point, 3) in the frame of their events: x, y and depth in mm."""
        shifted = np.asarray(points_mm, dtype=np.float64) - self.fronts[events]
        return np.asarray(np.einsum("pij,pj->pi", self.rotations[events], shifted))

    def turn_directions(self, events: NDArray[np.int64], vectors: NDArray[Any]) -> Float64:
        """Return vectors (vector, 3) in the frame of their events."""
        given = np.asarray(vectors, dtype=np.float64)
        return np.asarray(np.einsum("pij,pj->pi", self.rotations[events], given))


def place_frame(
    frame: Frame, vertices_mm: Float64, directions: Float64, detector_front_mm: float
) -> PlacedFrame:
    """Return the frame of each event.

    Args:
        frame: The description.
        vertices_mm: Vertex of the first incident particle of each event (event, 3).
        directions: Its direction, a unit vector (event, 3).
        detector_front_mm: Distance of the front face that the detector gives.

    Raises:
        ConfigurationError: The axis has no length, or `x_axis` lies along it.

    Example:
        >>> along_y = np.array([[0.0, 1.0, 0.0]])
        >>> placed = place_frame(Frame(), np.zeros((1, 3)), along_y, 100.0)
        >>> placed.turn_points(np.array([0]), np.array([[3.0, 107.0, -2.0]])).tolist()
        [[3.0, 2.0, 7.0]]
    """
    axes = directions if frame.axis is None else np.tile(_unit(frame.axis, "axis"), (len(directions), 1))
    origins = vertices_mm if frame.origin_mm is None else np.tile(frame.origin_mm, (len(directions), 1))
    distance = detector_front_mm if frame.front_mm is None else frame.front_mm
    if frame.x_axis is None:
        rotations = smallest_rotations(axes)
    else:
        rotations = _rotations_with_x(axes, _unit(frame.x_axis, "x_axis"))
    return PlacedFrame(origins + distance * axes, rotations)


def smallest_rotations(axes: Float64) -> Float64:
    """Return the matrices (n, 3, 3) of the smallest rotations that turn unit vectors (n, 3) into z.

    An axis opposite to z is turned about x. (Rodrigues' formula.)
    """
    cross = np.zeros((len(axes), 3, 3))
    cross[:, 0, 2], cross[:, 2, 0] = -axes[:, 0], axes[:, 0]
    cross[:, 1, 2], cross[:, 2, 1] = -axes[:, 1], axes[:, 1]
    cosine = axes[:, 2]
    opposite = cosine < -1.0 + 1e-12
    scale = 1.0 / np.where(opposite, 1.0, 1.0 + cosine)
    rotations = np.eye(3) + cross + scale[:, None, None] * (cross @ cross)
    rotations[opposite] = np.diag([1.0, -1.0, -1.0])
    # The third row is the axis itself, whatever the rounding.
    rotations[~opposite, 2] = axes[~opposite]
    return rotations


def _rotations_with_x(axes: Float64, x_axis: Float64) -> Float64:
    """Return matrices whose rows are x (across the axis), y and the axis."""
    x = x_axis - (axes @ x_axis)[:, None] * axes
    length = np.linalg.norm(x, axis=1)
    if (length < 1e-6).any():
        raise ConfigurationError("frame: x_axis lies along the axis; give a direction across it.")
    x = x / length[:, None]
    return np.stack([x, np.cross(axes, x), axes], axis=1)


def _unit(vector: Vector, name: str) -> Float64:
    """Return a given vector with length 1."""
    array = np.array(vector, dtype=np.float64)
    length = float(np.linalg.norm(array))
    if length == 0:
        raise ConfigurationError(f"frame: {name} must not be zero.")
    return array / length


def check_inward(directions: Float64, events: NDArray[np.int64], where: str) -> None:
    """Refuse incident particles that do not fly into the calorimeter.

    Raises:
        ShowerFileError: A direction (particle, 3), in the shower's frame, has z <= 0.
    """
    bad = np.flatnonzero(directions[:, 2] <= 0)
    if len(bad):
        raise ShowerFileError(
            f"{where}: an incident particle of event {events[bad[0]]} of these does not fly into the "
            "calorimeter; check the frame's axis."
        )
