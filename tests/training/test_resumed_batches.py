"""Batches follow from their number alone: a training that goes on anywhere sees what it would have seen."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calokit.showers import open_showers
from calokit.training import data
from calokit.training.data import ShuffledShowers
from made_up_runs import MakeFile


@given(
    start=st.integers(0, 15),
    batch_size=st.integers(1, 60),
    sampler=st.sampled_from(["even", "inverse_energy"]),
    blocks=st.integers(1, 3),
)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_batches_resume_anywhere(
    shower_file: MakeFile,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    start: int,
    batch_size: int,
    sampler: str,
    blocks: int,
) -> None:
    path = tmp_path / "showers.h5"
    view = open_showers(path if path.is_file() else shower_file(110, 1), "train")
    # pools of a few blocks of sixteen showers, so that batches reach over their borders
    monkeypatch.setattr(data, "chunk_rows", lambda cells: 16)
    monkeypatch.setattr(data, "POOL_BYTES", 4 * view.detector.number_of_cells * 16 * blocks)
    source = ShuffledShowers(view, batch_size, 7, sampler)
    whole = list(itertools.islice(source.batches(), start + 3))[start:]
    again = list(itertools.islice(ShuffledShowers(view, batch_size, 7, sampler).batches(start), 3))
    for one, other in zip(whole, again, strict=True):
        assert len(one) == batch_size
        np.testing.assert_array_equal(one.energies, other.energies)
        np.testing.assert_array_equal(one.incident_energies, other.incident_energies)
    if sampler == "even":
        epoch = list(itertools.islice(source.batches(), source.batches_an_epoch))
        drawn = np.concatenate([batch.incident_energies for batch in epoch])
        assert len(np.unique(drawn)) == len(drawn), "an epoch draws every shower at most once"
