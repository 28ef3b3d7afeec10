"""Foreign files that hold all cells or records of them: CaloChallenge, CLIC, LHCb, LUXE."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from calokit.detector import load_detector
from calokit.errors import CalokitError, DetectorError, ShowerFileError
from calokit.showers import Showers, ShowerWriter, open_showers
from calokit.showers.formats import Choices, Conversion, convert_file
from calokit.showers.formats import write_lhcb as write_lhcb_file
from calokit.showers.formats.readers.luxe import MEV_PER_MIP
from made_up_runs import silent
from tiny_families import showers_in

RNG = np.random.default_rng(11)


def converted(
    source: Path, choices: Choices | None = None, name: str | None = None
) -> tuple[Conversion, Showers]:
    """Convert a file and read the showers back; every energy of the file must be on the cells."""
    target = source.with_name("native.h5")
    conversion = convert_file(source, target, name, choices)
    showers = open_showers(target).read_all()
    assert conversion.showers == len(showers)
    assert showers.visible_energies.sum() == pytest.approx(conversion.cell_energy_mev, rel=1e-12)
    return conversion, showers


def assert_refused(source: Path, words: str, choices: Choices | None = None, name: str | None = None) -> None:
    """The error is a user's, names the file and the mistake; nothing is left behind."""
    target = source.with_name("native.h5")
    with pytest.raises(CalokitError, match=words) as caught:
        convert_file(source, target, name, choices)
    assert source.name in str(caught.value)
    assert not list(source.parent.glob("native*"))


# CaloChallenge


def write_challenge(path: Path, cells: int = 368, events: int = 5, **changed: Any) -> NDArray[np.float64]:
    showers = RNG.random((events, cells)) * 3e4 / cells
    datasets = {"showers": showers, "incident_energies": np.full((events, 1), 65536.0)} | changed
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            if values is not None:
                file[name] = values
    return showers


@pytest.mark.parametrize(
    ("cells", "detector"),
    [
        (368, "calochallenge_1_photons"),
        (533, "calochallenge_1_pions"),
        (6480, "par04_siw"),
        (40500, "par04_siw_fine"),
    ],
)
def test_challenge_files_name_their_detector_by_their_cells(
    tmp_path: Path, cells: int, detector: str
) -> None:
    given = write_challenge(tmp_path / "dataset.hdf5", cells, 3)
    conversion, showers = converted(tmp_path / "dataset.hdf5")
    assert showers.detector.name == detector
    assert conversion.source_energy_mev == pytest.approx(given.sum(), rel=1e-6)
    assert abs(conversion.lost_fraction) < 1e-6
    assert np.allclose(showers.energies, given, rtol=1e-6)
    assert showers.incident_energies.tolist() == [65536.0] * 3
    assert any(detector in text for text in conversion.foreign.assumptions)


def test_challenge_files_take_a_named_detector(tmp_path: Path) -> None:
    write_challenge(tmp_path / "dataset.hdf5", 400)
    _, showers = converted(tmp_path / "dataset.hdf5", Choices(detector=load_detector("zdc_ecal")))
    assert showers.detector.name == "zdc_ecal"


def test_impacts_and_directions_of_a_challenge_file_are_taken_over(tmp_path: Path) -> None:
    path, zdc = tmp_path / "dataset.hdf5", load_detector("zdc_ecal")
    write_challenge(path, 400, 2)
    impacts, upright = [[1.5, -2.0], [3.0, 4.0]], [[0.0, 0.0, 1.0], [0.0, 0.6, 0.8]]
    with h5py.File(path, "a") as file:
        file["incident_positions"], file["incident_directions"] = impacts, upright
        file["incident_pdg"] = [11, -11]
    conversion, showers = converted(path, Choices(detector=zdc))
    assert showers.positions is not None
    assert showers.directions is not None
    assert showers.pdg is not None
    assert showers.positions.tolist() == impacts
    assert np.allclose(showers.directions, upright)
    assert showers.pdg.tolist() == [11, -11]
    assert "incident_positions as they are" in conversion.foreign.conversion
    with h5py.File(path, "a") as file:
        del file["incident_positions"]
        file["incident_positions"] = impacts[:1]
    path.with_name("native.h5").unlink()
    assert_refused(path, "incident_positions", Choices(detector=zdc))


def test_what_was_converted_stands_in_the_attributes(tmp_path: Path) -> None:
    given = write_challenge(tmp_path / "dataset.hdf5")
    conversion = convert_file(tmp_path / "dataset.hdf5", tmp_path / "n.h5", particle="gamma", split="test")
    view = open_showers(tmp_path / "n.h5")
    assert view.particle == conversion.particle == "gamma"
    assert view.meant_for == "test"
    assert view.attributes["source_format"] == "calochallenge"
    assert view.attributes["converted_from"] == "dataset.hdf5"
    assert view.attributes["source_energy_mev"] == pytest.approx(given.sum())
    assert "368 cells" in view.attributes["assumptions"]


def test_a_piece_at_a_time_gives_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = write_challenge(tmp_path / "dataset.hdf5", events=23)
    monkeypatch.setattr("calokit.showers.formats.pieces.MOST_EVENTS", 4)
    seen: list[int] = []
    monkeypatch.setattr(
        "calokit.showers.formats.convert.check_sanity", lambda showers, where: seen.append(len(showers))
    )
    _, showers = converted(tmp_path / "dataset.hdf5")
    assert np.allclose(showers.energies, given, rtol=1e-6)
    assert seen == [4, 4, 4, 4, 4, 3]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"showers": np.ones((5, 367))}, "367 cells.*--detector"),
        ({"showers": np.ones((5, 368, 1))}, "shape"),
        ({"showers": np.full((5, 368), np.nan)}, "NaN"),
        ({"showers": np.full((5, 368), 1e39)}, "infinite"),
        ({"showers": np.full((5, 368), -1.0)}, "negative"),
        ({"showers": np.full((5, 368), b"abc")}, "no numbers"),
        ({"incident_energies": np.ones((4, 1))}, "number of events"),
        ({"incident_energies": np.ones((5, 2))}, "shape"),
        ({"incident_energies": np.zeros((5, 1))}, "positive"),
        ({"incident_energies": np.full((5, 1), np.nan)}, "positive"),
        ({"showers": np.ones((0, 368)), "incident_energies": np.ones((0, 1))}, "no showers"),
    ],
)
def test_bad_challenge_files_are_refused(tmp_path: Path, changed: dict[str, Any], words: str) -> None:
    write_challenge(tmp_path / "dataset.hdf5", **changed)
    assert_refused(tmp_path / "dataset.hdf5", words)


def test_a_missing_dataset_is_named(tmp_path: Path) -> None:
    write_challenge(tmp_path / "dataset.hdf5", incident_energies=None, incident_energy=np.ones(5))
    assert_refused(tmp_path / "dataset.hdf5", "Did you mean 'incident_energy'", name="calochallenge")
    assert_refused(tmp_path / "dataset.hdf5", "none of the formats.*calochallenge")


def test_another_detector_is_refused(tmp_path: Path) -> None:
    write_challenge(tmp_path / "dataset.hdf5")
    assert_refused(tmp_path / "dataset.hdf5", "400", Choices(detector=load_detector("zdc_ecal")))


# CLIC


def write_clic(path: Path, shape: tuple[int, ...] = (4, 25, 25, 25), **changed: Any) -> NDArray[np.float32]:
    ecal = (RNG.random(shape) * 1e-4).astype(np.float32)
    target = np.stack([np.full(shape[0], 11.0), np.linspace(50, 200, shape[0])], axis=1)
    datasets = {"ECAL": ecal, "target": target} | changed
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            if values is not None:
                file[name] = values
    return ecal


def test_clic_axes_are_x_y_and_depth(tmp_path: Path) -> None:
    ecal = np.zeros((2, 25, 25, 25), np.float32)
    ecal[0, 3, 7, 20] = 0.25
    ecal[1, 24, 0, 1] = 0.5
    write_clic(tmp_path / "EleEscan_1_1.h5", (2, 25, 25, 25), ECAL=ecal)
    conversion, showers = converted(tmp_path / "EleEscan_1_1.h5")
    assert showers.images[0, 20, 3, 7] == 250.0
    assert showers.images[1, 1, 24, 0] == 500.0
    assert conversion.cell_energy_mev == conversion.source_energy_mev == 750.0
    cells = showers.detector.cells
    hit = int(np.argmax(showers.energies[0]))
    assert cells.x[hit] == pytest.approx((3 - 12) * 5.1)
    assert cells.y[hit] == pytest.approx((7 - 12) * 5.1)
    assert cells.layer[hit] == 20


def test_clic_energies_are_gev(tmp_path: Path) -> None:
    ecal = write_clic(tmp_path / "clic.h5")
    conversion, showers = converted(tmp_path / "clic.h5")
    assert showers.detector.name == "clic_ecal"
    assert showers.visible_energies == pytest.approx(ecal.sum(axis=(1, 2, 3), dtype=float) * 1000, rel=1e-6)
    assert showers.incident_energies.tolist() == [50e3, 100e3, 150e3, 200e3]
    assert abs(conversion.lost_fraction) < 1e-6


@pytest.mark.parametrize("shape", [(4, 1, 5), (4, 2)])
def test_clic_targets_of_both_shapes_are_read(tmp_path: Path, shape: tuple[int, ...]) -> None:
    target = np.zeros(shape)
    target[..., 1] = 125.0
    write_clic(tmp_path / "clic.h5", target=target)
    _, showers = converted(tmp_path / "clic.h5")
    assert showers.incident_energies.tolist() == [125e3] * 4


def test_clic_files_with_angles_get_directions_and_their_own_unit(tmp_path: Path) -> None:
    ecal = np.zeros((2, 51, 51, 25, 1), np.float32)
    ecal[:, 25, 30, 4] = 3.0
    theta = np.array([np.pi / 2, 1.2])
    energy = np.array([[150.0], [100.0]])
    write_clic(tmp_path / "clic.h5", (2, 51, 51, 25), ECAL=ecal, target=None, energy=energy, theta=theta)
    conversion, showers = converted(tmp_path / "clic.h5")
    assert showers.images.shape == (2, 25, 51, 51)
    assert showers.images[0, 4, 25, 30] == 60.0
    assert showers.directions is not None
    assert showers.directions[1] == pytest.approx([0, np.cos(1.2), np.sin(1.2)], abs=1e-6)
    assert any("20 MeV" in text for text in conversion.foreign.assumptions)
    assert any("theta" in text for text in conversion.foreign.assumptions)


def test_a_clic_hcal_becomes_a_second_section(tmp_path: Path) -> None:
    hcal = np.zeros((4, 5, 6, 60), np.float32)
    hcal[:, 1, 5, 59] = 2.0
    write_clic(tmp_path / "clic.h5", ECAL=np.zeros((4, 25, 25, 25), np.float32), HCAL=hcal)
    conversion, showers = converted(tmp_path / "clic.h5")
    assert [section.shape for section in showers.detector.sections] == [(25, 25, 25), (60, 5, 6)]
    assert int(np.argmax(showers.energies[0])) == 25**3 + 59 * 30 + 1 * 6 + 5
    assert conversion.cell_energy_mev == 8000.0


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"ECAL": np.ones((4, 25, 25))}, "ECAL.*shape"),
        ({"ECAL": np.ones((4, 25, 25, 24))}, "24 layers.*--detector"),
        ({"ECAL": np.full((4, 25, 25, 25), np.nan)}, "NaN"),
        ({"ECAL": np.full((4, 25, 25, 25), -1e-3)}, "negative"),
        ({"target": np.ones((4, 1))}, "second column"),
        ({"target": np.ones((3, 2))}, "number of events"),
        ({"target": np.ones(4)}, "target.*shape"),
        ({"target": np.zeros((4, 2))}, "positive"),
        ({"theta": np.ones((4, 2))}, "theta.*shape"),
        ({"theta": np.full(4, -0.1)}, "directions"),
    ],
)
def test_bad_clic_files_are_refused(tmp_path: Path, changed: dict[str, Any], words: str) -> None:
    write_clic(tmp_path / "clic.h5", **changed)
    assert_refused(tmp_path / "clic.h5", words)


def test_a_clic_file_without_energies_is_refused(tmp_path: Path) -> None:
    write_clic(tmp_path / "clic.h5", target=None)
    assert_refused(tmp_path / "clic.h5", "target", name="clic")


# LHCb


def write_lhcb(path: Path, save: Any = np.savez, **changed: Any) -> dict[str, Any]:
    arrays = {
        "EnergyDeposit": RNG.random((6, 30, 30)) * 10,
        "ParticlePoint": np.tile([1.0, -2.0, -19.8], (6, 1)),
        "ParticleMomentum": np.tile([3.0, 0.0, 40.0], (6, 1)),
        "ParticlePDG": np.array([11, 22] * 3),
    } | changed
    save(path, **{name: values for name, values in arrays.items() if values is not None})
    return arrays


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_lhcb_units_become_calokits(tmp_path: Path, save: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calokit.showers.formats.pieces.MOST_EVENTS", 4)
    given = write_lhcb(tmp_path / "data.npz", save)
    conversion, showers = converted(tmp_path / "data.npz")
    assert np.allclose(showers.energies, given["EnergyDeposit"].reshape(6, -1), rtol=1e-6)
    assert conversion.source_energy_mev == pytest.approx(given["EnergyDeposit"].sum(), rel=1e-9)
    assert abs(conversion.lost_fraction) < 1e-6
    assert showers.positions is not None
    assert showers.positions[0].tolist() == [10.0, -20.0]
    momentum = np.hypot(3000.0, 40000.0)
    assert showers.incident_energies[1] == pytest.approx(momentum, rel=1e-7)
    assert showers.incident_energies[0] == pytest.approx(
        np.hypot(momentum, 0.51099895) - 0.51099895, rel=1e-7
    )
    assert showers.directions is not None
    assert showers.directions[0] == pytest.approx(np.array([3, 0, 40]) / np.hypot(3, 40), rel=1e-6)
    assert showers.pdg is not None
    assert showers.pdg.tolist() == [11, 22] * 3
    assert conversion.particle == "several (11, 22)"


def test_the_lhcb_form_out_and_in_again(tmp_path: Path) -> None:
    """Cells, impacts, directions, energies and particles come back as they were."""
    showers = replace(showers_in("lhcb_ecal"), particles=None, entries=None)
    with ShowerWriter(tmp_path / "ours.h5", showers.detector, "e+", "made up") as writer:
        writer.write(showers)
    write_lhcb_file(open_showers(tmp_path / "ours.h5", "all"), tmp_path / "theirs.npz", silent)
    with np.load(tmp_path / "theirs.npz") as arrays:
        assert arrays["EnergyDeposit"].shape == (len(showers), 30, 30)
        assert arrays["ParticlePoint"][0] == pytest.approx([*showers.positions[0] / 10, -19.8], rel=1e-6)
    conversion, back = converted(tmp_path / "theirs.npz")
    assert conversion.particle == "e+"
    np.testing.assert_array_equal(back.energies, showers.energies)
    np.testing.assert_allclose(back.positions, showers.positions, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(back.directions, showers.directions, atol=1e-6)
    np.testing.assert_allclose(back.incident_energies, showers.incident_energies, rtol=1e-6)
    np.testing.assert_array_equal(back.pdg, showers.pdg)


def test_what_the_lhcb_form_cannot_hold_is_refused(tmp_path: Path) -> None:
    bare = replace(showers_in("lhcb_ecal"), particles=None, entries=None, directions=None)
    layered = replace(showers_in("clic_ecal"), particles=None, entries=None)
    for showers, error, words in (
        (bare, ShowerFileError, "needs directions"),
        (layered, DetectorError, "one layer"),
    ):
        path = tmp_path / f"{showers.detector.name}.h5"
        with ShowerWriter(path, showers.detector, "e+", "made up") as writer:
            writer.write(showers)
        with pytest.raises(error, match=words):
            write_lhcb_file(open_showers(path, "all"), tmp_path / "out.npz", silent)
        assert not (tmp_path / "out.npz").exists()


@pytest.mark.parametrize("trailing", [(), (1,)])
def test_the_first_lhcb_axis_is_x(tmp_path: Path, trailing: tuple[int, ...]) -> None:
    image = np.zeros((6, 30, 30, *trailing), np.float32)
    image[:, 4, 21] = 7.0
    write_lhcb(tmp_path / "data.npz", EnergyDeposit=image)
    _, showers = converted(tmp_path / "data.npz")
    hit = int(np.argmax(showers.energies[0]))
    cells = showers.detector.cells
    assert cells.x[hit] == pytest.approx((4 - 14.5) * 20.2)
    assert cells.y[hit] == pytest.approx((21 - 14.5) * 20.2)


def test_showers_far_from_their_impacts_are_a_warning(tmp_path: Path) -> None:
    image = np.zeros((6, 30, 30))
    image[:, 20, 14:16] = 700.0
    near = np.tile([(20 - 14.5) * 2.02, 0.0, -19.8], (6, 1))
    straight = np.tile([0.0, 0.0, 40.0], (6, 1))
    write_lhcb(tmp_path / "a.npz", EnergyDeposit=image, ParticlePoint=near, ParticleMomentum=straight)
    assert converted(tmp_path / "a.npz")[0].warnings == ()
    swapped = np.ascontiguousarray(near[:, [1, 0, 2]])
    write_lhcb(tmp_path / "b.npz", EnergyDeposit=image, ParticlePoint=swapped, ParticleMomentum=straight)
    assert any("from their impacts" in text for text in converted(tmp_path / "b.npz")[0].warnings)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"EnergyDeposit": np.ones((6, 30, 31))}, r"\(30, 31\).*--detector"),
        ({"EnergyDeposit": np.ones((6, 900))}, "EnergyDeposit.*shape"),
        ({"EnergyDeposit": np.full((6, 30, 30), np.nan)}, "NaN"),
        ({"EnergyDeposit": -np.ones((6, 30, 30))}, "negative"),
        ({"EnergyDeposit": np.array([None] * 6)}, "unpickle"),
        ({"EnergyDeposit": np.asfortranarray(np.ones((6, 30, 30)))}, "Fortran"),
        ({"ParticlePoint": None}, "ParticlePoint.*missing"),
        ({"ParticlePoint": np.ones((6, 2))}, "ParticlePoint.*shape"),
        ({"ParticlePoint": np.full((6, 3), np.nan)}, "positions"),
        ({"ParticleMomentum": np.zeros((6, 3))}, "direction"),
        ({"ParticleMomentum": np.tile([0.0, 0.0, -1.0], (6, 1))}, "z > 0"),
        ({"ParticlePDG": np.ones(5)}, "number of events"),
        ({"ParticlePDG": np.full(6, np.nan)}, "PDG"),
        ({"ParticlePDG": np.array(["e-"] * 6)}, "no numbers"),
    ],
)
def test_bad_lhcb_files_are_refused(tmp_path: Path, changed: dict[str, Any], words: str) -> None:
    write_lhcb(tmp_path / "data.npz", **changed)
    assert_refused(tmp_path / "data.npz", words)


# LUXE

Record = tuple[list[float], dict[int, float]]


def write_luxe(path: Path, records: list[Record]) -> None:
    with path.open("wb") as stream:
        for number, (shifts, deposits) in enumerate(records):
            header = [number, len(deposits), 0, len(deposits)]
            stream.write(np.array(header, "<i8").tobytes() + np.array(shifts, "<f8").tobytes())
            stream.write(np.array(list(deposits), "<i8").tobytes())
            stream.write(np.array(list(deposits.values()), "<f8").tobytes())


RECORDS: list[Record] = [
    ([1.5, -2.0, 2.0, -1.0], {100_000 * 3 + 100 * 60 + 7: 10.0, 100 * 55 + 5: 1.0}),
    ([0.0, 0.0, 0.0, 0.0], {}),
    ([-1.0, 2.0, -3.0, 3.0], {100_000 * 19 + 100 * 109 + 10: 4.0}),
]


def test_luxe_records_are_read(tmp_path: Path) -> None:
    write_luxe(tmp_path / "angle_7_75.dat", RECORDS)
    conversion, showers = converted(tmp_path / "angle_7_75.dat", Choices(tilt_deg=7.0))
    assert showers.detector.name == "luxe_ecal"
    assert showers.incident_energies.tolist() == [7500.0] * 3
    assert showers.images[0, 3, 60, 7] == pytest.approx(10 * MEV_PER_MIP, rel=1e-6)
    assert showers.images[2, 19, 109, 10] == pytest.approx(4 * MEV_PER_MIP, rel=1e-6)
    assert (showers.energies > 0).sum(axis=1).tolist() == [2, 0, 1]
    assert conversion.source_energy_mev == pytest.approx(15 * MEV_PER_MIP, rel=1e-12)
    assert abs(conversion.lost_fraction) < 1e-6
    assert showers.positions is not None
    assert showers.positions[0].tolist() == [1.5, -2.0]
    assert showers.directions is not None
    slopes = showers.directions[:, :2] / showers.directions[:, 2:]
    angles = np.degrees(np.arctan(slopes))
    assert angles == pytest.approx(np.array([[9.0, -1.0], [7.0, 0.0], [4.0, 3.0]]), abs=1e-5)
    cells = showers.detector.cells
    hit = int(np.argmax(showers.energies[0]))
    assert (cells.x[hit], cells.y[hit]) == pytest.approx(((60 - 54.5) * 5, (7 - 5) * 5))


def test_energy_and_mip_can_be_set(tmp_path: Path) -> None:
    write_luxe(tmp_path / "any.dat", RECORDS)
    conversion, showers = converted(tmp_path / "any.dat", Choices(energy_gev=5.0, mev_per_mip=0.1))
    assert showers.incident_energies.tolist() == [5000.0] * 3
    assert conversion.cell_energy_mev == pytest.approx(1.5, rel=1e-6)


def test_deposits_outside_the_grid_are_counted_and_warned_of(tmp_path: Path) -> None:
    write_luxe(tmp_path / "any_50.dat", [([0.0] * 4, {100 * 55 + 5: 3.0, 100 * 55 + 11: 1.0})])
    conversion, showers = converted(tmp_path / "any_50.dat")
    assert conversion.lost_fraction == pytest.approx(0.25, rel=1e-6)
    assert showers.visible_energies[0] == pytest.approx(3 * MEV_PER_MIP, rel=1e-6)
    assert any("25 % of the energy" in text for text in conversion.warnings)
    assert ("outside the cells", "25 %") in conversion.rows()


@pytest.mark.parametrize("cut", [1, 100, 150])
def test_truncated_luxe_files_are_refused(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "any_50.dat"
    write_luxe(path, RECORDS)
    path.write_bytes(path.read_bytes()[:-cut])
    assert_refused(path, "truncated", name="luxe")


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (([0.0] * 4, {5: np.nan}), "deposit of nan"),
        (([0.0] * 4, {5: -1.0}), "deposit of -"),
        (([np.inf, 0.0, 0.0, 0.0], {5: 1.0}), "not finite"),
        (([0.0, 0.0, 90.0, 0.0], {5: 1.0}), "90 degrees"),
    ],
)
def test_bad_luxe_records_are_refused(tmp_path: Path, record: Record, words: str) -> None:
    write_luxe(tmp_path / "any_50.dat", [record])
    assert_refused(tmp_path / "any_50.dat", words, name="luxe")


def test_a_luxe_file_without_energy_is_refused(tmp_path: Path) -> None:
    write_luxe(tmp_path / "any.dat", RECORDS)
    assert_refused(tmp_path / "any.dat", "--energy")


@pytest.mark.parametrize(
    ("write", "name"),
    [(write_challenge, "x.h5"), (write_clic, "x.h5"), (write_lhcb, "x.npz")],
)
@pytest.mark.parametrize("part", [0.02, 0.4, 0.9])
def test_truncated_files_are_refused(tmp_path: Path, write: Any, name: str, part: float) -> None:
    path = tmp_path / name
    write(path)
    path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])
    assert_refused(path, "truncated|damaged")
