"""Trees over the cells of every detector."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from calokit.detector import Detector, list_detectors, load_detector
from calokit.models.cascade.planes import grow_trees, overlap_shares
from calokit.models.cascade.symmetries import find_symmetries
from calokit.models.cascade.tree import SplitTree, grow_tree
from calokit.models.cascade.window import AROUND, BESIDE, open_window

DETECTORS = [name if isinstance(name, str) else name.name for name in list_detectors()]


def check_tree(tree: SplitTree) -> None:
    """Every box but the root has one parent, children share their parent's cells, leaves are single cells."""
    parents = np.bincount(tree.children[tree.children < tree.boxes], minlength=tree.boxes)
    assert parents[0] == 0
    assert (parents[1:] == 1).all()
    capacity = np.append(tree.capacity, 0)
    cut = np.arange(tree.boxes) < tree.starts[-2]
    assert (capacity[tree.children[cut]].sum(1) == tree.capacity[cut]).all()
    edges = tree.edges[tree.leaves]
    assert (edges[:, 1] - edges[:, 0] == 1).all()
    assert (edges[:, 3] - edges[:, 2] == 1).all()
    order = edges[:, 0] * tree.columns + edges[:, 2]
    assert (order == np.arange(tree.rows * tree.columns)).all()


@pytest.mark.parametrize("name", DETECTORS)
def test_every_cell_of_every_detector_is_one_leaf(name: str) -> None:
    detector = load_detector(name)
    trees = grow_trees(detector)
    check_tree(trees.depth)
    leaves = np.zeros(trees.first_cells[-1], int)
    for layer, kind in enumerate(trees.plane_of):
        check_tree(trees.planes[kind].tree)
        assert layer in trees.planes[kind].layers
        assert trees.planes[kind].tree.capacity[0] == trees.depth.capacity[trees.depth.leaves][layer]
        leaves[trees.cells_of(layer)] += 1
    assert (leaves == 1).all()
    if all(section.tiles is None for section in detector.sections):
        assert trees.depth.capacity[0] == len(leaves) == detector.number_of_cells
        first = np.array([detector.cells.layer[trees.cells_of(layer)].max() for layer in range(trees.layers)])
        assert (first == np.arange(trees.layers)).all()


def test_sections_are_cut_apart_first() -> None:
    depth = grow_trees(load_detector("zdc_ecal_hcal")).depth
    assert depth.edges[depth.children[0], :2].tolist() == [[0, 1], [1, 65]]


def test_the_longest_extent_is_cut_first() -> None:
    tree = grow_tree(110, 11)
    assert tree.axes[:4] == (0, 0, 0, 0)
    longest = [max(e[1] - e[0], e[3] - e[2]) for e in tree.edges]
    assert longest == sorted(longest, reverse=True) or max(longest) == 110


def test_a_tree_can_be_printed() -> None:
    lines = grow_trees(load_detector("par04_siw")).describe().splitlines()
    assert lines[0] == "depth, 45 layers"
    assert lines[-1] == "  level 8: 16 x 9 boxes of at most 1 x 1 cells, the cells"


def test_neighbours_touch_and_go_round_the_circle() -> None:
    tree = grow_tree(8, 3, periodic=True)
    window = open_window(tree, AROUND)
    for box in range(tree.starts[-2], tree.starts[-1]):
        row, column = tree.edges[box, 0], tree.edges[box, 2]
        for place, (along, across) in enumerate(AROUND):
            other = window.neighbours[box, place]
            if not 0 <= column + across < 3:
                assert other == tree.boxes
                continue
            assert tree.edges[other, 0] == (row + along) % 8
            assert tree.edges[other, 2] == column + across


def test_children_of_neighbours_are_known_only_if_drawn_before_or_not_cut() -> None:
    tree = grow_tree(5, 3)
    window = open_window(tree, AROUND)
    for box, place in itertools.product(range(tree.boxes), range(len(AROUND))):
        other = window.neighbours[box, place]
        if other == tree.boxes:
            continue
        earlier = window.colour[other] < window.colour[box]
        assert window.known[box, place] == (earlier or not tree.splits[other])
        if tree.splits[other] and tree.splits[box]:
            assert window.colour[other] != window.colour[box]


def test_layers_see_three_on_either_side() -> None:
    tree = grow_tree(6, 1)
    window = open_window(tree, BESIDE)
    last = tree.starts[-2]
    assert window.neighbours[last + 3].tolist() == [last, last + 1, last + 2, last + 4, last + 5, tree.boxes]


@pytest.mark.parametrize(
    ("name", "count"),
    [("zdc_ecal", 8), ("clic_ecal", 8), ("luxe_ecal", 4), ("par04_siw", 32), ("zdc_ecal_hcal", 1)],
)
def test_symmetries_of_detectors(name: str, count: int) -> None:
    detector = load_detector(name)
    symmetries = find_symmetries(detector, grow_trees(detector))
    assert len(symmetries) == count
    for sources in symmetries.sources:
        assert len(sources.unique()) == grow_trees(detector).first_cells[-1]


def test_a_cylinder_between_slabs_of_unequal_sides_is_not_turned() -> None:
    """Half a turn and mirrors map such slabs on themselves, and no other turn of the cells does."""
    whole = load_detector("par04_siw").to_mapping()
    whole["sections"][0]["height_mm"] = 90.0
    flat = Detector.from_mapping(whole, "flat")
    assert len(find_symmetries(flat, grow_trees(flat))) == 4


def test_energy_is_kept_between_grids() -> None:
    planes = grow_trees(load_detector("calochallenge_1_photons")).planes
    for one, other in itertools.permutations(planes, 2):
        shares = overlap_shares(one.grid, other.grid)
        inside = one.grid.radius_edges[1:] <= other.grid.radius_edges[-1]
        kept = shares.sum(0).reshape(one.grid.shape)
        assert np.allclose(kept[:, inside], 1.0)
