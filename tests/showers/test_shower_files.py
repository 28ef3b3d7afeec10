"""Shower files: what is written is what is read, and nothing else is read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from calokit.bundles.bundle import read_bundle
from calokit.detector import Detector, load_detector
from calokit.errors import BundleError, CalokitError, DetectorError, OutputError, ShowerFileError, SplitError
from calokit.evaluation.scorecard import read_scorecard
from calokit.showers import Incidents, Particles, Showers, ShowerWriter, Split, concatenate, open_showers
from made_up_runs import MakeFile, MakeShowers

COLUMNS = ("energies", "incident_energies", "positions", "directions")


def assert_equal(one: Showers, other: Showers) -> None:
    for name in COLUMNS:
        mine, theirs = getattr(one, name), getattr(other, name)
        assert (mine is None) == (theirs is None), name
        if mine is not None:
            np.testing.assert_array_equal(mine, theirs, err_msg=name)
            assert mine.dtype == theirs.dtype == np.float32


def without(showers: Showers, *names: str) -> Showers:
    known = {name: None if name in names else getattr(showers, name) for name in ("positions", "directions")}
    return Showers(showers.energies, showers.incident_energies, showers.detector, **known)


@pytest.mark.parametrize("missing", [(), ("positions",), ("directions",), ("positions", "directions")])
def test_round_trip_is_exact(
    shower_file: MakeFile, make_showers: MakeShowers, missing: tuple[str, ...]
) -> None:
    showers = without(make_showers(50, 1), *missing)
    view = open_showers(shower_file(showers=showers))
    assert (len(view), "incident_positions" in view.columns, "incident_directions" in view.columns) == (
        50,
        "positions" not in missing,
        "directions" not in missing,
    )
    assert_equal(view.read_all(), showers)


def test_attributes(shower_file: MakeFile, zdc: Detector) -> None:
    path = shower_file(split="train")
    view = open_showers(path)
    assert view.attributes["format_version"] == 1
    assert view.attributes["energy_unit"] == "MeV"
    assert json.loads(view.attributes["sections"]) == [{"name": zdc.sections[0].name, "shape": [1, 20, 20]}]
    assert view.attributes["shape"] == [1, 20, 20]
    assert (view.particle, view.generator) == ("e+", "made up for a test")
    assert view.meant_for is Split.TRAIN
    assert view.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_unknown_detector_is_read_from_the_file(shower_file: MakeFile, make_showers: MakeShowers) -> None:
    own = Detector.from_mapping({**load_detector("zdc_ecal").to_mapping(), "name": "my_ecal"}, "")
    showers = make_showers(5, 1)
    given = Showers(showers.energies, showers.incident_energies, own)
    view = open_showers(shower_file(showers=given))
    assert view.detector == own
    assert view.detector.name == "my_ecal"


def test_content_digest_knows_the_content_alone(tmp_path: Path, make_showers: MakeShowers) -> None:
    def digest(showers: Showers, size: int, name: str) -> str:
        with ShowerWriter(tmp_path / name, showers.detector, "e+", name) as writer:
            for start in range(0, len(showers), size):
                writer.write(showers[start : start + size])
        return str(open_showers(tmp_path / name).attributes["content_sha256"])

    showers = make_showers(30, 1)
    assert digest(showers, 30, "a.h5") == digest(showers, 7, "b.h5")
    changed = Showers(showers.energies, showers.incident_energies * 2, showers.detector)
    assert digest(changed, 30, "c.h5") != digest(without(showers, "positions", "directions"), 30, "d.h5")


def test_file_appears_only_when_complete(tmp_path: Path, make_showers: MakeShowers) -> None:
    path = tmp_path / "showers.h5"
    showers = make_showers(5, 1)
    with ShowerWriter(path, showers.detector, "e+", "test") as writer:
        writer.write(showers)
        assert not path.exists()
    assert [entry.name for entry in tmp_path.iterdir()] == ["showers.h5"]


def test_exception_leaves_nothing_and_keeps_the_file_before(
    tmp_path: Path, shower_file: MakeFile, make_showers: MakeShowers
) -> None:
    def write_and_fail(path: Path) -> None:
        with ShowerWriter(path, make_showers(3, 1).detector, "e+", "test") as writer:
            writer.write(make_showers(3, 1))
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        write_and_fail(tmp_path / "showers.h5")
    assert list(tmp_path.iterdir()) == []
    before = shower_file().read_bytes()
    with pytest.raises(RuntimeError, match="stopped"):
        write_and_fail(tmp_path / "showers.h5")
    assert (tmp_path / "showers.h5").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_writer_refuses(tmp_path: Path, make_showers: MakeShowers) -> None:
    showers = make_showers(3, 1)
    with ShowerWriter(tmp_path / "a.h5", showers.detector, "e+", "test") as writer:
        writer.write(showers)
        with pytest.raises(ShowerFileError, match="earlier showers have"):
            writer.write(without(showers, "positions"))
        lhcb = load_detector("lhcb_ecal")
        with pytest.raises(DetectorError, match="lhcb_ecal"):
            writer.write(Showers(np.zeros((1, 900), np.float32), np.ones(1, np.float32), lhcb))
        with pytest.raises(ShowerFileError, match="negative"):
            writer.write(Showers(-showers.energies, showers.incident_energies, showers.detector))
    assert len(open_showers(tmp_path / "a.h5")) == 3
    with pytest.raises(OutputError, match="does not exist"):
        ShowerWriter(tmp_path / "none" / "a.h5", showers.detector, "e+", "test")


@pytest.mark.parametrize("split", list(Split))
@pytest.mark.parametrize("size", [1, 7, 33, 1000, None])
def test_chunks_equal_the_whole(shower_file: MakeFile, split: Split, size: int | None) -> None:
    view = open_showers(shower_file(101), split)
    chunks = list(view.chunks(size))
    whole = view.read_all()
    assert sum(len(chunk) for chunk in chunks) == len(view) == len(whole)
    assert all(len(chunk) == (size or len(view)) for chunk in chunks[:-1])
    for name in COLUMNS:
        np.testing.assert_array_equal(
            np.concatenate([getattr(c, name) for c in chunks]), getattr(whole, name)
        )


def test_splits_of_a_file_are_its_parts(shower_file: MakeFile) -> None:
    path = shower_file(101)
    whole = open_showers(path).read_all()
    assert_equal(open_showers(path, "train").read_all(), whole[:61])
    assert_equal(open_showers(path, "validation").read_all(), whole[61:81])
    assert_equal(open_showers(path, "test").read(3, 9), whole[84:90])


@pytest.mark.parametrize(("start", "stop"), [(-1, 3), (5, 5), (6, 3), (0, 21), (20, 21)])
def test_read_outside_the_view_is_refused(shower_file: MakeFile, start: int, stop: int) -> None:
    view = open_showers(shower_file(101), "validation")
    with pytest.raises(ShowerFileError, match=f"showers {start} to {stop} asked for, it has 20"):
        view.read(start, stop)


def test_condition_chunks_equal_the_conditions_of_the_showers(shower_file: MakeFile) -> None:
    view = open_showers(shower_file(50), "train")
    columns, names = view.read_all().conditions()
    parts = [one.conditions() for one in view.incident_chunks(7)]
    assert all(part[1] == names for part in parts)
    np.testing.assert_array_equal(np.concatenate([part[0] for part in parts]), columns)


def set_values(name: str, index: object, value: float) -> Callable[[h5py.File], None]:
    def damage(file: h5py.File) -> None:
        values = file[name][:]
        values[index] = value
        file[name][:] = values

    return damage


def reshape(name: str, shape: tuple[int, ...]) -> Callable[[h5py.File], None]:
    def damage(file: h5py.File) -> None:
        del file[name]
        file[name] = np.ones(shape, np.float32)

    return damage


def set_attribute(name: str, value: object) -> Callable[[h5py.File], None]:
    return lambda file: file.attrs.__setitem__(name, value)


def no_detector(file: h5py.File) -> None:
    del file.attrs["detector"], file.attrs["detector_description"]


def no_shower_group(file: h5py.File) -> None:
    del file["showers"]
    file.create_group("showers")


BAD = {
    "renamed": (
        lambda f: f.move("showers", "shower"),
        ShowerFileError,
        "'showers' is missing.*Did you mean 'shower'",
    ),
    "no energies": (
        lambda f: f.__delitem__("incident_energies"),
        ShowerFileError,
        "'incident_energies' is missing",
    ),
    "group": (no_shower_group, ShowerFileError, "'showers' is missing"),
    "width": (reshape("showers", (20, 399)), ShowerFileError, r"\(20, 399\).*needs \(events, 400\)"),
    "image": (reshape("showers", (20, 1, 20, 20)), ShowerFileError, r"\(20, 1, 20, 20\)"),
    "rows": (reshape("incident_energies", (19, 1)), ShowerFileError, r"\(19, 1\), expected \(20, 1\)"),
    "short flat energies": (
        reshape("incident_energies", (19,)),
        ShowerFileError,
        r"\(19,\), expected \(20, 1\)",
    ),
    "positions": (reshape("incident_positions", (20, 3)), ShowerFileError, "incident_positions"),
    "empty": (
        lambda f: [
            reshape(n, (0, w))(f)
            for n, w in (
                ("showers", 400),
                ("incident_energies", 1),
                ("incident_positions", 2),
                ("incident_directions", 3),
            )
        ],
        ShowerFileError,
        "no showers in split all",
    ),
    "NaN": (
        set_values("showers", (7, 3), np.nan),
        ShowerFileError,
        "NaN or infinite cell energies, first in shower 7",
    ),
    "infinite": (set_values("showers", (7, 3), np.inf), ShowerFileError, "first in shower 7"),
    "negative": (set_values("showers", (7, 3), -2.5), ShowerFileError, "down to -2.5 MeV, first in shower 7"),
    "zero": (
        set_values("incident_energies", (3, 0), 0.0),
        ShowerFileError,
        "incident energies must be positive",
    ),
    "NaN energy": (set_values("incident_energies", (3, 0), np.nan), ShowerFileError, "must be positive"),
    "NaN position": (set_values("incident_positions", (3, 0), np.nan), ShowerFileError, "positions hold NaN"),
    "direction": (set_values("incident_directions", (3, 0), 0.5), ShowerFileError, "unit vectors"),
    "backwards": (set_values("incident_directions", (3, 2), -1.0), ShowerFileError, "z > 0"),
    "NaN direction": (set_values("incident_directions", (3, 2), np.nan), ShowerFileError, "unit vectors"),
    "newer": (
        set_attribute("format_version", 2),
        ShowerFileError,
        "format version 2; .*up to 1. Update calokit",
    ),
    "version": (set_attribute("format_version", "new"), ShowerFileError, "format version 'new'"),
    "split": (set_attribute("split", "tests"), SplitError, "Did you mean 'test'"),
    "no JSON": (set_attribute("detector_description", "{"), ShowerFileError, "is not JSON"),
    "description": (
        set_attribute("detector_description", '{"name": "x"}'),
        ShowerFileError,
        "detector_description",
    ),
    "no detector": (no_detector, DetectorError, "Say it with --detector"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_refused_with_their_name(shower_file: MakeFile, case: str) -> None:
    damage, kind, words = BAD[case]
    path = shower_file(20, name="bad_one.h5")
    with h5py.File(path, "r+") as file:
        damage(file)
    with pytest.raises(kind, match=words) as caught:
        open_showers(path).read_all()
    assert "bad_one.h5" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no HDF5 at all", b"\x89HDF\r\n\x1a\n"])
def test_files_of_another_kind(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad_one.h5"
    path.write_bytes(content)
    with pytest.raises(ShowerFileError, match=r"bad_one.h5: not a readable HDF5 file"):
        open_showers(path)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(ShowerFileError, match=r"none.h5: no such file"):
        open_showers(tmp_path / "none.h5")
    with pytest.raises(ShowerFileError, match="this is a folder, not a file"):
        open_showers(tmp_path)
    with pytest.raises(BundleError, match="this is a folder, not a file"):
        read_bundle(tmp_path)
    with pytest.raises(CalokitError, match="this is a folder, not a file"):
        read_scorecard(tmp_path)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.999])
def test_truncated_files(shower_file: MakeFile, share: float) -> None:
    path = shower_file(200, name="bad_one.h5")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ShowerFileError, match=r"bad_one.h5: not a readable HDF5 file; it is truncated"):
        open_showers(path)


@pytest.mark.parametrize("seed", range(25))
def test_damage_in_the_middle_never_escapes_as_another_error(shower_file: MakeFile, seed: int) -> None:
    path = shower_file(60, name="bad_one.h5")
    content = bytearray(path.read_bytes())
    rng = np.random.default_rng(seed)
    start = int(rng.integers(8, len(content) - 64))
    content[start : start + 64] = rng.bytes(64)
    path.write_bytes(content)
    try:
        for showers in open_showers(path).chunks(16):
            assert showers.energies.shape[1] == 400
    except CalokitError as error:
        assert "bad_one.h5" in str(error)  # noqa: PT017 - undetected damage (inside an attribute) is no failure


def test_another_detector_than_asked_for(shower_file: MakeFile) -> None:
    with pytest.raises(DetectorError, match="showers of detector 'zdc_ecal', but 'lhcb_ecal' was asked for"):
        open_showers(shower_file(), detector=load_detector("lhcb_ecal"))


def test_plain_calochallenge_file(tmp_path: Path, make_showers: MakeShowers, zdc: Detector) -> None:
    showers = make_showers(10, 1)
    path = tmp_path / "dataset.hdf5"
    with h5py.File(path, "w") as file:
        file["showers"] = showers.energies.astype(np.float64)
        file["incident_energies"] = showers.incident_energies.astype(np.float64)[:, None]
    with pytest.raises(DetectorError, match="zdc_ecal"):
        open_showers(path)
    view = open_showers(path, "all", zdc)
    assert (view.particle, view.generator, view.meant_for) == ("unknown", "unknown", None)
    assert_equal(view.read_all(), without(showers, "positions", "directions"))
    assert len(open_showers(path, "train", zdc)) == 6


REFERENCES = {
    "zdc_ecal_positrons_test": ("zdc_ecal", (1, 20, 20), "e+"),
    "lhcb_electrons_test": ("lhcb_ecal", (1, 30, 30), "e-"),
    "clic_electrons_test": ("clic_ecal", (25, 25, 25), "e-"),
    "luxe_positrons_b_validation": ("luxe_ecal", (20, 110, 11), "e+"),
    "luxe_positrons_a_test": ("luxe_ecal", (20, 110, 11), "e+"),
    "par04_electrons_test": ("par04_siw", (45, 16, 9), "e-"),
}


@pytest.mark.parametrize("name", REFERENCES)
def test_reference_sets(shared_showers: Path, name: str) -> None:
    detector, shape, particle = REFERENCES[name]
    path = shared_showers / f"{name}.h5"
    if not path.is_file():
        pytest.skip(f"no {name} beside this checkout")
    view = open_showers(path)
    assert (view.detector.name, view.detector.shape, view.particle) == (detector, shape, particle)
    assert view.meant_for is (Split.VALIDATION if name.endswith("validation") else Split.TEST)
    showers = view.read(len(view) - 40, len(view))
    assert showers.images.shape == (40, *shape)
    response = showers.visible_energies / showers.incident_energies
    assert 0.005 < response.mean() < 1.01
    with pytest.raises(SplitError, match="has no train showers"):
        open_showers(path, "train")


def test_several_particles_come_back_from_the_file(tmp_path: Path, make_showers: MakeShowers) -> None:
    one = make_showers(5, 1)
    particles = Particles(
        np.tile(np.array([[3e3, 0.0], [2e3, 1e3]], np.float32), (3, 1))[:5],
        np.tile(np.array([[11, 0], [22, -211]], np.int32), (3, 1))[:5],
        np.arange(20, dtype=np.float32).reshape(5, 2, 2),
        np.tile(np.array([0, 0, 1], np.float32), (5, 2, 1)),
    )
    showers = replace(one, pdg=particles.pdg[:, 0], particles=particles)
    with ShowerWriter(tmp_path / "pairs.h5", showers.detector, "e-", "test") as writer:
        writer.write(showers[:2])
        writer.write(showers[2:])
    read = open_showers(tmp_path / "pairs.h5").read_all()
    assert read.particles is not None
    assert read.pdg is not None
    np.testing.assert_array_equal(read.pdg, particles.pdg[:, 0])
    np.testing.assert_array_equal(read.particles.count, [1, 2, 1, 2, 1])
    for name in ("energies", "pdg", "positions", "directions"):
        np.testing.assert_array_equal(getattr(read.particles, name), getattr(particles, name))
    narrow = replace(one, pdg=showers.pdg, particles=None)
    with pytest.raises(ShowerFileError, match="some batches have particles"):
        concatenate([showers, narrow])


def test_a_file_with_half_of_the_particle_columns_is_refused(
    tmp_path: Path, make_showers: MakeShowers
) -> None:
    showers = make_showers(3, 1)
    with ShowerWriter(tmp_path / "a.h5", showers.detector, "e-", "test") as writer:
        writer.write(showers)
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["particle_energies"] = np.ones((3, 2), np.float32)
    with pytest.raises(ShowerFileError, match=r"particle_\* columns particle_pdg"):
        open_showers(tmp_path / "a.h5")


def test_entries_come_back_from_the_file(tmp_path: Path, make_showers: MakeShowers) -> None:
    plain = make_showers(7, 2)
    counts = np.random.default_rng(3).poisson(0.5, plain.energies.shape).astype(np.uint16)
    counted = replace(plain, entries=counts)
    with ShowerWriter(tmp_path / "a.h5", plain.detector, "e+", "made up for a test") as writer:
        writer.write(counted)
        with pytest.raises(ShowerFileError, match="earlier showers have"):
            writer.write(plain)
    view = open_showers(tmp_path / "a.h5")
    assert "entries" in view.columns
    back = concatenate([view.read(0, 3), view.read(3, 7)])
    assert back.entries is not None
    assert back.entries.dtype == np.uint16
    np.testing.assert_array_equal(back.entries, counts)
    np.testing.assert_array_equal(back[2:4].entries, counts[2:4])  # type: ignore[arg-type]
    with pytest.raises(ShowerFileError, match="entries have shape"):
        replace(plain, entries=counts[:, :5])
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        del file["entries"]
        file["entries"] = counts[:, :5]
    with pytest.raises(ShowerFileError, match=r"a.h5: entries have shape \(7, 5\)"):
        open_showers(tmp_path / "a.h5")


def write_bare(path: Path, showers: Showers, flat_energies: bool = False) -> Path:
    """Write only what a generator of the CaloChallenge writes."""
    energies = showers.incident_energies
    with h5py.File(path, "w") as file:
        file["showers"] = showers.energies
        file["incident_energies"] = energies if flat_energies else energies[:, None]
    return path


@pytest.mark.parametrize("flat", [False, True])
def test_energies_with_one_axis_or_two_are_the_same(
    tmp_path: Path, make_showers: MakeShowers, zdc: Detector, flat: bool
) -> None:
    showers = make_showers(20, 1)
    view = open_showers(write_bare(tmp_path / "bare.hdf5", showers, flat), detector=zdc)
    assert_equal(view.read_all(), without(showers, "positions", "directions"))
    (chunk,) = view.incident_chunks()
    assert chunk.conditions()[1] == ["ln incident energy"]
    np.testing.assert_array_equal(chunk.energies, showers.incident_energies)


def test_a_bare_file_takes_the_detector_of_others_or_of_the_challenge(
    tmp_path: Path, make_showers: MakeShowers, zdc: Detector
) -> None:
    bare = write_bare(tmp_path / "bare.hdf5", make_showers(5, 1))
    assert open_showers(bare, like=zdc).detector is zdc
    with pytest.raises(DetectorError, match=r"400 cells.*'luxe_ecal' \(24200\).*--detector.*400 zdc"):
        open_showers(bare, like=load_detector("luxe_ecal"))
    with h5py.File(tmp_path / "challenge.hdf5", "w") as file:
        file["showers"] = np.ones((3, 6480), "f4")
        file["incident_energies"] = np.full(3, 1e5, "f4")
    for like in (None, zdc):
        assert open_showers(tmp_path / "challenge.hdf5", like=like).detector.name == "par04_siw"


def test_a_file_and_its_showers_are_shown_in_one_line(tmp_path: Path, make_showers: MakeShowers) -> None:
    path, showers = tmp_path / "a.h5", make_showers(10, 1)
    with ShowerWriter(path, showers.detector, "e+", "made up", {}) as writer:
        writer.write(showers)
    assert repr(open_showers(path, "train")) == (
        f"ShowerFile('{path}', split train: 6 of zdc_ecal, particle e+)"
    )
    assert repr(showers).startswith("Showers(10 of zdc_ecal, ")
    assert repr(showers).endswith(" GeV, impact, direction)")
    assert repr(showers[:0].incidents) == "Incidents(0, no energies, impact, direction)"


def test_energies_may_have_the_shape_of_files() -> None:
    assert Incidents.of(np.array([[1e3], [2e3]])).energies.tolist() == [1e3, 2e3]
    with pytest.raises(ShowerFileError, match="have shape"):
        Incidents.of(np.ones((2, 2)))
