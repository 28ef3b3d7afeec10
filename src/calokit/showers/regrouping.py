"""Cells of rows and columns summed in groups: showers as a coarser readout would give them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from calokit.arrays import Float32
from calokit.detector import Detector
from calokit.detector.readout import CartesianReadout
from calokit.detector.schema import Section
from calokit.errors import ConfigurationError
from calokit.files import check_writable
from calokit.progress import Progress, show_progress
from calokit.showers.batch import Showers
from calokit.showers.digitisation import carried_attributes
from calokit.showers.files import ShowerFile
from calokit.showers.writer import ShowerWriter


def regrouped_detector(detector: Detector, rows: int, columns: int) -> Detector:
    """Return a detector whose cells are groups of `rows` x `columns` cells of another.

    Args:
        detector: All of whose sections have rows and columns.
        rows: Cells along x that make one; must divide the number of rows.
        columns: Cells along y that make one.

    Raises:
        ConfigurationError: A section is read out otherwise, has tiles, or is not divided so.

    Example:
        >>> from calokit.detector import load_detector
        >>> regrouped_detector(load_detector("lhcb_ecal"), 2, 2).shape
        (1, 15, 15)
    """
    sections = tuple(_regrouped_section(section, rows, columns) for section in detector.sections)
    made = detector.model_copy(
        update={
            "name": f"{detector.name}_{rows}x{columns}",
            "title": f"{detector.title}, cells in groups of {rows} x {columns}",
            "sections": sections,
        }
    )
    return Detector.from_mapping(made.to_mapping(), f"{detector.name}, regrouped")


def _regrouped_section(section: Section, rows: int, columns: int) -> Section:
    readout = section.readout
    if not isinstance(readout, CartesianReadout) or section.tiles is not None:
        raise ConfigurationError(
            f"section {section.name!r} is not read out in rows and columns of its own, and has no groups of "
            "cells."
        )
    for count, group, what in ((readout.rows, rows, "rows"), (readout.columns, columns, "columns")):
        if group < 1 or count % group:
            fitting = ", ".join(str(one) for one in range(1, count + 1) if count % one == 0)
            raise ConfigurationError(
                f"section {section.name!r} has {count} {what}, which {group} does not divide; take one of "
                f"{fitting}."
            )
    coarse = CartesianReadout(
        rows=readout.rows // rows,
        columns=readout.columns // columns,
        row_pitch_mm=readout.row_pitch_mm * rows,
        column_pitch_mm=readout.column_pitch_mm * columns,
    )
    return section.model_copy(update={"readout": coarse})


def regroup(showers: Showers, rows: int, columns: int, detector: Detector | None = None) -> Showers:
    """Return showers in groups of cells; no energy is lost.

    Entries are not kept: one particle may enter several cells of a group.

    Args:
        showers: In a detector of rows and columns.
        rows: Cells along x that make one.
        columns: Cells along y that make one.
        detector: What `regrouped_detector` makes, where it is known already.

    Raises:
        ConfigurationError: As `regrouped_detector`.

    Example:
        >>> from calokit.detector import load_detector
        >>> ones, detector = np.ones((1, 900), np.float32), load_detector("lhcb_ecal")
        >>> coarse = regroup(Showers(ones, np.array([1e3], np.float32), detector), 3, 3)
        >>> coarse.energies.shape, float(coarse.energies[0, 0])
        ((1, 100), 9.0)
    """
    coarse = regrouped_detector(showers.detector, rows, columns) if detector is None else detector
    parts, start = [], 0
    for fine, section in zip(showers.detector.sections, coarse.sections, strict=True):
        assert section.shape is not None
        layers, many, wide = section.shape
        own = showers.energies[:, start : start + fine.number_of_cells]
        start += fine.number_of_cells
        grouped = own.reshape(len(own), layers, many, rows, wide, columns).sum((3, 5), dtype=np.float64)
        parts.append(grouped.reshape(len(own), -1))
    energies: Float32 = np.concatenate(parts, axis=1).astype(np.float32)
    return replace(showers, energies=energies, detector=coarse, entries=None)


def regroup_file(
    source: ShowerFile, path: Path, rows: int, columns: int, progress: Progress = show_progress
) -> Detector:
    """Write showers in groups of cells.

    Args:
        source: The showers.
        path: The new file; its attribute `regrouped_from_sha256` names the source.
        rows: Cells along x that make one.
        columns: Cells along y that make one.
        progress: Shows how far it is.

    Returns:
        The detector of the new file.

    Raises:
        ConfigurationError: As `regrouped_detector`.
        OutputError: The new file cannot be written, or is the source.
    """
    check_writable(path, source.path)
    detector = regrouped_detector(source.detector, rows, columns)
    attributes = carried_attributes(source, "digitisation", "digitisation_seed")
    attributes |= {"regrouped": f"{rows} x {columns}", "regrouped_from_sha256": source.sha256}
    with (
        ShowerWriter(path, detector, source.particle, source.generator, attributes) as writer,
        progress(len(source), f"regrouping {source.path.name}", "showers") as advance,
    ):
        for showers in source.chunks():
            writer.write(regroup(showers, rows, columns, detector))
            advance(len(showers))
    return detector
