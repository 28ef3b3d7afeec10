"""What a user says beside a sample: another physics list, particles by other names."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from calokit.errors import ConfigurationError
from calokit.showers.particle_names import MASSES_MEV, PDG_NUMBERS, name_of, plain_particle
from calokit.simulation.sample import Sample, load_sample


def write_sample(folder: Path, particle: str, physics: dict[str, object] | None) -> Path:
    content = load_sample("zdc_ecal_positrons").to_mapping()
    content["guns"][0]["particle"] = particle
    del content["physics"]
    content |= {} if physics is None else {"physics": physics}
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.parametrize("physics", [None, {"physics_list": "em0"}, {"cut_mm": 0.1}])
def test_a_hadronic_list_rescues_a_sample_of_hadrons(
    tmp_path: Path, physics: dict[str, object] | None
) -> None:
    path = write_sample(tmp_path, "pi-", physics)
    with pytest.raises(ConfigurationError, match="take FTFP_BERT"):
        load_sample(path)
    sample = load_sample(path, "FTFP_BERT")
    assert sample.physics.physics_list == "FTFP_BERT"
    assert sample.physics.cut_mm == (physics or {}).get("cut_mm", 0.7)


def test_what_is_said_beside_a_sample_is_checked(tmp_path: Path) -> None:
    for physics_list in ("FTFP", "em9"):
        with pytest.raises(ConfigurationError, match="physics_list"):
            load_sample("zdc_ecal_positrons", physics_list)
    with pytest.raises(ConfigurationError, match="cut_mm"):
        load_sample("zdc_ecal_positrons", None, -1.0)
    with pytest.raises(ConfigurationError, match="take FTFP_BERT"):
        load_sample(write_sample(tmp_path, "neutron", None), "em4")


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("electron", "e-"),
        ("Positron", "e+"),
        ("photon", "gamma"),
        ("muon", "mu-"),
        ("22", "gamma"),
        ("K_L0", "kaon0L"),
        ("antiproton", "anti_proton"),
        ("Proton", "proton"),
    ],
)
def test_particles_go_by_other_words(tmp_path: Path, word: str, name: str) -> None:
    sample = load_sample(write_sample(tmp_path, word, {"physics_list": "FTFP_BERT"}))
    assert sample.particle == name
    assert sample.draw(1, 0, 1).pdg.tolist() == [[PDG_NUMBERS[name]]]
    assert Sample.from_mapping(sample.to_mapping(), "again") == sample


def test_an_unknown_particle_gets_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"unknown particle 'electrn'\. Did you mean 'electron'"):
        load_sample(write_sample(tmp_path, "electrn", None))


def test_every_particle_has_a_mass_and_its_own_number() -> None:
    assert all(abs(number) in MASSES_MEV for number in PDG_NUMBERS.values())
    assert [name_of(number) for number in PDG_NUMBERS.values()] == list(PDG_NUMBERS)
    assert [plain_particle(name) for name in PDG_NUMBERS] == list(PDG_NUMBERS)
