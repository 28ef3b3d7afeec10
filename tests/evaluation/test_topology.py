from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calokit.detector import Detector, load_detector
from calokit.evaluation.topology.calculator import TopologyCalculator
from calokit.evaluation.topology.hit_pairs import find_hit_pairs
from calokit.evaluation.topology.lines import FineSpectrum, SpectralLine
from calokit.evaluation.topology.neighbours import neighbour_pairs, surrounding_cells
from calokit.showers import Showers
from calokit.showers.hits import find_hits

THRESHOLD = 0.1
SMALL_STACK = Detector.from_mapping(
    {
        "name": "small_stack",
        "title": "3 layers of 8 x 8 cells",
        "sections": [
            {
                "name": "stack",
                "layers": 3,
                "layer_edges_mm": [0.0, 10.0, 20.0, 30.0],
                "readout": {
                    "kind": "cartesian",
                    "rows": 8,
                    "columns": 8,
                    "row_pitch_mm": 10.0,
                    "column_pitch_mm": 10.0,
                },
            }
        ],
    },
    "test",
)
DISC = Detector.from_mapping(
    {
        "name": "disc",
        "title": "2 layers of 6 angles and 4 radii",
        "sections": [
            {
                "name": "disc",
                "layers": 2,
                "readout": {"kind": "cylindrical", "phi_bins": 6, "r_bins": 4, "dr_mm": 5.0},
            }
        ],
    },
    "test",
)
PRESETS = ("zdc_ecal", "par04_siw", "calochallenge_1_photons", "zdc_ecal_hcal")


def one_shower(detector, hits, position=None, direction=None):
    energies = np.zeros((1, detector.number_of_cells), np.float32)
    for cell, energy in hits.items():
        energies[0, cell] = energy
    return Showers(
        energies,
        np.array([1000.0], np.float32),
        detector,
        None if position is None else np.array([position], np.float32),
        None if direction is None else np.array([direction], np.float32),
    )


def measure(showers, lines=()):
    found = TopologyCalculator(showers.detector, THRESHOLD, lines)(showers)
    return {name: found.values[:, number] for number, name in enumerate(found.names)}


def random_showers(detector, seed, events=20, hits=60):
    generator = np.random.default_rng(seed)
    energies = np.zeros((events, detector.number_of_cells), np.float32)
    # clustered, so that many hits touch: cells near some few in file order
    middle = generator.integers(0, detector.number_of_cells, (events, 3))
    for event in range(events):
        near = middle[event, generator.integers(0, 3, hits)] + generator.normal(0, 12, hits).astype(int)
        cells = np.clip(near, 0, detector.number_of_cells - 1)
        energies[event, cells] = generator.exponential(2.0, hits)
    return Showers(energies, np.full(events, 1e3, np.float32), detector)


def test_pairs_of_cells_of_a_stack_are_counted_by_axis():
    counts = {axis: len(pairs.partners) for axis, pairs in neighbour_pairs(SMALL_STACK).items()}
    assert counts == {
        "along_x": 3 * 7 * 8,
        "along_y": 3 * 8 * 7,
        "diagonal": 3 * 2 * 7 * 7,
        "in_depth": 2 * 64,
    }


def test_pairs_of_cells_of_a_disc_close_the_circle():
    counts = {axis: len(pairs.partners) for axis, pairs in neighbour_pairs(DISC).items()}
    assert counts == {"around": 2 * 6 * 4, "outward": 2 * 6 * 3, "diagonal": 2 * 2 * 6 * 3, "in_depth": 24}
    lists = surrounding_cells(DISC)
    # innermost cell of the first angle: two around, one outward, two at corners
    assert sorted(lists.partners[lists.starts[0] : lists.starts[1]]) == [1, 4, 5, 20, 21]


@pytest.mark.parametrize("name", PRESETS)
def test_pairs_of_cells_are_those_of_the_detector(name):
    detector = load_detector(name)
    neighbours = detector.cells.neighbours()
    pairs = neighbour_pairs(detector)
    assert (
        sum(len(lists.partners) for axis, lists in pairs.items() if axis != "diagonal") == neighbours.nnz // 2
    )
    for axis, lists in pairs.items():
        first = np.repeat(np.arange(len(detector.cells)), np.diff(lists.starts))
        assert (first < lists.partners).all()
        touching = np.asarray(neighbours[first, lists.partners]).ravel()
        assert touching.all() == (axis != "diagonal")
        assert touching.any() == (axis != "diagonal")


@pytest.mark.parametrize("name", PRESETS[:3])
def test_pairs_of_hits_are_all_of_those_that_touch(name):
    detector = load_detector(name)
    showers = random_showers(detector, 1, events=4)
    hits = find_hits(showers, THRESHOLD)
    found = find_hit_pairs(hits, detector)
    neighbours = detector.cells.neighbours().toarray()
    sides = [pair for axis, pair in found.by_axis.items() if axis != "diagonal"]
    pairs = {(int(a), int(b)) for one, two in sides for a, b in zip(one, two, strict=True)}
    expected = {
        (a, b)
        for a in range(len(hits.event))
        for b in range(a + 1, len(hits.event))
        if hits.event[a] == hits.event[b] and neighbours[hits.cell[a], hits.cell[b]]
    }
    assert pairs == expected


def test_isolated_hits_pairs_and_neighbours_of_a_known_shower():
    # a row of three, a corner neighbour, one hit alone, on 20 x 20 cells
    found = measure(one_shower(load_detector("zdc_ecal"), {100: 1.0, 101: 2.0, 102: 4.0, 123: 8.0, 300: 5.0}))
    assert found["isolated_hits"] == 1
    assert found["isolated_energy"] == pytest.approx(0.25)
    assert found["pairs_along_y"] == 2
    assert found["pairs_along_x"] == 0
    assert found["pairs_diagonal"] == 1
    assert found["hits_with_1_neighbours"] == 2
    assert found["hits_with_2_neighbours"] == 2
    assert found["pair_energy_along_y"] == pytest.approx((math.sqrt(2) + math.sqrt(8)) / 20)
    assert found["clusters"] == 2
    assert found["largest_cluster_hits"] == 4
    assert found["largest_cluster_energy"] == pytest.approx(0.75)
    assert found["second_cluster_hits"] == 1
    assert found["clusters_of_4_hits"] == 1
    assert found["local_maxima"] == 1
    assert found["local_maximum_1"] == pytest.approx(0.4)
    assert found["hot_cell_1"] == pytest.approx(math.log(8.0))
    assert found["hot_cell_4"] == pytest.approx(math.log(2.0))
    assert found["hot_cell_6"] == pytest.approx(math.log(1e-3))


def test_the_pair_correlation_is_morans():
    energies = {100: math.exp(1.0), 101: math.exp(2.0), 102: math.exp(3.0)}
    found = measure(one_shower(load_detector("zdc_ecal"), energies))
    # deviations -1, 0, 1; both products are 0
    assert found["pair_correlation_along_y"] == pytest.approx(0.0, abs=1e-7)
    found = measure(one_shower(load_detector("zdc_ecal"), {100: 1.0, 101: math.e, 200: 1.0, 201: math.e}))
    assert found["pair_correlation_along_y"] == pytest.approx(-1.0)
    found = measure(one_shower(load_detector("zdc_ecal"), {100: 1.0, 101: 1.0, 200: math.e, 201: math.e}))
    assert found["pair_correlation_along_y"] == pytest.approx(1.0)


def test_holes_are_empty_cells_with_many_hits_about_them():
    around = [100 + 20 * i + j for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]
    found = measure(one_shower(load_detector("zdc_ecal"), dict.fromkeys(around, 1.0)))
    # the eight others that a ring of eight has about it touch three of them at most
    assert found["holes"] == found["deep_holes"] == 1
    found = measure(one_shower(load_detector("zdc_ecal"), dict.fromkeys(around[:5], 1.0)))
    assert (found["holes"], found["deep_holes"]) == (1, 0)


def test_hits_alone_in_their_layer_may_have_one_behind():
    found = measure(one_shower(SMALL_STACK, {20: 1.0, 64 + 20: 1.0, 128 + 40: 1.0}))
    assert found["isolated_hits"] == 3
    assert found["isolated_hits_in_space"] == 1
    assert found["pairs_in_depth"] == 1
    assert found["clusters"] == 2
    assert found["clusters_of_2_hits"] == 1


def test_neighbours_across_the_end_of_the_circle_touch():
    found = measure(one_shower(DISC, {0: 1.0, 20: 1.0}))
    assert found["isolated_hits"] == 0
    assert found["pairs_around"] == 1


def test_hits_in_fine_bins_and_their_moments():
    energies = {100: 0.11, 200: 0.1 * 1.25**2.5, 300: 1e9}
    found = measure(one_shower(load_detector("zdc_ecal"), energies))
    assert [k for k in range(32) if found[f"hits_in_bin_{k}"]] == [0, 2, 31]
    logarithms = np.log(np.array(list(energies.values())) / 0.1)
    assert found["log_energy_mean"] == pytest.approx(logarithms.mean(), rel=1e-5)
    assert found["log_energy_spread"] == pytest.approx(logarithms.std(), rel=1e-5)


def test_a_line_is_found_and_its_sharpness_is_the_part_within():
    generator = np.random.default_rng(3)
    spectrum = FineSpectrum(THRESHOLD)
    spectrum.add(0.1 + generator.exponential(1.0, 200_000))
    assert spectrum.find_lines() == ()
    spectrum.add(np.full(3000, 0.511))
    (line,) = spectrum.find_lines()
    assert line.energy == pytest.approx(0.511, rel=5e-4)
    hits = {100: 0.511, 150: 0.511, 200: 0.52, 250: 0.6, 300: 0.1001}
    found = measure(one_shower(load_detector("zdc_ecal"), hits), [line])
    assert found["line_511_keV_hits"] == 2
    assert found["line_511_keV_sharpness"] == pytest.approx(2 / 3)
    assert found["line_511_keV_bin_5"] == 1
    assert found["line_511_keV_offset"] == pytest.approx(0.009 / 0.511 / 3, abs=3e-4)


def test_a_smooth_spectrum_with_a_sharp_cut_has_no_line():
    energies = np.random.default_rng(4).exponential(0.3, 500_000)
    spectrum = FineSpectrum(THRESHOLD)
    spectrum.add(energies[energies > 0.15])
    assert spectrum.find_lines() == ()


def test_rings_and_moments_of_known_places():
    detector = load_detector("zdc_ecal")
    cells = detector.cells
    middle = 210
    impact = (cells.x[middle], cells.y[middle])
    found = measure(one_shower(detector, {middle: 3.0, middle + 1: 1.0}, impact))
    assert found["ring_0_to_0.5_energy"] == pytest.approx(0.75)
    assert found["ring_0_to_0.5_hits"] == 1
    assert found["mean_radius"] == pytest.approx(0.25)
    assert found["long_width"] == pytest.approx(math.sqrt(0.25 - 0.0625))
    assert found["short_width"] == pytest.approx(0.0, abs=1e-6)
    assert found["hot_cells_apart"] == pytest.approx(1.0)
    cross = dict.fromkeys([middle - 20, middle + 20, middle - 1, middle + 1], 1.0)
    found = measure(one_shower(detector, cross, impact))
    assert found["azimuth_1_hits"] == pytest.approx(0.0, abs=1e-6)
    assert found["azimuth_4_energy"] == pytest.approx(1.0)


def test_front_and_back_leave_the_line_of_flight_together():
    cells = SMALL_STACK.cells
    straight = {27: 1.0, 64 + 27: 1.0, 128 + 27: 1.0}
    impact = (cells.x[27], cells.y[27])
    found = measure(one_shower(SMALL_STACK, straight, impact, (0.0, 0.0, 1.0)))
    assert found["front_back_centres"] == pytest.approx(0.0)
    assert found["profile_roughness"] == pytest.approx(0.0)
    aside = {28: 1.0, 64 + 27: 2.0, 128 + 29: 1.0}
    found = measure(one_shower(SMALL_STACK, aside, impact, (0.0, 0.0, 1.0)))
    assert found["front_back_centres"] == pytest.approx(2.0)
    assert found["profile_roughness"] == pytest.approx(2.0 / 4.0)
    # along a track that leans by a cell a layer nothing is aside
    slope = np.array([0.0, 1.0, 1.0]) / math.sqrt(2)
    start = (cells.x[27], cells.y[27] - 5.0)
    leaning = {27: 1.0, 64 + 28: 1.0, 128 + 29: 1.0}
    found = measure(one_shower(SMALL_STACK, leaning, start, slope))
    assert found["back_centre"] == pytest.approx(0.0, abs=1e-6)
    assert found["impact_cell_0_0"] == pytest.approx(math.log1p(3.0 / THRESHOLD))


@pytest.mark.parametrize("name", PRESETS)
def test_empty_showers_are_finite(name):
    detector = load_detector(name)
    showers = Showers(
        np.zeros((3, detector.number_of_cells), np.float32), np.full(3, 1e3, np.float32), detector
    )
    line = SpectralLine(0.511, 3e-4)
    assert all(np.isfinite(column).all() for column in measure(showers, [line]).values())


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 5), (4, 1, 1), (2, 2, 2)])
def test_the_smallest_detectors_have_finite_observables(shape):
    layers, rows, columns = shape
    readout = {"kind": "cartesian", "rows": rows, "columns": columns}
    readout |= {"row_pitch_mm": 10.0, "column_pitch_mm": 10.0}
    sections = [{"name": "s", "layers": layers, "readout": readout}]
    detector = Detector.from_mapping({"name": "t", "title": "t", "sections": sections}, "test")
    energies = np.zeros((2, detector.number_of_cells), np.float32)
    energies[1] = 2.0
    showers = Showers(energies, np.ones(2, np.float32), detector, np.zeros((2, 2), np.float32))
    found = measure(showers)
    assert all(np.isfinite(column).all() for column in found.values())
    assert found["clusters"].tolist() == [0.0, 1.0]


@pytest.mark.parametrize("name", PRESETS)
def test_blocks_of_showers_make_no_difference(name):
    showers = random_showers(load_detector(name), 2)
    calculator = TopologyCalculator(showers.detector, THRESHOLD)
    whole = calculator(showers).values
    parts = np.concatenate([calculator(showers[k : k + 7]).values for k in range(0, 20, 7)])
    assert np.array_equal(whole, parts)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), mirrors=st.tuples(st.booleans(), st.booleans(), st.booleans()))
def test_mirrored_showers_have_the_same_observables(seed, mirrors):
    detector = load_detector("zdc_ecal")
    generator = np.random.default_rng(seed)
    showers = random_showers(detector, seed, events=3)
    impacts = generator.uniform(-80, 80, (3, 2)).astype(np.float32)
    images = showers.energies.reshape(3, 20, 20)
    mirrored, places = images, impacts
    if mirrors[0]:
        mirrored, places = mirrored[:, ::-1], places * np.array([-1, 1], np.float32)
    if mirrors[1]:
        mirrored, places = mirrored[:, :, ::-1], places * np.array([1, -1], np.float32)
    if mirrors[2]:
        mirrored, places = mirrored.transpose(0, 2, 1), places[:, ::-1]
    one, two = (
        measure(Showers(np.ascontiguousarray(image).reshape(3, 400), showers.incident_energies, detector, at))
        for image, at in ((images, impacts), (mirrored, np.ascontiguousarray(places)))
    )
    exchange = {"along_x": "along_y", "along_y": "along_x"} if mirrors[2] else {}
    for name, column in one.items():
        axis = next((axis for axis in exchange if name.endswith(axis)), None)
        other = name if axis is None else name.replace(axis, exchange[axis])
        assert two[other] == pytest.approx(column, rel=1e-4, abs=2e-5), name


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), steps=st.integers(1, 17), mirror=st.booleans())
def test_turned_showers_on_a_cylinder_have_the_same_observables(seed, steps, mirror):
    detector = load_detector("par04_siw")
    showers = random_showers(detector, seed, events=2)
    images = showers.images
    turned = np.roll(images, steps, axis=2)
    turned = turned[:, :, ::-1] if mirror else turned
    other = Showers(np.ascontiguousarray(turned).reshape(2, -1), showers.incident_energies, detector)
    one, two = measure(showers), measure(other)
    for name, column in one.items():
        assert two[name] == pytest.approx(column, rel=1e-3, abs=1e-4), name
