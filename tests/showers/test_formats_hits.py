"""Foreign files that hold hits, steps or points, most of them made by other groups: no energy is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from calokit.detector import Detector, load_detector
from calokit.errors import CalokitError
from calokit.showers import Showers, open_showers
from calokit.showers.formats import Choices, Conversion, convert_file
from calokit.showers.formats.mapping.hit_mapping import CellIdIndex, HitMapping

REAL = Path(__file__).parents[3] / "shared" / "real"
uproot = pytest.importorskip("uproot")


@pytest.fixture
def real() -> Path:
    if not REAL.is_dir():
        pytest.skip("the files of other groups are not here")
    return REAL


def volume(
    layers: int = 40, depth_mm: float = 8000.0, half_width_mm: float = 8000.0, cells: int = 80
) -> Detector:
    """A grid that holds everything which flies forward from the vertex; only its readout is known."""
    readout = {
        "kind": "cartesian",
        "rows": cells,
        "columns": cells,
        "row_pitch_mm": 2 * half_width_mm / cells,
        "column_pitch_mm": 2 * half_width_mm / cells,
    }
    edges = np.linspace(0.0, depth_mm, layers + 1).tolist()
    section = {"name": "all", "readout": readout, "layers": layers, "layer_edges_mm": edges}
    return Detector.from_mapping({"name": "volume", "title": "volume", "sections": [section]}, "volume")


def converted(
    source: Path, target: Path, choices: Choices, particle: str | None = None
) -> tuple[Conversion, Showers]:
    """Convert a file; what the account says must stand in the native file."""
    conversion = convert_file(source, target, None, choices, particle)
    showers = open_showers(target).read_all()
    assert showers.visible_energies.sum() == pytest.approx(conversion.cell_energy_mev, rel=1e-6)
    return conversion, showers


@pytest.mark.parametrize(
    ("name", "prefix"), [("clic_gamma_10GeV.root", ""), ("odd_gamma_10gev_edm4hep.root", "")]
)
def test_edm4hep_energies_are_conserved(real: Path, tmp_path: Path, name: str, prefix: str) -> None:
    with uproot.open(real / name) as file:
        tree = file["events"]
        collections = [
            key
            for key in tree.keys(recursive=False)
            if "SimCalorimeterHitData" in str(tree[key].typename) and key.startswith(prefix)
        ]
        status = tree["MCParticles/MCParticles.generatorStatus"].array(library="ak")
        vectors = [
            tree[f"MCParticles/MCParticles.momentum.{axis}"].array(library="ak")[status == 1]
            for axis in "xyz"
        ]
        momenta = np.sqrt(sum(np.asarray(one[:, 0], dtype=np.float64) ** 2 for one in vectors))
        total = sum(
            float(np.sum(tree[f"{key}/{key}.energy"].array(library="ak"), axis=None)) for key in collections
        )
    conversion, showers = converted(real / name, tmp_path / "a.h5", Choices(volume()))
    assert conversion.foreign.format == "edm4hep"
    assert conversion.source_energy_mev == pytest.approx(1e3 * total, rel=1e-6)
    assert conversion.cell_energy_mev == pytest.approx(1e3 * total, rel=2e-3)
    assert showers.incident_energies == pytest.approx(1e3 * momenta, rel=1e-5)
    assert showers.pdg is not None
    assert (showers.pdg == 22).all()
    assert conversion.particle == "gamma"


def test_edm4hep_photons_end_near_the_line_on_which_they_flew(real: Path, tmp_path: Path) -> None:
    mapping = HitMapping(collections=("ECalBarrelCollection", "ECalEndcapCollection"))
    detector = volume(layers=40, depth_mm=4000.0, half_width_mm=400.0)
    choices = Choices(detector, mapping)
    conversion, showers = converted(real / "odd_gamma_10gev_edm4hep.root", tmp_path / "a.h5", choices)
    assert conversion.lost_fraction < 0.02
    visible = showers.visible_energies
    centre = np.stack([showers.energies @ detector.cells.x, showers.energies @ detector.cells.y]) / visible
    assert (np.hypot(*centre)[visible > 0.2 * visible.max()] < 30.0).all()


def test_a_collection_that_is_not_there_is_named(real: Path, tmp_path: Path) -> None:
    mapping = HitMapping(collections=("ECalBarelCollection",))
    with pytest.raises(CalokitError, match="Did you mean 'ECalBarrelCollection'"):
        convert_file(
            real / "odd_gamma_10gev_edm4hep.root", tmp_path / "a.h5", None, Choices(volume(), mapping)
        )


def test_layers_come_from_the_cell_numbers(real: Path, tmp_path: Path) -> None:
    source = real / "clic_gamma_10GeV.root"
    mapping = HitMapping(
        collections=("ECalBarrelCollection",),
        encoding="system:0:5,side:5:-2,module:7:8,stave:15:4,layer:19:9,submodule:28:4,x:32:-16,y:48:-16",
        layer=CellIdIndex(field="layer", first=0),
    )
    detector = volume(layers=50, half_width_mm=3000.0)
    conversion, showers = converted(source, tmp_path / "a.h5", Choices(detector, mapping))
    with uproot.open(source) as file:
        branch = file["events"]["ECalBarrelCollection"]
        ids = branch["ECalBarrelCollection.cellID"].array(library="ak")
        energies = branch["ECalBarrelCollection.energy"].array(library="ak")
    for event in range(len(showers)):
        layers = (np.asarray(ids[event]).astype(np.uint64) >> np.uint64(19)).astype(int) & 0x1FF
        expected = 1e3 * np.bincount(layers, np.asarray(energies[event]), minlength=50)
        found = np.bincount(detector.cells.layer, showers.energies[event], minlength=50)
        np.testing.assert_allclose(found, expected[:50], rtol=1e-5, atol=1e-6)
    assert conversion.lost_fraction < 1e-6


def test_an_edm4hep_file_needs_a_detector(real: Path, tmp_path: Path) -> None:
    with pytest.raises(CalokitError, match="--detector"):
        convert_file(real / "clic_gamma_10GeV.root", tmp_path / "a.h5")


def test_steps_give_the_showers_of_the_edm4hep_file(real: Path, tmp_path: Path) -> None:
    steps = real / "odd_gamma_10gev_steps.h5"
    with h5py.File(steps) as file:
        energies, events = file["steps/energy"][:], file["steps/event_id"][:]
    by_steps, one = converted(steps, tmp_path / "steps.h5", Choices(volume()))
    _, two = converted(real / "odd_gamma_10gev_edm4hep.root", tmp_path / "hits.h5", Choices(volume()))
    assert by_steps.source_energy_mev == pytest.approx(1e3 * energies.sum(dtype=np.float64), rel=1e-6)
    each = 1e3 * np.bincount(events, energies, minlength=10)
    np.testing.assert_allclose(one.visible_energies, each[each > 0], rtol=2e-3)
    np.testing.assert_allclose(one.visible_energies, two.visible_energies, rtol=0.01)
    np.testing.assert_allclose(one.incident_energies, two.incident_energies, rtol=1e-5)


def test_point_clouds_are_put_onto_cells(real: Path, tmp_path: Path) -> None:
    source = real / "caloclouds_photons_mini.hdf5"
    with h5py.File(source) as file:
        points, energy = file["events"][:], file["energy"][:]
    weights = points[..., 3] if points.shape[-1] == 4 else points[:, 3]
    detector = volume(layers=30, depth_mm=30.0, half_width_mm=1000.0)
    conversion, showers = converted(source, tmp_path / "a.h5", Choices(detector), "gamma")
    assert conversion.showers == 2
    assert conversion.source_energy_mev == pytest.approx(1e3 * weights.sum(dtype=np.float64), rel=1e-5)
    np.testing.assert_allclose(showers.incident_energies, 1e3 * energy[:, 0], rtol=1e-6)


@pytest.mark.parametrize("energy", ["1", "20"])
def test_text_hits_are_read_with_col_along_x(real: Path, tmp_path: Path, energy: str) -> None:
    source = real / "pbwo4_clusters" / f"input_central_{energy}gev.csv"
    table: NDArray[Any] = np.genfromtxt(source, delimiter=",", names=True)
    rows = int(max(table["col"].max(), table["row"].max())) + 1
    detector = volume(layers=1, depth_mm=200.0, half_width_mm=10.0 * rows, cells=rows)
    conversion, showers = converted(
        source, tmp_path / "a.h5", Choices(detector, energy_gev=float(energy)), "e-"
    )
    assert conversion.cell_energy_mev == pytest.approx(1e3 * table["e"].sum(), rel=1e-6)
    first = table[table["event"] == table["event"][0]]
    image = showers.images[0, 0]
    for hit in first:
        assert image[int(hit["col"]), int(hit["row"])] == pytest.approx(1e3 * hit["e"], rel=1e-5)


def write_ntuple(path: Path, as_rntuple: bool = False, **changed: Any) -> None:
    """Write a flat ROOT ntuple with lists of hits in each event."""
    branches = {
        "E_true": np.array([5.0, 7.0], np.float32),
        "hit_e": np.array([[1.0, 2.0, 4.0], [8.0, 16.0, 32.0]], np.float32),
        "hit_ix": np.array([[1, 1, 19], [0, 2, 3]], np.int32),
        "hit_iy": np.array([[1, 2, 5], [7, 7, 7]], np.int32),
    } | changed
    with uproot.recreate(path) as file:
        (file.mkrntuple if as_rntuple else file.mktree)("hits", branches)


NTUPLE = """
kind: columns
detector: zdc_ecal
hits:
  energy: {name: hit_e, unit: keV}
  row: {name: hit_ix, first: 0}
  column: {name: hit_iy, first: 0}
incident_energy: {name: E_true, unit: GeV}
impact: {x: {value: 1, unit: cm}, y: {value: 0, unit: cm}}
particle: e-
"""


def map_own(tmp_path: Path, source: Path, text: str = NTUPLE) -> Showers:
    from calokit.showers.formats.mapping.mapping import read_mapping

    (tmp_path / "mine.yaml").write_text(text)
    mapping = read_mapping(tmp_path / "mine.yaml")
    detector = load_detector(str(mapping.detector))
    convert_file(source, tmp_path / "native.h5", None, Choices(detector, mapping))
    return open_showers(tmp_path / "native.h5").read_all()


@pytest.mark.parametrize("as_rntuple", [False, True])
def test_an_own_ntuple_is_read_by_its_mapping(tmp_path: Path, as_rntuple: bool) -> None:
    write_ntuple(tmp_path / "mine.root", as_rntuple)
    showers = map_own(tmp_path, tmp_path / "mine.root")
    assert showers.incident_energies.tolist() == [5e3, 7e3]
    assert showers.positions is not None
    assert showers.positions.tolist() == [[10.0, 0.0]] * 2
    assert showers.images[0, 0, 1, 2] == pytest.approx(2e-3)
    assert showers.images[0, 0, 19, 5] == pytest.approx(4e-3)
    assert showers.visible_energies == pytest.approx([7e-3, 56e-3], rel=1e-6)


@pytest.mark.parametrize("kind", ["npz", "h5"])
def test_own_images_are_turned_to_layer_row_column(tmp_path: Path, kind: str) -> None:
    images = np.zeros((2, 25, 25, 25), np.float32)
    images[:, 3, 4, 5] = 2.0  # row, column, layer
    arrays = {"image": images, "energy": np.array([20.0, 30.0])}
    source = tmp_path / f"mine.{kind}"
    if kind == "npz":
        np.savez(source, **arrays)
    else:
        with h5py.File(source, "w") as file:
            for name, values in arrays.items():
                file[name] = values
    text = """
kind: columns
detector: clic_ecal
cells: {name: image, unit: GeV, axes: [row, column, layer]}
incident_energy: {name: energy, unit: GeV}
"""
    showers = map_own(tmp_path, source, text)
    assert showers.images[0, 5, 3, 4] == pytest.approx(2e3)
    assert showers.visible_energies == pytest.approx([2e3, 2e3])


@pytest.mark.parametrize(
    ("changed", "text", "words"),
    [
        ({}, NTUPLE.replace("hit_iy", "hit_yy"), "hit_yy.*Did you mean 'hit_iy'"),
        ({"hit_e": np.array([[1.0, np.nan, 4.0], [8.0, 16.0, 32.0]], np.float32)}, NTUPLE, "finite"),
        ({"hit_e": np.array([[1.0, -2.0, 4.0], [8.0, 16.0, 32.0]], np.float32)}, NTUPLE, "not negative"),
        ({"E_true": np.array([0.0, 7.0], np.float32)}, NTUPLE, "incident energies must be positive"),
        ({}, NTUPLE.replace("keV", "kev"), "unit of energy 'kev'"),
        ({}, NTUPLE.replace("row:", "rows:"), "unknown key"),
    ],
)
def test_mistakes_in_own_files_are_named(
    tmp_path: Path, changed: dict[str, Any], text: str, words: str
) -> None:
    write_ntuple(tmp_path / "mine.root", **changed)
    with pytest.raises(CalokitError, match=words):
        map_own(tmp_path, tmp_path / "mine.root", text)
    assert not (tmp_path / "native.h5").exists()


@pytest.mark.parametrize("part", [0.3, 0.9])
def test_truncated_root_files_are_refused(tmp_path: Path, part: float) -> None:
    write_ntuple(tmp_path / "mine.root")
    data = (tmp_path / "mine.root").read_bytes()
    (tmp_path / "mine.root").write_bytes(data[: int(part * len(data))])
    with pytest.raises(CalokitError, match=r"mine\.root"):
        map_own(tmp_path, tmp_path / "mine.root")
