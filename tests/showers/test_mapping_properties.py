"""Any mapping that can be written down as YAML is read back as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calokit.errors import ConfigurationError
from calokit.showers.formats import OwnMapping, read_mapping
from calokit.showers.formats.mapping.mapping import Energy, HitColumns, Index, Length, Place, Quantity

names = st.text("abc/_.Éµ: #-'\"", min_size=1, max_size=12)
numbers = st.floats(-1e9, 1e9, allow_nan=False)


def quantities(kind: type[Quantity], units: list[str]) -> st.SearchStrategy:
    """Return quantities of a kind, named or constant."""
    unit = st.sampled_from(units)
    named = st.fixed_dictionaries({"name": names, "unit": unit}, optional={"index": st.integers(0, 9)})
    constant = st.fixed_dictionaries({"value": numbers, "unit": unit})
    return st.one_of(named, constant).map(lambda given: kind(**given))


energies = quantities(Energy, ["MeV", "GeV"])
lengths = quantities(Length, ["um", "mm", "cm", "m"])
hits = st.builds(
    HitColumns,
    energy=energies,
    event=st.none() | st.builds(Index, name=names),
    layer=st.builds(Index, name=names),
    x=lengths,
    y=lengths,
)
mappings = st.builds(
    OwnMapping,
    hits=hits,
    incident_energy=energies,
    impact=st.none() | st.builds(Place, x=lengths, y=lengths),
    particle=st.none() | names,
    tree=st.none() | names,
)


@given(mapping=mappings)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_mapping_is_read_back_as_it_was(tmp_path: Path, mapping: OwnMapping) -> None:
    path = tmp_path / "mapping.yaml"
    path.write_text(mapping.to_yaml(), encoding="utf-8")
    assert read_mapping(path) == mapping


@given(mapping=mappings, letter=st.integers(0, 9))
@settings(max_examples=20, deadline=None)
def test_a_misspelt_key_is_refused_with_the_right_one(mapping: OwnMapping, letter: int) -> None:
    content = mapping.to_mapping()
    wrong = "incident_energy"[:letter] + "incident_energy"[letter + 1 :]
    content[wrong] = content.pop("incident_energy")
    with pytest.raises(ConfigurationError, match="incident_energy"):
        OwnMapping.from_mapping(content, "here")
