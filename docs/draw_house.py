"""Draw docs/images/house.svg, the rooms and what they import: `python docs/draw_house.py`.

Rooms stand in the order of the layers of pyproject.toml, the highest on top; an arrow says that a room
imports from another, and is left out where a longer way tells the same.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import grimp
import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

HOME = Path(__file__).resolve().parent.parent
PICTURE = HOME / "docs" / "images" / "house.svg"
ROOMS = {
    "cli": (0.5, "one file a command"),
    "journey": (0.5, "the whole journey from Python"),
    "studies": (0.26, "recipes x seeds x sizes"),
    "ensembles": (0.74, "members trained one after the other"),
    "training": (0.22, "one resumable loop"),
    "inference": (0.5, "showers and estimates"),
    "bundles": (0.36, "trained models as files"),
    "recipes": (0.2, "complete settings by name"),
    "models": (0.16, "families and their parts"),
    "report": (0.84, "figures, pages, tables"),
    "evaluation": (0.68, "every number beside its floor"),
    "classical": (0.34, "reconstruction without networks"),
    "simulation": (0.84, "Geant4 or formulas"),
    "showers": (0.5, "one batch, one file, many formats"),
    "detector": (0.5, "a detector is data"),
    "engine": (0.84, "tasks for many processes"),
    "compute": (0.12, "devices, draws, precision"),
}
"""Where each room stands from left to right, and its one idea."""
FOUNDATIONS = ("config", "units", "arrays", "files", "progress", "processors", "errors")
"""Single files that every room may import."""


def read_layers() -> list[list[str]]:
    """Return the rooms of each layer, the highest first, without the foundations."""
    contracts = tomllib.loads((HOME / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(one["layers"] for one in contracts if one["type"] == "layers")
    rooms = [[name.strip().removeprefix("calokit.") for name in layer.split("|")] for layer in layers]
    return [kept for layer in rooms if (kept := [name for name in layer if name not in FOUNDATIONS])]


def find_arrows(rooms: list[str]) -> set[tuple[str, str]]:
    """Return which room imports from which, without what a way over a third room tells already."""
    graph = grimp.build_graph("calokit", exclude_type_checking_imports=True)
    direct = {
        (one, other)
        for one in rooms
        for other in rooms
        if one != other
        and graph.direct_import_exists(
            importer=f"calokit.{one}", imported=f"calokit.{other}", as_packages=True
        )
    }
    reached = {room: _reach(room, direct) for room in rooms}
    return {
        (one, other)
        for one, other in direct
        if not any(other in reached[third] for start, third in direct if start == one and third != other)
    }


def _reach(room: str, arrows: set[tuple[str, str]]) -> set[str]:
    found: set[str] = set()
    ahead = [room]
    while ahead:
        here = ahead.pop()
        following = {other for one, other in arrows if one == here} - found
        found |= following
        ahead += following
    return found


def draw(axes: Axes, layers: list[list[str]], arrows: set[tuple[str, str]]) -> None:
    """Draw the rooms as boxes, a row a layer, and the arrows between them."""
    places = {room: (ROOMS[room][0], -float(row)) for row, layer in enumerate(layers) for room in layer}
    for one, other in sorted(arrows):
        axes.annotate(
            "",
            xy=(places[other][0], places[other][1] + 0.28),
            xytext=(places[one][0], places[one][1] - 0.28),
            arrowprops={"arrowstyle": "-|>", "color": "0.6", "connectionstyle": "arc3,rad=0.06"},
        )
    for room, (x, y) in places.items():
        box = {"boxstyle": "round,pad=0.35", "facecolor": "#eaf1f8", "edgecolor": "#30638e"}
        axes.text(x, y, f"{room}\n{ROOMS[room][1]}", ha="center", va="center", fontsize=9, bbox=box)
    bottom = -float(len(layers))
    axes.text(
        0.5,
        bottom,
        "below all: " + ", ".join(FOUNDATIONS),
        ha="center",
        va="center",
        fontsize=9,
        color="0.35",
    )
    axes.set_xlim(0.0, 1.0)
    axes.set_ylim(bottom - 0.4, 0.6)
    axes.set_axis_off()


def main() -> None:
    """Write the picture."""
    mpl.rcParams["svg.hashsalt"] = "calokit"
    layers = read_layers()
    figure, axes = plt.subplots(figsize=(9.0, 0.8 * len(layers) + 0.6), layout="constrained")
    draw(axes, layers, find_arrows([room for layer in layers for room in layer]))
    figure.savefig(PICTURE, metadata={"Date": None})


if __name__ == "__main__":
    main()
