"""Makes shower files of any size quickly: a few compressed chunks of real showers, written again."""

from __future__ import annotations

from pathlib import Path

import h5py

from calokit.showers import ShowerFile, ShowerWriter
from calokit.showers.writer import chunk_rows

CHUNKS_A_TILE = 48


def write_tiled_file(source: ShowerFile, path: Path, gigabytes: float, first: int = 0) -> int:
    """Write a native file whose showers fill so many GB (1e9 bytes) uncompressed.

    A tile of showers goes through `ShowerWriter`; its compressed chunks are then copied as they are. The
    attribute `content_sha256`, which describes the tile alone, is removed.

    Args:
        source: Where the showers come from.
        path: The file to write.
        gigabytes: Size of the dataset `showers` in memory.
        first: Position in the source of the first shower to take.

    Returns:
        Number of showers written.
    """
    cells = source.detector.number_of_cells
    rows = chunk_rows(cells)
    chunks = max(1, round(gigabytes * 1e9 / (4 * cells * rows)))
    tile_chunks = min(chunks, CHUNKS_A_TILE, (len(source) - first) // rows)
    if tile_chunks < 1:
        raise SystemExit(f"{source.path}: {len(source)} showers are too few to tile; {rows} are needed.")
    with ShowerWriter(path, source.detector, source.particle, source.generator, {"tiled": 1}) as writer:
        for tile in range(tile_chunks):
            writer.write(source.read(first + tile * rows, first + (tile + 1) * rows))
    with h5py.File(path, "r+") as file:
        del file.attrs["content_sha256"]
        for dataset in file.values():
            _repeat_chunks(dataset, chunks * rows)
    return chunks * rows


def _repeat_chunks(dataset: h5py.Dataset, showers: int) -> None:
    """Extend a dataset to so many showers by repeating its chunks, compressed as they are."""
    rows, tile = dataset.chunks[0], len(dataset)
    if tile % rows:
        raise SystemExit(f"{dataset.name}: a tile of {tile} showers is not made of chunks of {rows}.")
    stored = [dataset.id.read_direct_chunk((start, 0)) for start in range(0, tile, rows)]
    dataset.resize(showers, 0)
    for chunk, start in enumerate(range(tile, showers, rows)):
        mask, content = stored[chunk % len(stored)]
        dataset.id.write_direct_chunk((start, 0), content, mask)
