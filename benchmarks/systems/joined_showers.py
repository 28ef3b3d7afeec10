"""Shower files of one detector as one file, mixed by blocks so that its end is like its beginning."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from calokit.progress import show_progress
from calokit.showers import ShowerFile, Showers, ShowerWriter, open_showers

BLOCK = 256


def join_files(paths: Sequence[Path], target: Path, split: str) -> None:
    """Write the showers of files into one; what is there already and made of the same is left as it is.

    Args:
        paths: Files of one detector.
        target: The file to write.
        split: What it is meant for.
    """
    views = [open_showers(path) for path in paths]
    content = {view.path.stem: view.sha256[:16] for view in views}
    if target.is_file() and open_showers(target).attributes.get("joined_of") == json.dumps(content):
        print(f"{target}: as it was, {len(open_showers(target))} showers")
        return
    total = sum(len(view) for view in views)
    first = views[0]
    counted = all("entries" in view.columns for view in views)
    attributes = {"split": split, "joined_of": json.dumps(content)}
    with (
        ShowerWriter(
            target, first.detector, first.particle, first.generator, attributes, compression=1
        ) as writer,
        show_progress(total, f"joining {target.stem}", "showers") as advance,
    ):
        for showers in _in_turn(views):
            writer.write(_plain(showers, counted))
            advance(len(showers))
    print(f"{target}: {total} showers of {', '.join(content)}")


def _in_turn(views: Sequence[ShowerFile]) -> Iterator[Showers]:
    """Yield blocks of all views, spread evenly."""
    blocks = [
        ((start + 0.5 * BLOCK) / len(view), number, start)
        for number, view in enumerate(views)
        for start in range(0, len(view), BLOCK)
    ]
    for _, number, start in sorted(blocks):
        view = views[number]
        yield view.read(start, min(start + BLOCK, len(view)))


def _plain(showers: Showers, counted: bool) -> Showers:
    """Return showers with the columns that every file has, among them entries where all were counted."""
    return Showers(
        showers.energies,
        showers.incident_energies,
        showers.detector,
        showers.positions,
        showers.directions,
        entries=showers.entries if counted else None,
    )
