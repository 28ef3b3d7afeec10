"""Geant4: cells where the description says, the same events in any order, data sets found or said."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calokit.detector import Detector, load_detector
from calokit.detector.tile_sharing import clipped_tiles, polygon_area, share_matrix
from calokit.engine.local import LocalExecutor
from calokit.engine.tasks import Work, Worker
from calokit.errors import ConfigurationError, DetectorError, SimulationError
from calokit.progress import no_progress
from calokit.showers import Showers, open_showers
from calokit.simulation.backends import prepare_geant4, prepare_parametric
from calokit.simulation.data_sets import find_data_sets
from calokit.simulation.geometry import check_geometry
from calokit.simulation.physics import Physics
from calokit.simulation.production import Production, produce_file
from calokit.simulation.sample import Sample, load_sample

SHARED = Path(__file__).parents[3] / "shared"
TABLES = SHARED / "geant4-data"
HADRON_TABLES = SHARED / "geant4-data-hadronic-approximate" / "G4PARTICLEXS4.2"


STIFF = {"kind": "fixed", "energy_gev": 100}
"""Muons of so much energy fly straight on."""
BESIDE_THE_GAP = {"kind": "normal", "x_mm": 5.0, "y_mm": 5.0}
"""The axis of the EIC ZDC runs through the air between four crystals."""


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Geant4's data sets: those of the environment, or those beside the repository."""
    if "GEANT4_DATA_DIR" in os.environ:
        return
    if not TABLES.is_dir():
        pytest.skip("no Geant4 data sets here")
    monkeypatch.setenv("GEANT4_DATA_DIR", str(TABLES))
    monkeypatch.setenv("G4PARTICLEXSDATA", str(HADRON_TABLES))


def shoot(detector: Detector, tmp_path: Path, events: int = 6, seed: int = 1, **gun: Any) -> Showers:
    """Shoot electrons of 1 GeV (or what `gun` says) into a detector."""
    (tmp_path / "detector.yaml").write_text(detector.to_yaml())
    physics = gun.pop("physics", {})
    count_entries = gun.pop("count_entries", False)
    described = {
        "particle": "e-",
        "energy": {"kind": "fixed", "energy_gev": 1},
        "incidence": {"kind": "normal"},
    } | gun
    sample = Sample.from_mapping(
        {
            "name": "test",
            "detector": str(tmp_path / "detector.yaml"),
            "guns": [described],
            "physics": physics,
            "count_entries": count_entries,
        },
        "test",
    )
    production = Production(sample, detector, prepare_geant4(sample, detector), seed, {})
    path = tmp_path / f"{seed}_{events}_{len(list(tmp_path.iterdir()))}.h5"
    produce_file(production, path, events, LocalExecutor(1), no_progress)
    return open_showers(path).read_all()


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize(
    ("name", "x", "y", "row", "column"),
    [
        ("luxe_ecal", 102.0, -14.5, 75, 2),  # 110 x 11 pads of 5 mm
        ("zdc_ecal", -140.0, 80.0, 5, 12),  # 20 x 20 crystals of 30.3 mm
        ("par04_siw", -10.0, 17.3, 5, 4),  # phi 120 degrees of 16 bins, r 20 mm of 4.65
    ],
)
def test_deposits_stand_in_the_cell_that_is_hit(
    name: str, x: float, y: float, row: int, column: int, tmp_path: Path
) -> None:
    incidence = {"kind": "normal", "x_mm": x, "y_mm": y}
    showers = shoot(load_detector(name), tmp_path, particle="mu-", energy=STIFF, incidence=incidence)
    layers = showers.images.reshape(-1, *showers.detector.shape[1:])
    hottest = layers[layers.sum(axis=(1, 2)) > 0].reshape(-1, layers[0].size).argmax(axis=1)
    expected = row * showers.detector.shape[2] + column
    assert len(hottest) >= 5
    assert (hottest == expected).mean() > 0.8


@pytest.mark.usefixtures("tables")
def test_a_tilted_muon_moves_from_pad_to_pad(tmp_path: Path) -> None:
    incidence = {"kind": "pad", "half_width_mm": 0, "half_height_mm": 0, "tilts_deg": [30]}
    showers = shoot(load_detector("luxe_ecal"), tmp_path, particle="mu-", energy=STIFF, incidence=incidence)
    detector = showers.detector
    for layer in (0, 10, 19):
        image = showers.images[:, layer].sum(axis=0)
        row = int(image.sum(axis=1).argmax())
        expected = detector.sensitive_z[layer] * np.tan(np.radians(30)) / 5.0 + 55
        assert abs(row + 0.5 - expected) <= 0.7


@pytest.mark.usefixtures("tables")
def test_grouped_layers_are_the_sum_of_single_ones(tmp_path: Path) -> None:
    grouped = load_detector("par04_siw")
    single_section = grouped.sections[0].model_copy(update={"layers_per_readout": 1})
    single = grouped.model_copy(update={"name": "single", "sections": (single_section,)})
    one = shoot(single, tmp_path).images
    two = shoot(grouped, tmp_path).images
    np.testing.assert_allclose(one.reshape(6, 45, 2, 16, 9).sum(axis=2), two, rtol=1e-5, atol=1e-6)


def divide_cylinder(detector: Detector, name: str, **readout: Any) -> Detector:
    """Return a detector of one cylindrical section with other cells."""
    section = detector.sections[0]
    divided = section.readout.model_copy(update=readout)
    return detector.model_copy(
        update={"name": name, "sections": (section.model_copy(update={"readout": divided}),)}
    )


@pytest.mark.usefixtures("tables")
def test_the_cells_of_a_cylinder_do_not_change_its_showers(tmp_path: Path) -> None:
    equal = load_detector("par04_siw")
    unequal = divide_cylinder(equal, "unequal", r_bins=None, dr_mm=None, r_edges_mm=(0.0, 4.65, 13.95, 41.85))
    whole = divide_cylinder(equal, "whole", phi_bins=1, r_bins=1, dr_mm=41.85)
    for x, y in ((0.0, 0.0), (6.0, 5.0)):
        incidence = {"kind": "normal", "x_mm": x, "y_mm": y}
        fine, coarse, one = (
            shoot(detector, tmp_path, 6, incidence=incidence).images for detector in (equal, unequal, whole)
        )
        joined = np.stack([fine[..., 0], fine[..., 1:3].sum(-1), fine[..., 3:].sum(-1)], axis=-1)
        np.testing.assert_allclose(joined, coarse, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(joined.sum(axis=(2, 3)), one[:, :, 0, 0], rtol=1e-5, atol=1e-6)
    assert joined.sum(axis=(0, 1, 3)).argmax() == 1  # 40 degrees of 16 bins
    assert joined.sum(axis=(0, 1, 2)).argmax() == 1  # r 7.8 mm


@pytest.mark.usefixtures("tables")
def test_an_event_is_the_same_in_any_run(tmp_path: Path) -> None:
    detector = load_detector("zdc_ecal")
    few, many = (shoot(detector, tmp_path, count, incidence=BESIDE_THE_GAP) for count in (3, 70))
    assert (few.visible_energies > 0).all()
    np.testing.assert_array_equal(few.energies, many.energies[:3])
    other = shoot(detector, tmp_path, 3, seed=2, incidence=BESIDE_THE_GAP)
    assert not np.array_equal(few.energies, other.energies)


@pytest.mark.usefixtures("tables")
def test_a_big_block_of_crystal_holds_all_the_energy(tmp_path: Path) -> None:
    detector = load_detector("zdc_ecal")
    section = detector.sections[0]
    slabs = (section.slabs[0].model_copy(update={"thickness_mm": 400.0}),)
    block = detector.model_copy(
        update={
            "name": "block",
            "sections": (section.model_copy(update={"slabs": slabs, "cell_gap_mm": 0.0}),),
        }
    )
    showers = shoot(block, tmp_path)
    assert (np.abs(showers.visible_energies / 1000.0 - 1.0) < 0.02).all()


@pytest.mark.usefixtures("tables")
def test_a_stiff_muon_enters_every_layer_once(tmp_path: Path) -> None:
    detector = load_detector("luxe_ecal")
    gun = {"particle": "mu-", "energy": STIFF, "incidence": {"kind": "normal", "x_mm": 2.5, "y_mm": 1.0}}
    counted = shoot(detector, tmp_path, 20, **gun, count_entries=True)
    assert counted.entries is not None
    entries = counted.entries.reshape(20, *detector.shape)
    assert (entries[:, :, 55, 5] >= 1).all()
    assert (entries[:, :, 55, 5] == 1).mean() > 0.85  # a knock-on electron may come along
    assert entries.sum() < 1.1 * entries[:, :, 55, 5].sum()
    plain = shoot(detector, tmp_path, 20, **gun)
    assert plain.entries is None
    assert "count_entries" not in load_sample("luxe_positrons_a").to_mapping()  # files keep their bytes
    np.testing.assert_array_equal(plain.energies, counted.energies)


@pytest.mark.usefixtures("tables")
def test_entries_are_counted_where_there_are_boxes_and_geant4() -> None:
    rings = load_sample("par04_electrons").counting_entries()
    with pytest.raises(DetectorError, match="counted in Cartesian cells"):
        prepare_geant4(rings, rings.load_detector())
    pads = load_sample("luxe_positrons_a").counting_entries()
    with pytest.raises(SimulationError, match="which the parametric simulation does not know"):
        prepare_parametric(pads, pads.load_detector())
    quenched = pads.to_mapping() | {"physics": {"birks_mm_per_mev": 0.1}}
    with pytest.raises(ConfigurationError, match="leave one of them out"):
        Sample.from_mapping(quenched, "test")


@pytest.mark.usefixtures("tables")
def test_birks_quenching_lowers_the_deposits(tmp_path: Path) -> None:
    detector = load_detector("lhcb_ecal")
    plain = shoot(detector, tmp_path, 10).visible_energies.sum()
    quenched = shoot(detector, tmp_path, 10, physics={"birks_mm_per_mev": 0.126}).visible_energies.sum()
    assert 0.85 < quenched / plain < 0.99


@pytest.mark.usefixtures("tables")
def test_neutrons_make_showers_in_the_hadronic_section(tmp_path: Path) -> None:
    if "G4PARTICLEXSDATA" not in os.environ:
        pytest.skip("no hadron cross sections here")
    detector = load_detector("zdc_ecal_hcal")
    showers = shoot(
        detector,
        tmp_path,
        8,
        particle="neutron",
        energy={"kind": "fixed", "energy_gev": 50},
        physics={"physics_list": "FTFP_BERT"},
    )
    hadronic = showers.energies[:, 400:].sum(axis=1, dtype=np.float64)
    assert hadronic.mean() > 500.0  # MeV, of 50 GeV at a sampling fraction near 3 %
    assert (hadronic > 0).mean() > 0.8


def test_tiles_cover_the_slab_once_and_share_all_of_their_energy() -> None:
    section = load_detector("zdc_ecal_hcal").sections[1]
    assert section.tiles is not None
    for layer in range(5):
        outlines = clipped_tiles(section.tiles, layer % section.tiles.cycle, *section.size_mm)
        assert sum(map(polygon_area, outlines)) == pytest.approx(600.0 * 600.0, rel=1e-9)
        matrix = share_matrix(section, layer)
        energies = np.random.default_rng(layer).exponential(1.0, len(outlines))
        assert (energies @ matrix).sum() == pytest.approx(energies.sum(), rel=1e-12)
        whole = np.array([polygon_area(outline) for outline in outlines])
        np.testing.assert_allclose(whole @ matrix, 225.0, rtol=1e-9)  # an even layer stays even
    with pytest.raises(DetectorError, match="has no hexagonal tiles"):
        share_matrix(load_detector("zdc_ecal").sections[0], 0)


@pytest.mark.parametrize("name", ["zdc_ecal", "zdc_ecal_hcal", "par04_siw", "lhcb_ecal"])
def test_geometry_has_no_overlaps_and_is_written_as_gdml(name: str, tmp_path: Path) -> None:
    checked = check_geometry(load_detector(name), tmp_path / "a.gdml")
    assert checked.overlapping == ()
    text = (tmp_path / "a.gdml").read_text()
    assert text.count("<physvol") >= checked.volumes > 0
    assert list(tmp_path.iterdir()) == [tmp_path / "a.gdml"]


def two_sections(gap_mm: float) -> Detector:
    detector = load_detector("zdc_ecal")
    second = detector.sections[0].model_copy(update={"name": "second", "gap_before_mm": gap_mm})
    return detector.model_copy(update={"name": "two", "sections": (detector.sections[0], second)})


def make_overlapping_worker(settings: dict[str, Any]) -> Worker:
    """Build, in a process of its own, what a description would refuse: a section inside the one before."""
    from calokit.simulation.geant4.geometry_worker import look_at_geometry

    return look_at_geometry(two_sections(settings["gap_mm"]))


def test_an_overlap_is_found() -> None:
    assert check_geometry(two_sections(0.0)).overlapping == ()
    environment = {"PYTHONPATH": str(Path(__file__).parent), "GEANT4_DATA_DIR": str(Path.home())}
    work = Work("test_geant4:make_overlapping_worker", {"gap_mm": -10.0}, environment)
    (result,) = LocalExecutor(1).run(work, [{}])
    assert result["overlapping"]


def test_missing_data_sets_are_said_with_the_way_to_get_them(tmp_path: Path) -> None:
    detector = load_detector("zdc_ecal")
    nowhere = {"GEANT4_DATA_DIR": str(tmp_path)}
    with pytest.raises(SimulationError, match=r"em0 needs .*G4EMLOW8.8 \(G4LEDATA\).*set GEANT4_DATA_DIR"):
        find_data_sets(Physics(), detector, nowhere)
    (tmp_path / "G4EMLOW8.8" / "brem_SB").mkdir(parents=True)
    with pytest.raises(SimulationError, match="its part epics2017/phot, epics2017/rayl is not in"):
        find_data_sets(Physics(), detector, nowhere)
    with pytest.raises(SimulationError, match=r"G4LEDATA points to .*which is no folder"):
        find_data_sets(Physics(), detector, nowhere | {"G4LEDATA": str(tmp_path / "none")})


@pytest.mark.skipif(not TABLES.is_dir(), reason="the tables are not here")
def test_partial_tables_allow_some_lists_and_say_what_is_approximate() -> None:
    detector, here = load_detector("zdc_ecal"), {"GEANT4_DATA_DIR": str(TABLES)}
    for allowed in ("em0", "em1", "em2"):
        assert find_data_sets(Physics(physics_list=allowed), detector, here).shortcomings == ()  # type: ignore[arg-type]
    with pytest.raises(SimulationError, match=r"em4 needs .*fluor, auger"):
        find_data_sets(Physics(physics_list="em4"), detector, here)
    with pytest.raises(SimulationError, match=r"FTFP_BERT needs .*G4PARTICLEXS"):
        find_data_sets(Physics(physics_list="FTFP_BERT"), detector, here)
    hadronic = here | {"G4PARTICLEXSDATA": str(HADRON_TABLES)}
    found = find_data_sets(Physics(physics_list="FTFP_BERT"), detector, hadronic)
    assert any("approximate neutron cross sections" in words for words in found.shortcomings)
    with pytest.raises(SimulationError, match=r"FTFP_BERT_HP needs .*G4NDL"):
        find_data_sets(Physics(physics_list="FTFP_BERT_HP"), detector, hadronic)
