"""What holds of any showers: files give back what was written, slices join, splits cover."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calokit.detector import Detector, load_detector
from calokit.errors import ShowerFileError, SplitError
from calokit.showers import Incidents, Particles, Showers, ShowerWriter, Split, concatenate, open_showers
from calokit.showers.incidents import INCIDENT_COLUMNS
from calokit.showers.splits import split_range

DETECTOR = load_detector("zdc_ecal")
OPTIONAL = ("positions", "directions", "pdg", "particles", "entries")
once = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def unit_vectors(rng: np.random.Generator, *shape: int) -> np.ndarray:
    slopes = np.concatenate([rng.uniform(-0.3, 0.3, (*shape, 2)), np.ones((*shape, 1))], axis=-1)
    return (slopes / np.linalg.norm(slopes, axis=-1, keepdims=True)).astype(np.float32)


def draw_showers(seed: int, events: int, known: frozenset[str], detector: Detector = DETECTOR) -> Showers:
    """Return random showers that know some of the optional columns."""
    rng = np.random.default_rng(seed)
    cells = detector.number_of_cells
    energies = np.where(rng.random((events, cells)) < 0.1, rng.exponential(5.0, (events, cells)), 0.0)
    width = int(rng.integers(1, 4))
    count = rng.integers(1, width + 1, events)
    there = np.arange(width) < count[:, None]
    columns = {
        "positions": rng.normal(0.0, 30.0, (events, 2)).astype(np.float32),
        "directions": unit_vectors(rng, events),
        "pdg": rng.choice([11, -11, 22, 2112], events).astype(np.int32),
        "particles": Particles(
            np.where(there, rng.uniform(1e3, 1e4, (events, width)), 0.0).astype(np.float32),
            np.where(there, 11, 0).astype(np.int32),
            rng.normal(0.0, 30.0, (events, width, 2)).astype(np.float32),
            unit_vectors(rng, events, width),
        ),
        "entries": rng.integers(0, 2**16, (events, cells)).astype(np.uint16),
    }
    incident = rng.uniform(1e3, 1e5, events).astype(np.float32)
    return Showers(
        energies.astype(np.float32),
        incident,
        detector,
        **{name: column for name, column in columns.items() if name in known},
    )


def same(one: Showers, other: Showers) -> None:
    np.testing.assert_array_equal(one.energies, other.energies)
    assert (one.entries is None) == (other.entries is None)
    if one.entries is not None:
        np.testing.assert_array_equal(one.entries, other.entries)
    same_incidents(one.incidents, other.incidents)


def same_incidents(one: Incidents, other: Incidents) -> None:
    mine, theirs = one.columns(), other.columns()
    assert mine.keys() == theirs.keys()
    for name, values in mine.items():
        np.testing.assert_array_equal(values, theirs[name], err_msg=name)
        assert values.dtype == theirs[name].dtype


subsets = st.frozensets(st.sampled_from(OPTIONAL))


@given(seed=st.integers(0, 2**32 - 1), events=st.integers(1, 30), known=subsets, data=st.data())
@once
def test_a_file_gives_back_what_was_written(
    tmp_path: Path, seed: int, events: int, known: frozenset[str], data: st.DataObject
) -> None:
    showers = draw_showers(seed, events, known)
    cut = data.draw(st.integers(0, events))
    path = tmp_path / "any.h5"
    with ShowerWriter(path, DETECTOR, "e+", "made up") as writer:
        for part in (showers[:cut], showers[cut:]):
            if len(part):
                writer.write(part)
    view = open_showers(path)
    same(view.read_all(), showers)
    start = data.draw(st.integers(0, events - 1))
    stop = data.draw(st.integers(start + 1, events))
    same(view.read(start, stop), showers[start:stop])
    size = data.draw(st.integers(1, events))
    same(concatenate(list(view.chunks(size))), showers)
    same_incidents(Incidents.join(list(view.incident_chunks(size))), showers.incidents)
    datasets = {column.dataset for column in INCIDENT_COLUMNS if column.name in known}
    assert datasets <= view.columns
    assert ("entries" in view.columns) == ("entries" in known)


@given(seed=st.integers(0, 99), known=subsets, places=st.lists(st.integers(0, 20), max_size=4))
@once
def test_slices_join_to_the_whole(seed: int, known: frozenset[str], places: list[int]) -> None:
    showers = draw_showers(seed, 20, known)
    cuts = [0, *sorted(places), 20]
    parts = [showers[first:last] for first, last in itertools.pairwise(cuts)]
    same(concatenate(parts), showers)
    same_incidents(Incidents.join([part.incidents for part in parts]), showers.incidents)
    same_incidents(Incidents.from_columns(showers.incidents.columns()), showers.incidents)


@given(one=subsets, other=subsets)
@once
def test_batches_that_know_different_things_do_not_join(one: frozenset[str], other: frozenset[str]) -> None:
    batches = [draw_showers(1, 3, one), draw_showers(2, 3, other)]
    if one == other:
        assert len(concatenate(batches)) == 6
    else:
        with pytest.raises(ShowerFileError, match="some batches have"):
            concatenate(batches)


@given(showers=st.integers(0, 10**7), meant_for=st.sampled_from([None, *Split]))
def test_splits_cover_a_file_and_never_overlap(showers: int, meant_for: Split | None) -> None:
    ranges = []
    for split in (Split.TRAIN, Split.VALIDATION, Split.TEST):
        try:
            ranges.append(split_range(showers, split, meant_for))
        except SplitError:
            continue
    assert split_range(showers, Split.ALL, meant_for) == (0, showers)
    assert ranges[0][0] == 0
    assert ranges[-1][1] == showers
    for (_, end), (start, _) in itertools.pairwise(ranges):
        assert end == start
    assert all(start <= end for start, end in ranges)
