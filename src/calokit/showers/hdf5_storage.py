"""Where the numbers of an HDF5 dataset lie: other files, filters that pack them, chunks of any size."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from typing import Any

import h5py

from calokit.errors import ShowerFileError

CACHE_BYTES = 2**20
"""What HDF5 keeps of a dataset in memory unasked; a larger chunk would be unpacked anew at every read."""

_FILTERS = {
    307: "BZip2",
    32000: "LZF",
    32001: "Blosc",
    32004: "LZ4",
    32008: "Bitshuffle",
    32013: "ZFP",
    32015: "Zstd",
    32017: "SZ",
    32018: "FCIDECOMP",
    32024: "SZ3",
    32026: "Blosc2",
    32028: "Sperr",
}
"""Names of the filters registered with the HDF Group that users meet, by number."""


def require_stored_whole(dataset: h5py.Dataset, path: Path) -> None:
    """Refuse a dataset of which HDF5 cannot read every number, or would read zeros for missing ones.

    Args:
        dataset: The dataset.
        path: Its file, for messages.

    Raises:
        ShowerFileError: Its filter is not installed, or a file that holds part of it is missing or too short.
    """
    _require_filters(dataset, path)
    for name, _, _ in dataset.external or ():
        if not _beside(path, name).is_file():
            raise ShowerFileError(
                f"{path}: the numbers of dataset {dataset.name!r} lie in file {name}, which is not there. "
                "Put it beside this file."
            )
    if dataset.is_virtual:
        _require_sources(dataset, path)


def _require_filters(dataset: h5py.Dataset, path: Path) -> None:
    """Refuse a dataset that was packed by a filter that is not installed; load hdf5plugin where it is."""
    created = dataset.id.get_create_plist()
    filters = [created.get_filter(place) for place in range(created.get_nfilters())]
    if all(h5py.h5z.filter_avail(number) for number, *_ in filters):
        return
    installed = importlib.util.find_spec("hdf5plugin") is not None
    if installed:
        importlib.import_module("hdf5plugin")
    advice = (
        "which the installed hdf5plugin does not bring. Say: pip install --upgrade hdf5plugin"
        if installed
        else "which is not installed. Say: pip install hdf5plugin"
    )
    for number, _, _, title in filters:
        if not h5py.h5z.filter_avail(number):
            name = _FILTERS.get(number) or title.decode(errors="replace") or "an unknown filter"
            raise ShowerFileError(
                f"{path}: dataset {dataset.name!r} is packed with the HDF5 filter {name} (number {number}), "
                f"{advice}, and run this again; or unpack the file where it was made (h5repack -f NONE IN "
                "OUT)."
            )


def _require_sources(dataset: h5py.Dataset, path: Path) -> None:
    """Refuse a virtual dataset with a hole: HDF5 reads what is not there as zeros, without a word."""
    sources = dataset.virtual_sources()
    for source in sources:
        if "%b" in source.file_name:
            _require_numbered(dataset, path, source.file_name)
        elif source.file_name == ".":
            _require_source(dataset, dataset.file, path, source)
        else:
            place = _beside(path, source.file_name)
            if not place.is_file():
                raise ShowerFileError(
                    f"{path}: part of the virtual dataset {dataset.name!r} lies in file {source.file_name}, "
                    "which is not there; HDF5 would read zeros for it. Put that file back."
                )
            with h5py.File(place, "r") as file:
                _require_source(dataset, file, place, source)
    growing = any("%b" in one.file_name or one.vspace.get_select_npoints() < 0 for one in sources)
    covered = sum(int(one.vspace.get_select_npoints()) for one in sources)
    if not growing and covered < math.prod(dataset.shape):
        raise ShowerFileError(
            f"{path}: the files behind the virtual dataset {dataset.name!r} hold {covered} of its "
            f"{math.prod(dataset.shape)} numbers; HDF5 would read zeros for the others."
        )


def _require_source(dataset: h5py.Dataset, file: h5py.File, place: Path, source: Any) -> None:
    """Refuse a source that is missing in its file, or smaller than the part it shall fill."""
    found = file.get(source.dset_name)
    if not isinstance(found, h5py.Dataset):
        raise ShowerFileError(
            f"{place}: dataset {source.dset_name!r} is missing, of which the virtual dataset "
            f"{dataset.name!r} is made; HDF5 would read zeros for it."
        )
    if source.src_space.get_select_type() == h5py.h5s.SEL_ALL:
        short = found.size < int(source.vspace.get_select_npoints())
    else:
        last = source.src_space.get_select_bounds()[1]
        short = any(place >= length for place, length in zip(last, found.shape, strict=False))
    if short:
        raise ShowerFileError(
            f"{place}: dataset {source.dset_name!r} has shape {found.shape}, smaller than the part of the "
            f"virtual dataset {dataset.name!r} that it shall fill; HDF5 would read zeros for the rest."
        )
    require_stored_whole(found, place)


def _require_numbered(dataset: h5py.Dataset, path: Path, pattern: str) -> None:
    """Refuse a virtual dataset of numbered files (`part_%b.h5`) of which none is there, or one in between."""
    present = {int(n) for n in range(10_000) if _beside(path, pattern.replace("%b", str(n))).is_file()}
    if not present or len(present) <= max(present):
        lacking = next(n for n in range(len(present) + 1) if n not in present)
        raise ShowerFileError(
            f"{path}: part of the virtual dataset {dataset.name!r} lies in file "
            f"{pattern.replace('%b', str(lacking))}, which is not there; HDF5 would read zeros for it."
        )


def _beside(path: Path, name: str) -> Path:
    """Return where HDF5 looks for a file that another names: beside that one, then where it stands."""
    beside = path.parent / name
    return beside if beside.is_file() else Path(name)


def chunk_bytes(dataset: h5py.Dataset) -> int:
    """Return the size of the unpacked chunks that one row of a dataset touches; 0 where it has no chunks."""
    if dataset.chunks is None:
        return 0
    rows, *widths = dataset.chunks
    touched = (
        math.ceil(length / width) * width for length, width in zip(dataset.shape[1:], widths, strict=True)
    )
    return int(rows * math.prod(touched) * dataset.dtype.itemsize)


def keep_chunks(file: h5py.File) -> list[h5py.h5d.DatasetID]:
    """Let HDF5 keep the last chunk of every dataset of the file whose chunks are large.

    Returns:
        What must stay alive as long as the chunks shall be kept.
    """
    kept = []
    for name in file:
        if not isinstance(file.get(name, getlink=True), h5py.HardLink):
            continue
        if not isinstance(file.get(name), h5py.Dataset) or file[name].is_virtual:
            continue
        size = chunk_bytes(file[name])
        if size > CACHE_BYTES:
            access = h5py.h5p.create(h5py.h5p.DATASET_ACCESS)
            access.set_chunk_cache(521, size, 1.0)
            kept.append(h5py.h5d.open(file.id, name.encode(), access))
    return kept
