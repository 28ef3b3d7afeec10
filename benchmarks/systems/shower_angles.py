"""The angles that showers tell by the barycentres of their layers: Geant4's beside generated ones.

    python -m benchmarks.systems.shower_angles BUNDLE --test TEST.h5

One shower is generated for each incident particle of the test file, at angles of one plane. The angle that a
shower tells is that of the line of least squares through the barycentres of its layers, a layer weighted by
its energy (`ShowerAxis.told`). In bins of the incident angle: its mean and its spread about a straight line
in the incident angle, fitted to Geant4's showers. Writes benchmarks/results/shower_angles.json.
"""

from __future__ import annotations

import argparse
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from benchmarks.record import Row, describe_circumstances, print_rows, write_record
from calokit.arrays import Float64
from calokit.inference import generate_like, read_bundle
from calokit.inference.generate import need_surrogate
from calokit.models.adversarial.shower_axis import ShowerAxis
from calokit.models.parts.places import CartesianImage
from calokit.showers import Showers, open_showers
from calokit.showers.incidents import direction_components

EDGES_DEG = (-30.0, -20.0, -10.0, 0.0, 10.0, 20.0, 30.0)
PIECE = 100


def told_angles(showers: Showers) -> Float64:
    """Return the angles (event, 2) that showers tell, in degrees: theta cos phi and theta sin phi."""
    axis, image = ShowerAxis(showers.detector), CartesianImage(showers.detector)
    pieces = torch.split(torch.from_numpy(showers.energies), PIECE)
    told = torch.cat([axis.told(image.fold(piece)) for piece in pieces])
    angles: Float64 = np.degrees(told.double().numpy())
    return angles


def incident_angles(showers: Showers) -> Float64:
    """Return the angles (event, 2) of the incident particles, in degrees: theta cos phi and theta sin phi."""
    directions = showers.incidents.directions
    if directions is None:
        raise SystemExit("the showers say nothing of directions.")
    return np.degrees(direction_components(directions))


def compare(truth: Showers, generated: Showers) -> list[Row]:
    """Return a row for each bin of the incident angle: mean and spread of what showers tell."""
    incident = incident_angles(truth)
    plane = int(incident.std(axis=0).argmax())
    told = {"Geant4": told_angles(truth), "generated": told_angles(generated)}
    line = np.polyfit(incident[:, plane], told["Geant4"][:, plane], 1)
    rows: list[Row] = []
    for low, high in pairwise(EDGES_DEG):
        inside = (incident[:, plane] >= low) & (incident[:, plane] < high)
        row: Row = {"low_deg": low, "high_deg": high, "showers": int(inside.sum())}
        for name, angles in told.items():
            wrong = angles[inside, plane] - np.polyval(line, incident[inside, plane])
            across = angles[inside, 1 - plane]
            for what, values in (("in plane", wrong), ("across", across)):
                row[f"{name}, {what}, mean"] = float(values.mean())
                row[f"{name}, {what}, spread"] = float(values.std(ddof=1))
        rows.append(row)
    return rows


def main() -> None:
    """Generate, compare, print and record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--test", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    test, bundle = open_showers(arguments.test), read_bundle(arguments.bundle)
    threshold = need_surrogate(bundle).threshold_mev
    truth = test.read_all().with_threshold(threshold)
    with tempfile.TemporaryDirectory(prefix="calokit-angles-") as folder:
        made = Path(folder) / "generated.h5"
        generate_like(bundle, test, made, 1)
        rows = compare(truth, open_showers(made).read_all().with_threshold(threshold))
    circumstances = describe_circumstances(1)
    print_rows(f"Angles told by showers, {bundle.name}", rows, circumstances)
    facts = {"bundle": bundle.name, "data": test.path.name, "lean": float(bundle.model.get_buffer("lean"))}
    write_record("shower_angles", rows, circumstances, threshold_mev=threshold, **facts)


if __name__ == "__main__":
    main()
