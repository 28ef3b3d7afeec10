"""Writing the native shower file, piece by piece and atomically."""

from __future__ import annotations

import hashlib
import json
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from calokit.detector import Detector
from calokit.errors import DetectorError, OutputError, ShowerFileError
from calokit.files import check_writable, write_hdf5
from calokit.showers.batch import Showers
from calokit.showers.checks import check_sanity

SHOWER_FORMAT_VERSION = 1

OTHER_FORMS = (".root", ".csv", ".npy", ".npz", ".txt", ".json", ".yaml", ".yml", ".parquet", ".pkl")
"""Ends of names that promise another form than HDF5."""


def check_file_name(path: Path) -> None:
    """Refuse names of shower files that promise another form.

    Raises:
        OutputError: Such as `showers.root`.
    """
    if path.suffix.lower() in OTHER_FORMS:
        raise OutputError(
            f"{path}: shower files are HDF5; name it {path.stem}.h5. (calokit convert --to writes others.)"
        )


class ShowerWriter:
    """Writes a native shower file piece by piece; the file appears under its name only when complete.

    Use it as a context manager. Leaving it with an exception removes what was written.

    Args:
        path: Where the file shall stand.
        detector: The detector of the showers.
        particle: The incident particle.
        generator: The program and settings that make the showers.
        attributes: Further attributes (seed, sample, laws of incidence, `split` ...).
        compression: Level of gzip, 1 (fast) to 9 (small).

    Raises:
        OutputError: The file cannot be written there: no folder, no permission, no space, or its name
            promises another form.
    """

    def __init__(
        self,
        path: str | Path,
        detector: Detector,
        particle: str,
        generator: str,
        attributes: dict[str, Any] | None = None,
        compression: int = 4,
    ) -> None:
        self.compression = compression
        self.path = Path(path)
        self.detector = detector
        self._digests: dict[str, Any] = {}
        check_file_name(self.path)
        check_writable(self.path)
        shape = [list(section.shape) for section in detector.sections if section.shape is not None]
        self._attributes: dict[str, Any] = {
            "format_version": SHOWER_FORMAT_VERSION,
            "detector": detector.name,
            "detector_description": json.dumps(detector.to_mapping(), separators=(",", ":")),
            "particle": particle,
            "generator": generator,
            "energy_unit": "MeV",
            "length_unit": "mm",
            "sections": json.dumps(
                [
                    {"name": section.name, "shape": list(section.shape) if section.shape else None}
                    for section in detector.sections
                ]
            ),
            **(attributes or {}),
        }
        if len(shape) == len(detector.sections) == 1:
            self._attributes["shape"] = shape[0]

    def write(self, showers: Showers) -> None:
        """Append showers.

        Raises:
            ShowerFileError: The showers are not sane, or know other columns than those before them.
            DetectorError: They belong to another detector than the file.
            OutputError: No space is left.
        """
        if not showers.detector.is_same(self.detector):
            raise DetectorError(
                f"{self.path}: a file of detector {self.detector.name!r} takes no showers of "
                f"{showers.detector.name!r}."
            )
        check_sanity(showers, f"showers to be written to {self.path}")
        present = {"showers": showers.energies, **showers.incidents.columns()}
        if showers.entries is not None:
            present["entries"] = showers.entries
        if len(self._file) and set(self._file) != set(present):
            raise ShowerFileError(
                f"{self.path}: earlier showers have {sorted(self._file)}, these have {sorted(present)}."
            )
        for name, values in present.items():
            self._append(name, np.ascontiguousarray(values, dtype=stored_kind(name)))
        self._check_disk()

    def set_attributes(self, attributes: dict[str, Any]) -> None:
        """Add attributes that are known only when the showers are made (times, counts)."""
        self._file.attrs.update(attributes)

    def _append(self, name: str, values: NDArray[Any]) -> None:
        self._digests.setdefault(name, hashlib.sha256(name.encode())).update(values)
        if name not in self._file:
            widths = values.shape[1:]
            self._file.create_dataset(
                name,
                (0, *widths),
                values.dtype.str[1:],
                maxshape=(None, *widths),
                chunks=(chunk_rows(widths[0] if widths else 1), *widths),
                compression="gzip",
                compression_opts=self.compression,  # unshuffled: most cells are empty
            )
        dataset = self._file[name]
        before = dataset.shape[0]
        dataset.resize(before + len(values), 0)
        dataset[before:] = values

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            self._file, self._check_disk = opened.enter_context(write_hdf5(self.path))
            self._file.attrs.update(self._attributes)
            self._opened = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            each = "".join(self._digests[name].hexdigest() for name in sorted(self._digests))
            self._file.attrs["content_sha256"] = hashlib.sha256(each.encode()).hexdigest()
        self._opened.__exit__(kind, error, trace)


def stored_kind(name: str) -> type[np.generic]:
    """Return the type in which a dataset of a shower file is stored."""
    if name == "entries":
        return np.uint16
    return np.int32 if name.endswith("_pdg") else np.float32


def chunk_rows(cells: int) -> int:
    """Return how many showers one compressed chunk of a file holds: a power of two, about half a megabyte."""
    return int(2 ** np.clip(np.floor(np.log2(max(1.0, 2**19 / (4 * cells)))), 0, 8))
